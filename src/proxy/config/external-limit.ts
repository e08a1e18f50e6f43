import type { HeaderMatch } from './matching.ts'
import type { Origin } from './origin.ts'

/** A limiter that others run, by Envoy's rate limit protocol. xDS: envoy.extensions.filters.http.ratelimit.v3.RateLimit. */
export interface ExternalLimit {
  readonly domain: string
  /** Where the limiter is. */
  readonly cluster: string
  /** What it is called by; absent: the cluster's name. */
  readonly authority?: string
  /** Of what routes say, only that of this stage is asked. */
  readonly stage: number
  /** Asked of every request, whatever routes say; none: what they say. */
  readonly descriptors: readonly Descriptor[]
  /** How long an answer is waited for, ms. */
  readonly timeoutMs: number
  /** Without an answer: refuse with this status. Absent: let it pass. xDS: failure_mode_deny, status_on_error. */
  readonly statusOnFailure?: number
  /** Of the refusal. */
  readonly status: number
  readonly resourceExhausted: boolean
  /** Refusals carry `x-envoy-ratelimited`. */
  readonly marked: boolean
  /** Replies say how much is left (`x-ratelimit-…`). */
  readonly tellsAll: boolean
  readonly origin: Origin | undefined
}

/** What a route says of such a filter: its calls are asked about, with these words in the place of the filter's. xDS: RateLimitPerRoute. */
export type RouteLimiter = Partial<Pick<ExternalLimit, 'domain' | 'descriptors'>>

/** What a request is called by before a limiter: the entries that all of these give, in order; one gives none: nothing is asked. xDS: RateLimit. */
export interface Descriptor {
  readonly stage: number
  readonly entries: readonly DescriptorEntry[]
}

/** xDS: RateLimit.Action. */
export type DescriptorEntry =
  | { readonly kind: 'text'; readonly key: string; readonly value: string }
  /** `optional`: without the header the others stand alone. */
  | { readonly kind: 'header'; readonly key: string; readonly name: string; readonly optional: boolean }
  | { readonly kind: 'remote-address' }
  /** The text, if the request's headers are so (or are not). */
  | {
      readonly kind: 'if-headers'
      readonly key: string
      readonly value: string
      readonly headers: readonly HeaderMatch[]
      readonly expect: boolean
    }
  /** The cluster of the caller, which is the service of this proxy's program. */
  | { readonly kind: 'source-cluster' }
  | { readonly kind: 'destination-cluster' }
