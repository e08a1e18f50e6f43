import type { BucketRate } from '../../base/keyed-buckets.ts'
import type { Origin } from './origin.ts'

/** xDS: LocalRateLimit. */
export interface RateLimit {
  /** Its counts go by this name, through changes of everything else. xDS: stat_prefix. */
  readonly name: string
  /** Of a route that has a count of its own; absent: all that say this name share one. */
  readonly place?: string
  /** All of a service's instances have this together, and `rate` is an equal share of it. `weft.dev` metadata `budget`. */
  readonly budget?: SharedBudget
  /** For whatever is told apart by nothing. */
  readonly rate: BucketRate
  /** Who has a bucket of his own; absent: nobody. */
  readonly keyed?: KeyedLimit
  /** Of the refusal. */
  readonly status: number
  /** To gRPC the refusal is RESOURCE_EXHAUSTED, not UNAVAILABLE. */
  readonly resourceExhausted: boolean
  /** Every reply says how much is left (`x-ratelimit-…`). xDS: enable_x_ratelimit_headers. */
  readonly tellsAll: boolean
  /** xDS: enable_retry_after_header. */
  readonly retryAfter: boolean
  readonly origin: Origin | undefined
}

/** What several instances share. */
export interface SharedBudget extends BucketRate {
  readonly instances: number
}

/** What tells requests apart. */
export interface KeyedLimit {
  readonly by: 'caller' | { readonly header: string }
  readonly rate: BucketRate
  /** More values than this are not remembered. */
  readonly maxKeys: number
}
