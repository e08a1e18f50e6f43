import type { BucketRate } from '../../base/keyed-buckets.ts'
import type { RateLimit } from '../config.ts'

/** This instance's shares of budgets that it has together with others. Outlives configurations. */
export interface Quotas {
  /** Of one limit that has a budget. */
  of(limit: RateLimit): Quota
  /** A share, requests a second, for so long; then an equal one again. What nobody asks about is not kept. */
  assign(name: string, perSecond: number, ttlMs: number): void
  /** What came since it was last asked, by limit; one entry for each, also where nothing came. */
  takeUsage(): readonly Usage[]
  /** Forgets all but these limits. */
  retain(names: Pick<ReadonlySet<string>, 'has'>): void
}

/** What a limit's calls ask. */
export interface Quota {
  /** What this instance may take now. */
  rate(): BucketRate
  noted(allowed: boolean): void
}

/** Of one limit. */
export interface Usage {
  readonly name: string
  readonly allowed: number
  readonly denied: number
  readonly elapsedMs: number
}

interface Held extends Quota {
  limit: RateLimit
  assigned: { readonly perSecond: number; readonly untilMs: number } | undefined
  allowed: number
  denied: number
  sinceMs: number
}

/** Equal shares until others are dealt. */
export function createQuotas(nowMs: () => number): Quotas {
  const quotas = new Map<string, Held>()
  return {
    of(limit) {
      let held = quotas.get(limit.name)
      if (held === undefined) quotas.set(limit.name, (held = hold(limit, nowMs)))
      held.limit = limit
      return held
    },
    assign(name, perSecond, ttlMs) {
      const held = quotas.get(name)
      if (held !== undefined) held.assigned = { perSecond, untilMs: nowMs() + ttlMs }
    },
    takeUsage: () =>
      Array.from(quotas, ([name, held]) => {
        const { allowed, denied, sinceMs } = held
        held.sinceMs = nowMs()
        held.allowed = held.denied = 0
        return { name, allowed, denied, elapsedMs: held.sinceMs - sinceMs }
      }),
    retain(names) {
      for (const name of quotas.keys()) if (!names.has(name)) quotas.delete(name)
    },
  }
}

const hold = (limit: RateLimit, nowMs: () => number): Held => ({
  limit,
  assigned: undefined,
  allowed: 0,
  denied: 0,
  sinceMs: nowMs(),
  rate() {
    const { assigned } = this
    const { rate, budget } = this.limit
    if (assigned === undefined || budget === undefined) return rate
    if (assigned.untilMs <= nowMs()) {
      this.assigned = undefined
      return rate
    }
    const { perSecond } = assigned
    return { perSecond, burst: Math.max(1, (budget.burst * perSecond) / budget.perSecond) }
  },
  noted(allowed) {
    if (allowed) this.allowed++
    else this.denied++
  },
})
