import type { Clock } from '../../base/clock.ts'
import { formatAddress } from '../../base/address.ts'
import type { Random } from '../../base/random.ts'
import type { Hash64 } from '../../base/xx-hash.ts'
import type { BalancerMetadata, Cluster } from '../config.ts'
import type { Trace } from '../http/service.ts'
import { healthOf, healthStatusOf, type EndpointState, type EndpointStates } from './endpoint-state.ts'
import { buildTable, type EndpointTable } from './endpoint-table.ts'
import type { LoadReport } from './load-report.ts'
import { noteAnswer, returnEjected } from './outlier.ts'
import type { Verdict } from './outlier-window.ts'
import { noteLatency } from './peak-ewma.ts'
import type { Picker } from './picker.ts'
import { levelsToAvoid } from './previous-priorities.ts'
import { noteReport } from './reported-weights.ts'
import { subsetOf } from './subset.ts'

/** Chooses endpoints of one cluster, as one configuration has it. */
export interface Balancer {
  /**
   * An endpoint that may take a new call, if possible none in `tried` (at most `furtherPicks` more tries for that, then one of the next
   * priority); undefined: there is none. O(1), with unequal weights or a ring O(log n). `hash`: what the call is known by, where that decides. `avoidEvery`: see `levelsToAvoid`.
   */
  pick(tried: Trace['tried'], furtherPicks?: number, hash?: Hash64, avoidEvery?: number): EndpointState | undefined
  /** Those of `all` that a pick may give now, and whether panic has made it so: what `pick` itself goes by. */
  table(): Pick<EndpointTable, 'candidates' | 'inPanic'>
  /** The endpoint at this address, if it may be called; undefined: it is not there, or not well. */
  named(address: string): EndpointState | undefined
  /** Every endpoint of the cluster. */
  readonly all: readonly EndpointState[]
  /** The same for calls whose route asks for a subset; undefined: asks for none. Made once for each. */
  within(match: BalancerMetadata | undefined): Balancer
  /** Tells outlier detection how a call ended. */
  report(state: EndpointState, verdict: Verdict): void
  /** Where latency decides: told how long the reply's head took, ms. Undefined where it does not. */
  readonly timed: ((state: EndpointState, elapsedMs: number, verdict: Verdict) => void) | undefined
  /** Where reports of load decide: told what an endpoint says of itself. Undefined where they do not. */
  readonly reported: ((state: EndpointState, report: LoadReport) => void) | undefined
  /** The monotonic clock, for `timed`. */
  readonly nowMs: () => number
}

/** Tables are built on first use, and again when an endpoint's health changes. */
export function createBalancer(cluster: Cluster, states: EndpointStates, random: Random, clock: Clock): Balancer {
  const nowMs = (): number => clock.nowMs()
  const shared = states.adopt(cluster, nowMs())
  const own = cluster.endpoints.flatMap((endpoint) => shared.endpoints.get(formatAddress(endpoint.address)) ?? [])
  const { loadBalancing, outlierDetection: rules, subsets, localityWeighted = false, overrideStatuses } = cluster
  const outliers = rules && { shared, endpoints: own, rules, random, nowMs }

  const common: Pick<Balancer, 'all' | 'report' | 'timed' | 'reported' | 'nowMs' | 'within'> = {
    all: own,
    nowMs,
    report(state, verdict) {
      if (outliers !== undefined) noteAnswer(outliers, state, verdict)
    },
    timed:
      loadBalancing.kind === 'peak-ewma'
        ? (state, elapsedMs, verdict) =>
            noteLatency(state, { elapsedMs, failed: verdict !== 'success' }, loadBalancing, nowMs())
        : undefined,
    reported:
      loadBalancing.kind === 'client-side-weights'
        ? (state, report) => noteReport(state, report, loadBalancing, nowMs())
        : undefined,
    within(match) {
      if (subsets === undefined) return whole
      const key = JSON.stringify(Object.entries(match ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      let view = views.get(key)
      if (view === undefined)
        views.set(key, (view = createView(subsetOf(own, subsets, match), subsets.localityWeightAware)))
      return view
    },
  }
  const views = new Map<string, Balancer>()

  function createView(endpoints: readonly EndpointState[], byLocality: boolean): Balancer {
    const parts = { cluster, localityWeighted: localityWeighted && byLocality, random, nowMs }
    let table: EndpointTable | undefined
    let version = -1
    const current = (): EndpointTable => {
      if (shared.nextReturnMs !== Infinity && shared.nextReturnMs <= nowMs()) returnEjected(shared, nowMs())
      if (
        table === undefined ||
        version !== shared.version ||
        (table.untilMs !== Infinity && table.untilMs <= nowMs())
      ) {
        table = buildTable(endpoints, parts)
        version = shared.version
      }
      return table
    }
    const priorityOf = (address: string): number | undefined => shared.endpoints.get(address)?.endpoint.priority
    const elsewhere = (now: EndpointTable, tried: Trace['tried'], every: number): Picker | undefined =>
      now.without(levelsToAvoid({ tried, every, priorityOf, others: (levels) => now.without(levels) !== undefined }))
    return {
      ...common,
      pick(tried, furtherPicks = 8, hash, avoidEvery) {
        const now = current()
        const { reserve } = now
        const pick = avoidEvery === undefined || tried.length === 0 ? now.pick : elsewhere(now, tried, avoidEvery)
        shared.used = true
        let chosen = pick?.(hash, 0)
        if (chosen === undefined || tried.length === 0) return chosen
        for (let attempt = 1; attempt <= furtherPicks && tried.includes(chosen.address); attempt++)
          chosen = pick?.(hash, attempt) ?? chosen
        if (furtherPicks === 0 || !tried.includes(chosen.address)) return chosen
        const further = reserve()?.(hash, 0)
        return further === undefined || tried.includes(further.address) ? chosen : further
      },
      table: current,
      named(address) {
        const state = shared.endpoints.get(address)
        if (state === undefined || !own.includes(state) || !endpoints.includes(state)) return undefined
        if (overrideStatuses !== undefined) return overrideStatuses.has(healthStatusOf(state)) ? state : undefined
        const health = healthOf(state)
        return health === 'healthy' || health === 'degraded' ? state : undefined
      },
    }
  }
  const whole = createView(own, true)
  return common.within(undefined)
}
