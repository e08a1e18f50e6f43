import type { Clock } from '../../base/clock.ts'
import { formatAddress } from '../../base/address.ts'
import type { Random } from '../../base/random.ts'
import type { Hash64 } from '../../base/xx-hash.ts'
import type { Cluster } from '../config.ts'
import type { Trace } from '../http/service.ts'
import type { EndpointState, EndpointStates } from './endpoint-state.ts'
import { noteAnswer, returnEjected, type Verdict } from './outlier.ts'
import { noteLatency, peakEwma } from './peak-ewma.ts'
import { maglev } from './maglev.ts'
import { leastRequest, ownWeights, randomByWeight, roundRobin, type Choices, type Picker } from './picker.ts'
import { ringHash } from './ring-hash.ts'

/** Chooses endpoints of one cluster, as one configuration has it. */
export interface Balancer {
  /**
   * An endpoint that may take a new call, if possible none in `tried` (at most `furtherPicks` more tries for that); undefined:
   * there is none. O(1), with unequal weights or a ring O(log n). `hash`: what the call is known by, where that decides.
   */
  pick(tried: Trace['tried'], furtherPicks?: number, hash?: Hash64): EndpointState | undefined
  /** Those of `all` that a pick may give now: what `pick` itself goes by. */
  candidates(): readonly EndpointState[]
  readonly all: readonly EndpointState[]
  /** Tells outlier detection how a call ended. */
  report(state: EndpointState, verdict: Verdict): void
  /** Where latency decides: told how long the reply's head took, ms. Undefined where it does not. */
  readonly timed: ((state: EndpointState, elapsedMs: number, verdict: Verdict) => void) | undefined
  /** The monotonic clock, for `timed`. */
  readonly nowMs: () => number
}

/**
 * Of the lowest priority level that has any, the healthy endpoints that are not ejected; if it has none, the degraded ones. With a
 * panic threshold, a level with a smaller share of them is used whole. Draining endpoints get nothing new in any case.
 */
export function createBalancer(cluster: Cluster, states: EndpointStates, random: Random, clock: Clock): Balancer {
  const shared = states.adopt(cluster)
  const own = cluster.endpoints.flatMap((endpoint) => shared.endpoints.get(formatAddress(endpoint.address)) ?? [])
  const rules = cluster.outlierDetection
  const nowMs = (): number => clock.nowMs()
  const { loadBalancing } = cluster
  let version = -1
  /** When the next ejected endpoint comes back. */
  let nextReturnMs = Infinity
  let picker: Picker | undefined
  let choices: readonly EndpointState[] = []

  const refresh = (): void => {
    if (version !== shared.version || (nextReturnMs !== Infinity && nextReturnMs <= clock.nowMs())) rebuild()
  }
  const rebuild = (): void => {
    nextReturnMs = returnEjected(own, clock.nowMs())
    choices = available(own, cluster.panicThresholdPercent)
    picker = isSome(choices) ? pickerFor(cluster, choices, random, nowMs) : undefined
    version = shared.version
  }
  return {
    pick(tried, furtherPicks = 8, hash) {
      refresh()
      let chosen = picker?.(hash, 0)
      if (chosen === undefined || tried.length === 0) return chosen
      for (let attempt = 1; attempt <= furtherPicks && tried.includes(chosen.address); attempt++)
        chosen = picker?.(hash, attempt) ?? chosen
      return chosen
    },
    all: own,
    nowMs,
    timed:
      loadBalancing.kind === 'peak-ewma'
        ? (state, elapsedMs, verdict) =>
            noteLatency(state, { elapsedMs, failed: verdict !== 'success' }, loadBalancing, nowMs())
        : undefined,
    candidates() {
      refresh()
      return choices
    },
    report(state, verdict) {
      if (rules === undefined || (verdict === 'success' && state.consecutive5xx === 0)) return
      if (noteAnswer(own, state, verdict, rules, clock.nowMs())) shared.version++
    },
  }
}

function pickerFor({ loadBalancing }: Cluster, choices: Choices, random: Random, nowMs: () => number): Picker {
  const weights = ownWeights(choices)
  switch (loadBalancing.kind) {
    case 'round-robin':
      return roundRobin(choices, weights, random)
    case 'least-request':
      return leastRequest(choices, loadBalancing, weights, random)
    case 'random':
      return randomByWeight(choices, weights, random)
    case 'ring-hash':
      return ringHash(choices, loadBalancing, weights, random)
    case 'maglev':
      return maglev(choices, loadBalancing, weights, random)
    case 'peak-ewma':
      return peakEwma(choices, loadBalancing, random, nowMs)
  }
}

/** The endpoints that may be picked; empty when there is none. */
function available(all: readonly EndpointState[], panicPercent: number): readonly EndpointState[] {
  const levels = [...Map.groupBy(all, ({ endpoint }) => endpoint.priority)].toSorted(([a], [b]) => a - b)
  for (const [, level] of levels) {
    const usable = level.filter(isUsable)
    if (usable.length > 0 && usable.length * 100 >= level.length * panicPercent) return preferHealthy(usable)
    if (usable.length > 0) return level.filter(isNotDraining)
  }
  if (panicPercent === 0) return []
  return levels.map(([, level]) => level.filter(isNotDraining)).find((level) => level.length > 0) ?? []
}

const isUsable = ({ endpoint, ejected }: EndpointState): boolean =>
  !ejected && (endpoint.health === 'healthy' || endpoint.health === 'degraded')

const isNotDraining = ({ endpoint }: EndpointState): boolean => endpoint.health !== 'draining'

function preferHealthy(usable: readonly EndpointState[]): readonly EndpointState[] {
  const healthy = usable.filter(({ endpoint }) => endpoint.health === 'healthy')
  return healthy.length > 0 ? healthy : usable
}

const isSome = (states: readonly EndpointState[]): states is Choices => states.length > 0
