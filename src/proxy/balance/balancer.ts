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
import { pickFrom } from './pick-from.ts'
import { noteReport } from './reported-weights.ts'
import { subsetOf } from './subset.ts'
import { zoneDefaults } from './zone-aware.ts'

/** Chooses endpoints of one cluster, as one configuration has it. */
export interface Balancer {
  readonly cluster: Cluster
  /** Whose endpoint it is: itself, but for a cluster that is made of others. What is sent there, and told of it, is that cluster's. */
  ownerOf(state: EndpointState): Balancer
  /** Notes that somebody of it was picked elsewhere. */
  touch(): void
  /**
   * An endpoint that may take a new call, none in `tried` while there is another (`furtherPicks` more picks for that, then the least busy one,
   * then one of the next priority; 0: whoever is picked); undefined: there is none. O(1), with unequal weights or a ring O(log n). `hash`: what the call is known by, where that decides. `avoidEvery`: see `levelsToAvoid`.
   */
  pick(tried: Trace['tried'], furtherPicks?: number, hash?: Hash64, avoidEvery?: number): EndpointState | undefined
  /** Those of `all` that a pick may give now, and whether panic has made it so: what `pick` itself goes by. */
  table(): Pick<EndpointTable, 'candidates' | 'inPanic' | 'levels'>
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

/** Tables are built on first use, and again when an endpoint's health changes. `place`: where the proxy is, and the cluster that it belongs to. */
export function createBalancer(
  cluster: Cluster,
  states: EndpointStates,
  random: Random,
  clock: Clock,
  place?: { readonly locality: string; readonly peers: Balancer },
): Balancer {
  const nowMs = (): number => clock.nowMs()
  const shared = states.adopt(cluster, nowMs())
  const own = cluster.endpoints.flatMap((endpoint) => shared.endpoints.get(formatAddress(endpoint.address)) ?? [])
  const { loadBalancing, outlierDetection: rules, subsets, localityWeighted = false, overrideStatuses } = cluster
  const outliers = rules && { shared, endpoints: own, rules, random, nowMs }

  const common: Pick<Balancer, 'cluster' | 'touch' | 'all' | 'report' | 'timed' | 'reported' | 'nowMs' | 'within'> = {
    cluster,
    touch: () => void (shared.used = true),
    all: own,
    nowMs,
    report(state, verdict) {
      state.isCut = verdict === 'local-failure'
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
      const key = subsetKey(match)
      let view = views.get(key)
      if (view === undefined)
        views.set(key, (view = createView(subsetOf(own, subsets, match), subsets.localityWeightAware)))
      return view
    },
  }
  const views = new Map<string, Balancer>()

  function createView(endpoints: readonly EndpointState[], byLocality: boolean): Balancer {
    const zone = place && {
      rules: cluster.zoneAware ?? zoneDefaults,
      locality: place.locality,
      peers: place.peers.all,
      panicPercent: cluster.panicThresholdPercent,
    }
    const parts = { cluster, localityWeighted: localityWeighted && byLocality, zone, random, nowMs }
    let peers: unknown
    let table: EndpointTable | undefined
    let version = -1
    const current = (): EndpointTable => {
      if (shared.nextReturnMs !== Infinity && shared.nextReturnMs <= nowMs()) returnEjected(shared, nowMs())
      const now = place?.peers.table()
      if (
        table === undefined ||
        now !== peers ||
        version !== shared.version ||
        (table.untilMs !== Infinity && table.untilMs <= nowMs())
      ) {
        table = buildTable(endpoints, parts)
        version = shared.version
        peers = now
      }
      return table
    }
    const priorityOf = (address: string): number | undefined => shared.endpoints.get(address)?.endpoint.priority
    const view: Balancer = {
      ...common,
      ownerOf: () => view,
      pick(tried, furtherPicks = 8, hash, avoidEvery) {
        shared.used = true
        const now = current()
        if (tried.length === 0) return now.pick?.(hash, 0)
        return pickFrom(now, { tried, furtherPicks, hash, avoidEvery, priorityOf })
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
    return view
  }
  const whole = createView(own, true)
  return common.within(undefined)
}

/** One name for all that ask for the same subset. */
export const subsetKey = (match: BalancerMetadata | undefined): string =>
  JSON.stringify(Object.entries(match ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)))
