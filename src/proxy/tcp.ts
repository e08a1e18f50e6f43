import type { Socket } from 'node:net'
import { formatAddress } from '../base/address.ts'
import { xxHash64 } from '../base/xx-hash.ts'
import { meshAlpn, meshTcpAlpn } from '../xds/names.ts'
import { dynamicEndpoint } from './along-route.ts'
import type { Address } from '../base/address.ts'
import type { Cluster, Endpoint, TcpTerminal, WeightedCluster } from './config.ts'
import type { Fault } from './http/fault.ts'
import type { Peer } from './http/service.ts'
import { joinSockets, type Carried } from './join-sockets.ts'
import { originalPlace } from './original-place.ts'
import { pickCluster } from './route/split.ts'
import type { Shared } from './shared.ts'
import type { Snapshot } from './snapshot.ts'
import { tellConnection, type ConnectionEnd } from './telemetry/connection-log.ts'
import type { TcpUpstream } from './upstream/upstream.ts'

/** Where raw bytes may go, and for how long. */
export type TcpPlan = Pick<
  TcpTerminal,
  'clusters' | 'idleTimeoutMs' | 'maxDurationMs' | 'maxConnectAttempts' | 'hashBySource' | 'accessLog' | 'origin'
>

/** A raw connection and where it may go. */
export interface TcpParts {
  readonly direction: 'inbound' | 'outbound'
  readonly peer: Peer
  readonly plan: TcpPlan
  /** For a cluster of discovery `dynamic-forward`: the place that was asked for. */
  readonly target: Address | undefined
  /** A cluster that no configuration has to know. Absent: the one that the plan names. */
  readonly cluster?: Cluster
  readonly snapshot: Snapshot
  readonly shared: Shared
  /** Both ends are there: from now on the sockets do not count all their bytes. */
  readonly joined?: ((carried: () => Carried) => void) | undefined
}

/** What a raw connection gets where no configuration says otherwise. An endpoint that refuses costs nothing but time. */
export const tunnelPlan = { idleTimeoutMs: 3_600_000, maxConnectAttempts: 3 } as const

/**
 * Joins a paused downstream socket to an endpoint of the cluster, both ways, each with its own end. The socket is cut when none can
 * be reached.
 */
export async function serveTcp(downstream: Socket, parts: TcpParts): Promise<void> {
  const { shared, direction, peer, plan, snapshot } = parts
  const record = shared.tcp.opened(direction, peer, shared.self)
  const started = { direction, protocol: 'tcp', peer, startedMs: shared.clock.nowMs() } as const
  const logs = plan.accessLog && shared.logsOf(plan.accessLog)
  const over = (end: ConnectionEnd): void => {
    record.closed(end)
    if (logs !== undefined) tellConnection(logs, started, end, shared.clock)
  }
  const destination = pickCluster(plan.clusters, shared.random)
  const { cluster: name } = destination
  const cluster = parts.cluster ?? snapshot.config.clusters.get(name)
  let gone = downstream.destroyed
  downstream.on('close', () => {
    gone = true
  })
  const { upstream, attempts, endpoint } = await reach(destination, cluster, parts)
  const where = {
    cluster: name,
    origin: plan.origin ?? cluster?.origin,
    endpoint: endpoint?.address,
    upstreamWorkload: endpoint?.workload,
    attempts,
  }
  if ('kind' in upstream) {
    downstream.destroy()
    shared.log.debug('a raw connection was refused', { cluster: name, fault: upstream.kind })
    return over({ ...where, received: 0, sent: 0, fault: upstream })
  }
  const { socket, principal } = upstream
  const upstreamLocal = logs?.needs.detail === true ? localEnd(socket) : undefined
  if (gone) {
    socket.destroy()
    return over({ ...where, upstreamLocal, received: 0, sent: 0, fault: clientGone })
  }
  const { idleTimeoutMs, maxDurationMs } = plan
  const carried = joinSockets(downstream, socket, { idleTimeoutMs, maxDurationMs, sweeper: shared.sweeper }, (all) =>
    over({ ...where, upstreamPrincipal: principal, upstreamLocal, ...all, fault: undefined }),
  )
  parts.joined?.(carried)
}

/** One that a filter did not let in: nobody was asked to take it. */
export function tellRefused(
  { accessLog }: Pick<TcpTerminal, 'accessLog'>,
  { direction, peer, fault, shared }: Pick<TcpParts, 'direction' | 'peer' | 'shared'> & { readonly fault: Fault },
): void {
  if (accessLog === undefined) return
  const started = { direction, protocol: 'tcp', peer, startedMs: shared.clock.nowMs() } as const
  tellConnection(shared.logsOf(accessLog), started, { received: 0, sent: 0, fault, attempts: 0 }, shared.clock)
}

const localEnd = ({ localAddress: host, localPort: port }: Socket): Address | undefined =>
  host === undefined || port === undefined ? undefined : { host, port }

const clientGone: Fault = {
  kind: 'client-gone',
  side: 'downstream',
  retry: 'never',
  cause: 'it left before the connection was made',
}

/** Who was reached, or the last fault. */
export interface Reached {
  readonly upstream: TcpUpstream | Fault
  readonly endpoint: Endpoint | undefined
  readonly attempts: number
}

/** Opens a connection to an endpoint of the cluster; another is tried while it is safe to. */
export async function reach(
  { cluster: name, subset }: Pick<WeightedCluster, 'cluster' | 'subset'>,
  cluster: Cluster | undefined,
  { snapshot, shared, target, plan, peer }: Omit<TcpParts, 'direction'>,
): Promise<Reached> {
  const nowhere = (upstream: Fault): Reached => ({ upstream, endpoint: undefined, attempts: 0 })
  if (cluster === undefined)
    return nowhere({ kind: 'no-cluster', side: 'self', retry: 'never', cluster: name, status: 503 })
  const noEndpoint: Fault = { kind: 'no-endpoint', side: 'upstream', retry: 'safe', cluster: name }
  if (cluster.discovery === 'dynamic-forward') {
    if (target === undefined) return nowhere(noEndpoint)
    const endpoint = dynamicEndpoint(target)
    return { upstream: await shared.upstream.connectTcp(cluster, endpoint, peer), endpoint, attempts: 1 }
  }
  if (cluster.discovery === 'original-destination') {
    const address = originalPlace(cluster, peer, [])
    if (address === undefined) return nowhere(noEndpoint)
    const endpoint = dynamicEndpoint(address)
    return { upstream: await shared.upstream.connectTcp(cluster, endpoint, peer), endpoint, attempts: 1 }
  }
  const balancer = snapshot.balancerOf(cluster).within(subset)
  const hash = plan.hashBySource && xxHash64(peer.remote.host)
  const tried: string[] = []
  let last = nowhere(noEndpoint)
  while (tried.length < plan.maxConnectAttempts) {
    const state = balancer.pick(tried, undefined, hash)
    if (state === undefined || tried.includes(state.address)) break
    const { endpoint } = state
    const { cluster: own } = balancer.ownerOf(state)
    state.activeCalls++
    const upstream = await shared.upstream.connectTcp(own, endpoint, peer, rawAlpn(own, endpoint))
    last = { upstream, endpoint, attempts: tried.length + 1 }
    if (!('kind' in upstream)) {
      upstream.socket.once('close', () => void state.activeCalls--)
      balancer.report(state, 'success')
      return last
    }
    state.activeCalls--
    if (upstream.retry !== 'safe') break
    balancer.report(state, 'local-failure')
    tried.push(formatAddress(endpoint.address))
  }
  return last
}

/** Towards a sidecar the marker for raw bytes, or it would take them for HTTP. */
export function rawAlpn({ transports }: Cluster, { transport }: Endpoint): readonly string[] | undefined {
  const secure = transports.get(transport)
  return secure?.alpn.includes(meshAlpn) === true ? [meshTcpAlpn] : undefined
}
