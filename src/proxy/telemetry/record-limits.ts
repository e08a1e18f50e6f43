import type { Metrics } from './metrics.ts'

/** Counts what limits do to calls. */
export interface LimitMetrics {
  readonly rateLimited: (limit: string) => void
  readonly limiterAsked: (domain: string, outcome: string) => void
  readonly shed: (listener: string) => void
  /** What is learnt of a listener's program. */
  readonly concurrency: (listener: string, limit: number) => void
}

/** Registers `weft_rate_limited_total`, `weft_external_limits_total`, `weft_shed_total`, `weft_concurrency_limit`. */
export function createLimitMetrics(metrics: Metrics): LimitMetrics {
  const rateLimited = metrics.counter('weft_rate_limited_total', 'Calls that a rate limit refused.', ['limit'])
  const asked = metrics.counter(
    'weft_external_limits_total',
    'Questions to external rate limiters: ok, over-limit, or failed.',
    ['domain', 'outcome'],
  )
  const shed = metrics.counter('weft_shed_total', 'Calls refused to keep the program from overload.', ['listener'])
  const concurrency = metrics.gauge(
    'weft_concurrency_limit',
    'Calls that may wait for the program at once, as its latency tells.',
    ['listener'],
  )
  return {
    rateLimited: (limit) => rateLimited.of(limit).add(1),
    limiterAsked: (domain, outcome) => asked.of(domain, outcome).add(1),
    shed: (listener) => shed.of(listener).add(1),
    concurrency: (listener, limit) => concurrency.of(listener).set(limit),
  }
}
