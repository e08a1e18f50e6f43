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
  /** All of these together have the one budget, each a share; absent: each instance counts for itself. */
  readonly instances?: number
  readonly origin: Origin
}
