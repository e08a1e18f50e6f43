import type { Hash64 } from '../../base/xx-hash.ts'
import { holds } from '../along-route.ts'
import type { Route, RouteAction, RouteTable, WeightedCluster } from '../config.ts'
import type { ClusterChoice } from './cluster.ts'
import { shareLeft } from './tried.ts'
import { latencyName, type HedgeState } from '../hedge-state.ts'
import type { Fault } from '../http/fault.ts'
import { hedgeAfterMs } from '../recovery/hedge.ts'
import { rewrite } from '../route/change-url.ts'
import { sessionOf } from '../filter/session.ts'
import type { Call } from '../http/service.ts'
import { hashOf } from '../route/hash-policy.ts'
import { clusterOfHash } from '../route/split.ts'
import type { Snapshot } from '../snapshot.ts'

/** How calls of one session find their endpoint again ("cookie cart"), and where this one's is. */
export interface ExplainedSession {
  readonly by: string
  readonly at: string | undefined
}

/** Which clusters of a route a call may go to: by its session, else by its hash where that decides, else by weights. */
export function explainSplit(
  {
    table,
    route,
    action,
  }: { readonly table: RouteTable; readonly route: Route; readonly action: RouteAction & { kind: 'forward' } },
  call: Call,
  snapshot: Snapshot,
): {
  readonly percent: (one: WeightedCluster) => number
  readonly hash: Hash64 | undefined
  readonly session: ExplainedSession | undefined
} {
  const total = action.clusters.reduce((sum, { weight }) => sum + weight, 0)
  const hash = action.hashPolicies && hashOf(action.hashPolicies, call).hash
  const session = sessionAt(route, call)
  const at = session?.at
  const kept = at === undefined ? undefined : action.clusters.find((one) => holds(one, snapshot)(at))
  const only = kept ?? (action.splitByHash && hash && clusterOfHash(action.clusters, hash))
  const whole = 100 * shareLeft(table, route, call)
  return {
    percent: (one) => (only === undefined ? (one.weight * whole) / total : one === only ? whole : 0),
    hash,
    session,
  }
}

/** The filter that routes speak to is one. */
function sessionAt({ sessions }: Route, call: Call): ExplainedSession | undefined {
  const [state] = sessions?.values() ?? []
  return state && { by: `${state.kind} ${state.name}`, at: sessionOf(state, call, 0)?.address }
}

/** When another attempt would be made, as far as it is learnt. */
export function hedgingFor(
  route: string,
  { hedging }: RouteAction & { kind: 'forward' },
  { cluster }: WeightedCluster,
  call: Call,
  hedges: HedgeState,
): Pick<ClusterChoice, 'hedging'> {
  if (hedging === undefined) return {}
  const { latency, nowMs } = hedges.of(latencyName(route, cluster), cluster)
  const afterMs = hedgeAfterMs(hedging, call, latency, nowMs())
  const { after, maxAttempts } = hedging
  const allowed = hedgeAfterMs({ ...hedging, after: { ms: 0 } }, call, latency, 0) !== undefined
  return { hedging: { ...after, maxAttempts, allowed, ...(afterMs !== undefined && { afterMs }) } }
}

/** The URL as this backend sees it: what its own policy goes by. */
export function sentAs(
  call: Call,
  { authority }: WeightedCluster,
  { path }: RouteAction & { kind: 'forward' },
): Pick<ClusterChoice, 'authority' | 'path'> {
  const sent = { ...call }
  void rewrite(authority, path)?.(() => nobody)(sent)
  return { authority: sent.authority, path: sent.path }
}
const nobody = Promise.resolve<Fault>({ kind: 'draining', side: 'self', retry: 'safe' })
