import type { Random } from '../base/random.ts'

/** Whether a program that ends by itself is started again. */
export type RestartPolicy = 'no' | 'on-failure' | 'always'

const firstDelayMs = 100
const longestDelayMs = 30_000
/** A program that ran for so long, ms, did not end because of how it was started: the next delay is the first one again. */
export const stableRunMs = 10_000

/**
 * Wait until the next start, in milliseconds, after `shortRuns` runs in a row that were shorter than `stableRunMs` (1: this one): doubles
 * from 100 ms to 30 s, of which a half is chance. Undefined: it has ended for good.
 */
export function restartAfterMs(
  policy: RestartPolicy,
  { status, shortRuns }: { readonly status: number; readonly shortRuns: number },
  random: Random,
): number | undefined {
  if (policy === 'no' || (policy === 'on-failure' && status === 0)) return undefined
  const longestMs = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(Math.max(0, shortRuns - 1), 20))
  return longestMs * (0.5 + random.below(0.5))
}
