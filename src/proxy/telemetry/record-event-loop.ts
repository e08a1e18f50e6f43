import type { Sweeper } from '../../base/sweeper.ts'
import type { Metrics } from './metrics.ts'

/** Upper ends of the buckets, seconds. */
const boundsSeconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Tells by how much the sweeper's turns come late: as late as everything else in this process. Costs no timer of its own. */
export function recordEventLoop(metrics: Metrics, sweeper: Sweeper): void {
  const delays = metrics.histogram(
    'weft_event_loop_delay_seconds',
    'By how much a timer of this process came late, looked at four times a second.',
    [],
    boundsSeconds,
  )
  let lastMs = sweeper.nowMs
  sweeper.add({
    sweep(nowMs) {
      delays.of().observe(Math.max(0, nowMs - lastMs - sweeper.periodMs) / 1000)
      lastMs = nowMs
    },
  })
}
