import type { RateLimit } from '../config.ts'
import { keyedQuota } from './keyed-quota.ts'
import { newPart, note, rateOf, type HeldQuota, type Quota, type QuotaName, type Usage } from './quota-part.ts'

/** This instance's shares of budgets that it has together with others. Outlives configurations. */
export interface Quotas {
  /** Of one limit that has a budget. */
  of(limit: RateLimit): Quota
  /** A share, requests a second, for so long; then an equal one again. What nobody asks about is not kept. */
  assign(whose: QuotaName, perSecond: number, ttlMs: number): void
  /** What came since it was last asked, by limit and key; one entry for each limit, also where nothing came. */
  takeUsage(): readonly Usage[]
  /** Forgets all but these limits. */
  retain(names: Pick<ReadonlySet<string>, 'has'>): void
}

/** Equal shares until others are dealt; of one limit at most `mostKeys` keys are told. */
export function createQuotas(nowMs: () => number, mostKeys: number): Quotas {
  const quotas = new Map<string, HeldQuota>()
  return {
    of(limit) {
      let held = quotas.get(limit.name)
      if (held === undefined || (held.limit.keyed === undefined) !== (limit.keyed === undefined))
        quotas.set(
          limit.name,
          (held = limit.keyed === undefined ? oneQuota(limit, nowMs) : keyedQuota(limit, nowMs, mostKeys)),
        )
      held.limit = limit
      return held
    },
    assign: ({ name, key }, perSecond, ttlMs) => quotas.get(name)?.assign(key, perSecond, ttlMs),
    takeUsage: () => Array.from(quotas.values(), (held) => held.takeUsage()).flat(),
    retain(names) {
      for (const name of quotas.keys()) if (!names.has(name)) quotas.delete(name)
    },
  }
}

/** One share for all. */
function oneQuota(first: RateLimit, nowMs: () => number): HeldQuota {
  const part = newPart()
  let sinceMs = nowMs()
  return {
    limit: first,
    rate(_key) {
      return rateOf(part, this.limit, nowMs)
    },
    noted: (_key, allowed) => note(part, allowed),
    assign(key, perSecond, ttlMs) {
      if (key === undefined) part.assigned = { perSecond, untilMs: nowMs() + ttlMs }
    },
    takeUsage() {
      const { allowed, denied } = part
      const elapsedMs = nowMs() - sinceMs
      sinceMs = nowMs()
      part.allowed = part.denied = 0
      return [{ name: this.limit.name, allowed, denied, elapsedMs }]
    },
  }
}
