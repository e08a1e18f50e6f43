import type { Origin } from './origin.ts'

/** How many requests one port of one instance takes, or all instances together: a bucket of tokens. */
export interface RateLimit {
  /** Of the policy and its place there: "default/web/limit-0". */
  readonly name: string
  readonly requests: number
  readonly unitMs: number
  /** At once. */
  readonly burst: number
  /** Who has a bucket of its own: each caller by its proven identity, or each value of a header (lower case). Absent: all share one. */
  readonly per?: 'caller' | { readonly header: string }
  /** All of these together have the one budget (or one for each who is told apart), each a share; absent: each instance counts for itself. */
  readonly instances?: number
  readonly origin: Origin
}

/** A limiter that somebody else runs is asked about each request. */
export interface ExternalLimit {
  /** Of the policy: "default/web". */
  readonly name: string
  /** Points at `Model.services`. */
  readonly service: string
  readonly port: number
  readonly domain: string
  readonly timeoutMs: number
  /** Without an answer nothing passes. */
  readonly closed: boolean
  /** Replies tell what is left. */
  readonly tellsAll: boolean
  readonly descriptors: readonly (readonly LimitEntry[])[]
  readonly origin: Origin
}

/** What a request is called by, before the limiter. */
export type LimitEntry =
  | { readonly kind: 'header'; readonly key: string; readonly name: string }
  | { readonly kind: 'text'; readonly key: string; readonly value: string }
  | { readonly kind: 'remote-address' }
