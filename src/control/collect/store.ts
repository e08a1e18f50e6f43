import type { Document, Metadata, ResourceKey } from '../decode/resource.ts'

/** A document in the store: metadata is complete, `resourceVersion` is the revision of its last write. */
export interface StoredDocument extends Document {
  readonly metadata: Metadata
}

/** One wish. `expected`: the resourceVersion that must be there; "" means that nothing may be there; undefined: whatever is. */
export type Change =
  | { readonly put: Document; readonly expected?: string }
  | { readonly delete: ResourceKey; readonly expected?: string }

/** One thing that happened, in the order in which it happened. */
export type StoreEvent =
  | { readonly kind: 'put'; readonly revision: number; readonly key: ResourceKey; readonly document: StoredDocument }
  | { readonly kind: 'delete'; readonly revision: number; readonly key: ResourceKey }

export type WriteResult =
  /** One entry per change, in order; `unchanged` when the document was there, equal but for metadata that the store sets. */
  | {
      readonly kind: 'done'
      readonly revision: number
      readonly outcomes: readonly ('created' | 'configured' | 'unchanged' | 'deleted' | 'absent')[]
    }
  /** Nothing was written. `actual` is undefined when the resource is not there. */
  | {
      readonly kind: 'conflict'
      readonly key: ResourceKey
      readonly expected: string
      readonly actual: string | undefined
    }

export type WatchResult =
  | { readonly kind: 'watching'; readonly stop: () => void }
  | { readonly kind: 'compacted'; readonly oldest: number }

/**
 * Where resources live: embedded (sqlite, memory), etcd, Kubernetes. One revision counter grows by one with every changed document.
 * A write that was acknowledged survives a crash of the process and of the machine; a watch delivers every event exactly once, in order.
 */
export interface Store {
  get(key: ResourceKey): Promise<StoredDocument | undefined>
  /** A consistent picture, sorted by namespace and name, and the revision at which it was taken: watch from there on. */
  list(filter?: { kind?: string; namespace?: string }): Promise<{ items: readonly StoredDocument[]; revision: number }>
  /** All or nothing. */
  write(changes: readonly Change[]): Promise<WriteResult>
  /** Every event with a revision greater than `after`, past and to come. "compacted": too old, list again. */
  watch(after: number, heard: (events: readonly StoreEvent[]) => void): Promise<WatchResult>
  /**
   * Writes all of it, as of one moment, into the empty file `target` (a SQLite database of the store's schema). A sentence: this store
   * has nothing to copy. Rejects when the disk refuses.
   */
  copyTo(target: string): Promise<string | undefined>
  close(): Promise<void>
}
