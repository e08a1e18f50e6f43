import type { BucketRate } from '../../base/keyed-buckets.ts'
import type { RateLimit } from '../config.ts'

/** Whose share: of a limit, or of one key under it. */
export interface QuotaName {
  readonly name: string
  /** As it is told to others; "": all that were heard of lately have been told. Absent: the limit tells nobody apart, or not all are told. */
  readonly key?: string
}

/** What a limit's calls ask. `key`: whose bucket they take from; "": that of all who are not told apart. */
export interface Quota {
  /** What this instance may take now. */
  rate(key: string): BucketRate
  noted(key: string, allowed: boolean): void
}

/** Of one limit, or key. */
export interface Usage extends QuotaName {
  readonly allowed: number
  readonly denied: number
  readonly elapsedMs: number
}

/** What stands behind a limit. */
export interface HeldQuota extends Quota {
  limit: RateLimit
  assign(key: string | undefined, perSecond: number, ttlMs: number): void
  takeUsage(): readonly Usage[]
}

/** What was dealt, and used. */
export interface Part {
  assigned: { readonly perSecond: number; readonly untilMs: number } | undefined
  allowed: number
  denied: number
}

/** Nothing yet. */
export const newPart = (): Part => ({ assigned: undefined, allowed: 0, denied: 0 })

/** What was dealt, while it holds; else an equal share. */
export function rateOf(part: Part, { rate, budget }: RateLimit, nowMs: () => number): BucketRate {
  const { assigned } = part
  if (assigned === undefined || budget === undefined) return rate
  if (assigned.untilMs <= nowMs()) {
    part.assigned = undefined
    return rate
  }
  const { perSecond } = assigned
  return { perSecond, burst: Math.max(1, (budget.burst * perSecond) / budget.perSecond) }
}

/** Counts one request. */
export function note(part: Part, allowed: boolean): void {
  if (allowed) part.allowed++
  else part.denied++
}
