import type { Hash64 } from '../../base/xx-hash.ts'
import type { Origin, SettingOrigins, UpstreamTls, WeightedCluster } from '../config.ts'
import { healthOf, type EndpointState } from '../balance/endpoint-state.ts'
import type { Snapshot } from '../snapshot.ts'

/** One setting in force that a policy gave, by the policy's field. */
export interface Setting {
  readonly name: string
  readonly origin: Origin
}

/** Where a share of such requests would go. */
export interface ClusterChoice {
  readonly cluster: string
  readonly percent: number
  /** The URL as it goes there, rewritten where the route says so. */
  readonly authority: string
  readonly path: string
  /** "dns": the host that the request names is looked up when it is sent; "original destination": it goes where its connection was for. */
  readonly loadBalancing: string
  readonly origin?: Origin | undefined
  /** Another attempt is made after so long; `afterMs` absent: too little is learnt yet. `allowed`: for this method. */
  readonly hedging?: {
    readonly quantile?: number
    readonly afterMs?: number
    readonly maxAttempts: number
    readonly allowed: boolean
  }
  /** Of the service; those of the route stand beside its timeout. */
  readonly settings: readonly Setting[]
  /** So few are healthy that their health is ignored; absent: no. */
  readonly inPanic?: boolean
  /** Where the hash of this very request leads; absent: no hash decides. */
  readonly byHash?: string | undefined
  readonly endpoints: readonly {
    readonly address: string
    readonly workload?: string | undefined
    /** It may be picked now. */
    readonly candidate: boolean
    readonly health: string
    readonly ejected: boolean
    /** The rule of outlier detection by which it was, while it is. */
    readonly ejectedFor?: string | undefined
    /** How long it will be, ms. */
    readonly ejectedForMs?: number
    /** Why the last active check failed; absent: it did not, or there is none. */
    readonly checkFailed?: string
    readonly activeCalls: number
    /** With a certificate of ours, without, or plain text. */
    readonly transport: 'mTLS' | 'TLS' | 'plain text'
    /** Asked for in TLS; absent: nothing is. */
    readonly serverName?: string | undefined
    /** "region/zone/sub-zone"; "": nobody says. */
    readonly locality: string
    /** 0: asked first; the others as far as those before them are not healthy enough. */
    readonly priority: number
  }[]
}

/** One cluster of a route with its endpoints as the balancer sees them now. Picks nothing that would change a turn. */
export function explainCluster(
  { cluster: name, subset }: WeightedCluster,
  percent: number,
  hash: Hash64 | undefined,
  snapshot: Snapshot,
): Omit<ClusterChoice, 'authority' | 'path'> {
  const cluster = snapshot.config.clusters.get(name)
  if (cluster === undefined)
    return {
      cluster: name,
      percent,
      loadBalancing: 'none: this proxy has no such cluster',
      settings: [],
      endpoints: [],
    }
  const settings = settingsList(cluster.settings)
  if (cluster.discovery === 'dynamic-forward')
    return { cluster: name, percent, loadBalancing: 'dns', settings, endpoints: [] }
  if (cluster.discovery === 'original-destination')
    return { cluster: name, percent, loadBalancing: 'original destination', settings, endpoints: [] }
  const balancer = snapshot.balancerOf(cluster).within(subset)
  const { inPanic, ...table } = balancer.table()
  const candidates = new Set(table.candidates)
  const { kind } = cluster.loadBalancing
  const transportTo = (state: EndpointState): UpstreamTls | undefined =>
    balancer.ownerOf(state).cluster.transports.get(state.endpoint.transport)
  const isHashed = hash !== undefined && (kind === 'ring-hash' || kind === 'maglev')
  return {
    cluster: name,
    percent,
    loadBalancing: cluster.members === undefined ? kind : `priority over ${cluster.members.join(', ')}`,
    origin: cluster.origin,
    settings,
    inPanic,
    ...(isHashed && { byHash: balancer.pick([], 0, hash)?.address }),
    endpoints: balancer.all.map((state) => ({
      address: state.address,
      workload: state.endpoint.workload,
      candidate: candidates.has(state),
      health: healthOf(state),
      ejected: state.ejected,
      ...(state.ejected && {
        ejectedFor: state.ejectedFor,
        ejectedForMs: Math.ceil(state.ejectedUntilMs - balancer.nowMs()),
      }),
      ...(state.probe !== undefined && state.probe.why !== '' && { checkFailed: state.probe.why }),
      activeCalls: state.activeCalls,
      transport: transportOf(transportTo(state)),
      serverName: transportTo(state)?.sni,
      locality: state.endpoint.locality,
      priority: state.endpoint.priority,
    })),
  }
}

const transportOf = (tls: UpstreamTls | undefined): ClusterChoice['endpoints'][number]['transport'] => {
  if (tls === undefined) return 'plain text'
  return tls.certificate === undefined ? 'TLS' : 'mTLS'
}

/** Which policy gave what, as a list. */
export const settingsList = (settings: SettingOrigins = new Map()): readonly Setting[] =>
  Array.from(settings, ([name, origin]) => ({ name, origin }))
