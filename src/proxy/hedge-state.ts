import type { Clock } from '../base/clock.ts'
import { learnedQuantile, type LearnedQuantile } from '../base/learned-quantile.ts'
import { createTimerWheel } from '../base/timer-wheel.ts'
import type { ProxyConfig } from './config.ts'
import type { HedgeParts } from './recovery/hedge.ts'
import type { Metrics } from './telemetry/metrics.ts'

/** What hedging has learnt; outlives every configuration. */
export interface HedgeState {
  /** `latencyName`: whose latency is learnt; `cluster`: where hedges are counted. */
  of(latencyName: string, cluster: string): Omit<HedgeParts, 'budget'>
  /** Forgets the routes that have no hedging any more. */
  retain(config: ProxyConfig): void
}

/** A route's calls to one cluster are alike enough to learn from. */
export const latencyName = (route: string, cluster: string): string => `${route} ${cluster}`

/** What was true longer ago than twice this is forgotten, ms. */
const windowMs = 30_000
/** A percentile of a few ms would mean nothing with the proxy's usual ticks. */
const tickMs = 1

/** Nothing is learnt yet. */
export function createHedgeState(clock: Clock, metrics: Metrics): HedgeState {
  const latencies = new Map<string, LearnedQuantile>()
  const wheel = createTimerWheel(clock, tickMs)
  const nowMs = (): number => clock.nowMs()
  const hedges = metrics.counter(
    'weft_hedges_total',
    'Calls that waited long enough for another attempt: it won, it lost, or the retry budget had no room for it.',
    ['cluster', 'outcome'],
  )
  return {
    of(name, cluster) {
      let latency = latencies.get(name)
      if (latency === undefined) latencies.set(name, (latency = learnedQuantile(windowMs)))
      return { latency, wheel, nowMs, hedged: (outcome) => hedges.of(cluster, outcome).add(1) }
    },
    retain({ routes, listeners }) {
      if (latencies.size === 0) return
      const names = new Set<string>()
      const inline = [...listeners.values()].flatMap(({ filterChains, defaultFilterChain }) =>
        [...filterChains, defaultFilterChain].flatMap((chain) =>
          chain?.terminal.kind === 'http' && 'inline' in chain.terminal.routes ? [chain.terminal.routes.inline] : [],
        ),
      )
      for (const { virtualHosts } of [...routes.values(), ...inline])
        for (const host of virtualHosts)
          for (const { name, action } of host.routes)
            if (action.kind === 'forward' && action.hedging !== undefined)
              for (const { cluster } of action.clusters) names.add(latencyName(name, cluster))
      for (const name of latencies.keys()) if (!names.has(name)) latencies.delete(name)
    },
  }
}
