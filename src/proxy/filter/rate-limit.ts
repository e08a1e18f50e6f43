import { createKeyedBuckets, type BucketRate, type BucketState, type KeyedBuckets } from '../../base/keyed-buckets.ts'
import type { Clock } from '../../base/clock.ts'
import { hexHash, xxHash64 } from '../../base/xx-hash.ts'
import type { RateLimit } from '../config.ts'
import type { Fault } from '../http/fault.ts'
import type { Quota } from './quota-part.ts'
import { headerField, headerValue, joinedHeaderValue, type HeaderField } from '../http/headers.ts'
import { isFault, type Call, type Layer, type Reply } from '../http/service.ts'

/** The counts of all limits, by name: they outlive every configuration. */
export interface RateCounts {
  /** `keys`: how many of them are told apart at most. */
  of(name: string, keys: number): KeyedBuckets
  /** Forgets all limits but these. */
  retain(names: Pick<ReadonlySet<string>, 'has'>): void
}

/** Nothing was counted yet. */
export function createRateCounts(): RateCounts {
  const counts = new Map<string, { readonly keys: number; readonly buckets: KeyedBuckets }>()
  return {
    of(name, keys) {
      let known = counts.get(name)
      if (known?.keys !== keys) counts.set(name, (known = { keys, buckets: createKeyedBuckets(keys) }))
      return known.buckets
    },
    retain(names) {
      for (const name of counts.keys()) if (!names.has(name)) counts.delete(name)
    },
  }
}

/** Which bucket a call takes from, and how it is filled. "": the one of all that are told apart by nothing. Pure. */
export function bucketFor({ rate, keyed }: RateLimit, { peer, headers }: Call): { key: string; rate: BucketRate } {
  if (keyed === undefined) return { key: '', rate }
  const value = keyed.by === 'caller' ? peer.principal : joinedHeaderValue(headers, keyed.by.header)
  if (value === undefined || value === '') return { key: '', rate }
  return { key: value.length > longestKey ? hexHash(xxHash64(value)) : value, rate: keyed.rate }
}

/** What strangers say must not fill the memory. */
const longestKey = 256

/** What a limit is held with. */
export interface RateLimitParts {
  readonly buckets: KeyedBuckets
  readonly clock: Clock
  /** Of a budget that is shared; absent: the limit is this instance's own. */
  readonly quota?: Quota
  /** Told of every refusal, for metrics. */
  readonly limited: () => void
}

/** Answers 429 once the caller's bucket is empty, before the program sees anything. */
export function rateLimit(limit: RateLimit, { buckets, clock, quota, limited }: RateLimitParts): Layer {
  return (next) => (call) => {
    const { key, rate: own } = bucketFor(limit, call)
    const rate = quota === undefined ? own : quota.rate(key)
    const state = buckets.take(key, rate, clock.nowMs())
    quota?.noted(key, state.allowed)
    if (!state.allowed) {
      limited()
      return Promise.resolve(rateLimitFault(limit, rate, state))
    }
    if (!limit.tellsAll) return next(call)
    return next(call).then((answer) => (isFault(answer) ? answer : told(answer, rate, state)))
  }
}

/** Why a call is refused, with all that its refusal says. */
export const rateLimitFault = (
  { name, status, resourceExhausted, tellsAll, retryAfter }: RateLimit,
  { burst, perSecond }: BucketRate,
  { waitMs }: BucketState,
): Fault => ({
  kind: 'rate-limited',
  side: 'self',
  retry: 'never',
  status,
  resourceExhausted,
  limit: name,
  burst,
  perSecond,
  waitMs,
  tellsAll,
  retryAfter,
})

/** What the refusal says besides. */
export const refusedFields = ({
  burst,
  waitMs,
  tellsAll,
  retryAfter,
}: Extract<Fault, { kind: 'rate-limited' }>): readonly HeaderField[] => [
  ...(tellsAll ? rateFields(burst, 0, waitMs) : []),
  ...(retryAfter ? [headerField('retry-after', String(Math.max(1, Math.ceil(waitMs / 1000))))] : []),
]

/** Of several limits the one with the least left is told. */
function told(reply: Reply, { burst }: BucketRate, { remaining, waitMs }: BucketState): Reply {
  const other = headerValue(reply.headers, 'x-ratelimit-remaining')
  if (other !== undefined && Number(other) <= remaining) return reply
  const headers = other === undefined ? reply.headers : reply.headers.filter(({ name }) => !rateNames.has(name))
  return { ...reply, headers: [...headers, ...rateFields(burst, remaining, waitMs)] }
}

/** Source: draft-polli-ratelimit-headers-03, as Envoy writes them: seconds until one more request may come. */
const rateFields = (burst: number, remaining: number, waitMs: number): readonly HeaderField[] => [
  headerField('x-ratelimit-limit', String(Math.floor(burst))),
  headerField('x-ratelimit-remaining', String(remaining)),
  headerField('x-ratelimit-reset', String(Math.ceil(waitMs / 1000))),
]
const rateNames: ReadonlySet<string> = new Set(['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'])
