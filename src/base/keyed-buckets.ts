/** What a bucket of tokens holds at most, and how fast it fills. Both > 0. */
export interface BucketRate {
  readonly burst: number
  readonly perSecond: number
}

/** How a bucket stands. */
export interface BucketState {
  /** There is, or was, a token. */
  readonly allowed: boolean
  /** Whole tokens that are left. */
  readonly remaining: number
  /** Until there is one more; 0 where one is left. */
  readonly waitMs: number
}

/** Many buckets of tokens by key, each full at first and filled by time; bounded in memory. */
export interface KeyedBuckets {
  /** Takes a token of the key's bucket, if there is one. A rate that has changed holds for what was taken before, too. */
  take(key: string, rate: BucketRate, nowMs: number): BucketState
  /** What `take` would find; takes nothing. */
  peek(key: string, rate: BucketRate, nowMs: number): BucketState
  readonly size: number
}

/** Rounding errors must not cost a token. */
const enough = 1 - 1e-6

/**
 * One number a key: when its bucket will be full again (generic cell rate algorithm, ITU-T I.371). Of more than `maxKeys` buckets the
 * one that was asked longest ago is forgotten, which is the one most likely to be full.
 */
export function createKeyedBuckets(maxKeys: number): KeyedBuckets {
  const fullAtMs = new Map<string, number>()
  const tokensOf = (key: string, { burst, perSecond }: BucketRate, nowMs: number): number => {
    const missing = (((fullAtMs.get(key) ?? nowMs) - nowMs) * perSecond) / 1000
    return Math.min(burst, Math.max(0, burst - missing))
  }
  const stateOf = (allowed: boolean, tokens: number, { perSecond }: BucketRate): BucketState => ({
    allowed,
    remaining: Math.floor(tokens + 1 - enough),
    waitMs: tokens >= enough ? 0 : ((1 - tokens) * 1000) / perSecond,
  })
  return {
    take(key, rate, nowMs) {
      const tokens = tokensOf(key, rate, nowMs)
      const allowed = tokens >= enough
      const left = allowed ? Math.max(0, tokens - 1) : tokens
      const known = fullAtMs.delete(key)
      if (!known && fullAtMs.size >= maxKeys) for (const [oldest] of fullAtMs) if (fullAtMs.delete(oldest)) break
      fullAtMs.set(key, nowMs + ((rate.burst - left) * 1000) / rate.perSecond)
      return stateOf(allowed, left, rate)
    },
    peek(key, rate, nowMs) {
      const tokens = tokensOf(key, rate, nowMs)
      return stateOf(tokens >= enough, tokens, rate)
    },
    get size() {
      return fullAtMs.size
    },
  }
}

/** "100 a second", "2.5 an hour": in the unit in which it is at least 1. For people. */
export function formatRate(perSecond: number): string {
  const [seconds, unit] = units.find(([one]) => perSecond * one >= 1) ?? day
  return `${Math.round(perSecond * seconds * 100) / 100} ${unit}`
}
const day = [86_400, 'a day'] as const
const units = [[1, 'a second'], [60, 'a minute'], [3600, 'an hour'], day] as const
