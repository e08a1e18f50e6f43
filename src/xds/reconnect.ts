import type { Random } from '../base/random.ts'

const baseMs = 100
const maxMs = 10_000

/** A stream that lived this long and said something was a good one: the next wait is short again. ms. */
export const goodLifeMs = 1_000

/** Wait before the next connection to a server of configuration, ms: uniform in [0, min(10 s, 100 ms · 2ⁿ)), "full jitter". */
export const reconnectDelayMs = (failures: number, random: Random): number =>
  random.below(Math.min(maxMs, baseMs * 2 ** failures))
