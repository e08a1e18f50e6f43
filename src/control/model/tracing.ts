import type { Origin } from './origin.ts'

/** Spans of the mesh's calls, and who takes them. */
export interface MeshTracing {
  /** The collector, `<namespace>/<name>`. */
  readonly service: string
  readonly port: number
  /** In which OTLP is spoken to it. */
  readonly protocol: 'grpc' | 'http'
  /** Of 100 calls that nobody before has decided about. */
  readonly samplingPercent: number
  readonly tags: readonly TraceTag[]
  readonly origin: Origin
}

/** What spans say besides. */
export type TraceTag = { readonly tag: string } & (
  | { readonly kind: 'text'; readonly value: string }
  /** What stands in a field of the request; `otherwise` where it is not there, "": no tag. */
  | { readonly kind: 'header'; readonly name: string; readonly otherwise: string }
)
