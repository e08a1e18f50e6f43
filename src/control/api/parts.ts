import type { Problem } from '../../base/problem.ts'
import type { Store, StoredDocument } from '../collect/store.ts'
import type { Document, ResourceKey } from '../decode/resource.ts'
import type { ConfigQuestion, Info, ProxyState, Served, TokenRequest, TokenResult } from './contract.ts'

/** The rest of the control plane, as the API needs it. Everything is handed in, so that the API can be tested with the real store alone. */
export interface ApiParts {
  /** Where `apply` and `delete` write. */
  readonly store: Store
  readonly info: () => Info
  /** Reads and checks documents: text → documents (namespace filled in) and everything that is wrong with them. Never throws. */
  readonly check: (text: string, file: string) => ApplyCheck | Promise<ApplyCheck>
  /** Every resource in force, wherever it came from, with its status; sorted by namespace and name. */
  readonly list: (filter: ResourceFilter) => ResourcePicture | Promise<ResourcePicture>
  readonly read: (key: ResourceKey) => ResourceView | undefined | Promise<ResourceView | undefined>
  /** Calls `changed` after anything that `list` shows may have changed. Returns how to stop. */
  readonly watch: (changed: () => void) => () => void
  readonly proxies: () => readonly ProxyState[]
  /** Resolves once every proxy serves this revision of the store, or after `deadlineMs`. Never rejects. */
  readonly served: (revision: number, deadlineMs: number) => Promise<Served>
  /** Asks a sidecar about itself, through its agent's session. `proxy` is `<namespace>/<workload>`. Never rejects for a silent peer. */
  readonly ask: (
    proxy: string,
    what: ConfigQuestion | 'explain' | 'probe' | 'upgrade',
    detail?: unknown,
  ) => Promise<Asked>
  readonly issueToken: (
    request: TokenRequest,
  ) => Promise<{ readonly issued: TokenResult } | { readonly refused: string }>
  /** Writes a backup into the data directory: the file's name there, or why there is none. Rejects when the disk refuses. */
  readonly backUp: () => Promise<{ readonly file: string } | { readonly refused: string }>
  /** Prometheus text of the control plane itself. */
  readonly metrics: () => string
}

/** What was read from one text: nothing is written when an error is among the problems. */
export interface ApplyCheck {
  readonly documents: readonly Document[]
  readonly problems: readonly Problem[]
}

/** Absent: all. */
export interface ResourceFilter {
  readonly kind?: string
  readonly namespace?: string
}

/** A picture of many resources; `revision` is the store's when it was taken. */
export interface ResourcePicture {
  readonly items: readonly ResourceView[]
  readonly revision: number
}

/** One resource, and whose it is: what people wrote to the store they may change; the rest belongs to its source. */
export interface ResourceView {
  /** Complete, with `status`. */
  readonly document: StoredDocument
  /** `registered`: made by `weft run` (a Workload, or the Service inferred from it). */
  readonly owner:
    | { readonly kind: 'store' }
    | { readonly kind: 'file'; readonly file: string }
    | { readonly kind: 'registered' }
}

/** What came of a question to a sidecar. */
export type Asked =
  | { readonly kind: 'answer'; readonly json: unknown }
  | { readonly kind: 'unknown-proxy' }
  /** For people: "the sidecar did not answer within 5 s". */
  | { readonly kind: 'failed'; readonly reason: string }
