import type { StoredDocument } from '../collect/store.ts'
import type { ResourceKey } from '../decode/resource.ts'
import type { Resource } from '../decode/resource-types.ts'

/** Whose a resource is: what people wrote to the store they may change; the rest belongs to its source. */
export type Owner =
  | { readonly kind: 'store' }
  | { readonly kind: 'file'; readonly file: string }
  /** Made by a registration: a Workload under a lease, or the Service inferred from it. */
  | { readonly kind: 'registered' }

/** One resource in force: decoded, and as it was written. */
export interface Entry {
  readonly resource: Resource
  readonly document: StoredDocument
  readonly owner: Owner
}

/** What identifies it. */
export const keyOfResource = ({ kind, metadata }: Resource): ResourceKey => ({
  kind,
  namespace: metadata.namespace,
  name: metadata.name,
})

/** Annotation of a Service that nobody wrote: `true`, or `remembered` when its last workload has gone. */
export const inferredAnnotation = 'weft.dev/inferred'
/** Annotation of a VirtualIP that nobody wrote: it goes some time after its Service. */
export const givenAnnotation = 'weft.dev/given'
/** Annotation of such a VirtualIP: the ports of its Service if that is inferred, as JSON, for when its last workload has gone. */
export const portsAnnotation = 'weft.dev/ports'
/** Annotation of a Workload that stands for a running agent; without it nobody tells its health. */
export const leaseAnnotation = 'weft.dev/instance'
