import type { SlowStart } from '../config.ts'
import type { EndpointState } from './endpoint-state.ts'
import { ownWeights, type Choices, type Weights } from './picker.ts'

/** Weights of endpoints of which some may be new. */
export interface StartingWeights extends Weights {
  /** From then on, by the monotonic clock, nobody is new any more; Infinity: nobody is. */
  readonly untilMs: number
}

/** The configured weights; an endpoint that came, or came back to health, during the window counts less at first. */
export function startingWeights(
  choices: Choices,
  slowStart: SlowStart | undefined,
  nowMs: () => number,
): StartingWeights {
  const own = ownWeights(choices)
  if (slowStart === undefined) return { ...own, untilMs: Infinity }
  const now = nowMs()
  let untilMs = 0
  for (const { healthySinceMs } of choices)
    if (healthySinceMs + slowStart.windowMs > now) untilMs = Math.max(untilMs, healthySinceMs + slowStart.windowMs)
  if (untilMs === 0) return { ...own, untilMs: Infinity }
  return { of: (state) => state.endpoint.weight * startFactor(state, slowStart, nowMs()), equal: false, untilMs }
}

/**
 * In (0, 1]: (time since the start / window) to the power of 1 / aggression, at least the least weight. Source: Envoy, "Slow start
 * mode" of its load balancing documentation.
 */
export function startFactor({ healthySinceMs }: EndpointState, rules: SlowStart, nowMs: number): number {
  const { windowMs, aggression, minWeightPercent } = rules
  const share = Math.max(nowMs - healthySinceMs, 1) / windowMs
  if (share >= 1) return 1
  return Math.max(share ** (1 / aggression), minWeightPercent / 100, Number.EPSILON)
}
