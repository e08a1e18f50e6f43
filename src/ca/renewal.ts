import type { Random } from '../base/random.ts'

/** Wait after a first failed renewal; doubles with each further one. */
const firstRetryMs = 1000
const longestRetryMs = 30_000

/** When to renew, counted from the issue: half of `lifeMs` (what is left to live then), give or take a tenth of that, so that many do not come at once. */
export function renewAfterMs(lifeMs: number, random: Random): number {
  return Math.max(0, lifeMs * 0.5 * (0.9 + random.below(0.2)))
}

/**
 * Wait before the next try, `failures` (≥ 1) in a row behind us: doubling from 1 s to 30 s, but at most a tenth of what is left of the
 * certificate (never under 250 ms), each shortened by up to half by chance.
 */
export function retryRenewalAfterMs(failures: number, remainingMs: number, random: Random): number {
  if (failures < 1) throw new RangeError(`failures count from 1, got ${failures}`)
  const backoffMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(failures - 1, 10))
  const bounded = Math.max(250, Math.min(backoffMs, remainingMs / 10))
  return bounded * (0.5 + random.below(0.5))
}

/** The part of a certificate's life that is over, when a person should hear that renewal fails. Source: alarms at 50 % and 80 %. */
export function overdue(ageMs: number, lifeMs: number): 'no' | 'late' | 'urgent' | 'expired' {
  if (ageMs >= lifeMs) return 'expired'
  if (ageMs >= lifeMs * 0.8) return 'urgent'
  return ageMs >= lifeMs * 0.56 ? 'late' : 'no'
}
