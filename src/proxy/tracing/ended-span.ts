/** What a span says, in the end. Attributes are texts, as Envoy writes them. */
export interface EndedSpan {
  /** In hex; "": it has no parent. */
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  /** The parent is another process's. */
  readonly parentIsRemote: boolean
  readonly state: string
  readonly name: string
  readonly kind: 'server' | 'client'
  /** Milliseconds since the epoch, with fractions. */
  readonly beganMs: number
  readonly endedMs: number
  readonly failed: boolean
  readonly attributes: readonly SpanAttribute[]
}

/** Name and value. */
export type SpanAttribute = readonly [key: string, value: string]
