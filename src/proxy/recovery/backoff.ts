import type { Random } from '../../base/random.ts'

/**
 * Wait before retry `attempt` (1 is the first retry), in ms: uniform in [0, min(maxMs, baseMs · 2^(attempt − 1))). Full jitter.
 * Throws RangeError if `attempt` < 1. Source: gRFC A6, "Exponential Backoff".
 */
export function backoffMs(attempt: number, baseMs: number, maxMs: number, random: Random): number {
  if (attempt < 1) throw new RangeError(`attempt counts from 1, got ${attempt}`)
  return random.below(Math.min(Math.max(maxMs, baseMs), baseMs * 2 ** (attempt - 1)))
}
