import type { Socket } from 'node:net'
import { formatAddress } from '../base/address.ts'
import type { Swept } from '../base/sweeper.ts'
import { meshAlpn, meshTcpAlpn } from '../xds/names.ts'
import { dynamicEndpoint } from './along-route.ts'
import type { Address } from '../base/address.ts'
import type { Cluster, Endpoint, WeightedCluster } from './config.ts'
import type { Fault } from './http/fault.ts'
import type { Peer } from './http/service.ts'
import { pickCluster } from './route/split.ts'
import type { Shared } from './shared.ts'
import type { Snapshot } from './snapshot.ts'
import type { TcpUpstream } from './upstream/upstream.ts'

/** A raw connection and where it may go. */
export interface TcpParts {
  readonly direction: 'inbound' | 'outbound'
  readonly peer: Peer
  readonly clusters: readonly WeightedCluster[]
  /** For a cluster of discovery `dynamic-forward`: the place that was asked for. */
  readonly target: Address | undefined
  /** No byte in either direction, ms; 0: for ever. */
  readonly idleTimeoutMs: number
  readonly snapshot: Snapshot
  readonly shared: Shared
}

/** An endpoint that refuses costs nothing but time: the next one is tried, this many in all. */
const maxAttempts = 3

/**
 * Joins a paused downstream socket to an endpoint of the cluster, both ways, each with its own end. The socket is cut when none can
 * be reached.
 */
export async function serveTcp(downstream: Socket, parts: TcpParts): Promise<void> {
  const { shared, direction, peer } = parts
  const record = shared.tcp.opened(direction, peer, shared.self)
  const { cluster: name } = pickCluster(parts.clusters, shared.random)
  let gone = downstream.destroyed
  downstream.on('close', () => {
    gone = true
  })
  const upstream = await reach(name, parts)
  if ('kind' in upstream) {
    downstream.destroy()
    shared.log.debug('a raw connection was refused', { cluster: name, fault: upstream.kind })
    return record.closed({ received: 0, sent: 0 }, upstream, name)
  }
  const { socket } = upstream
  if (gone) {
    socket.destroy()
    return record.closed({ received: 0, sent: 0 }, clientGone, name)
  }
  join(downstream, socket, parts, () => {
    record.closed({ received: downstream.bytesRead, sent: downstream.bytesWritten }, undefined, name)
  })
}

const clientGone: Fault = {
  kind: 'client-gone',
  side: 'downstream',
  retry: 'never',
  cause: 'it left before the connection was made',
}

async function reach(name: string, { snapshot, shared, target }: TcpParts): Promise<TcpUpstream | Fault> {
  const cluster = snapshot.config.clusters.get(name)
  if (cluster === undefined) return { kind: 'no-cluster', side: 'self', retry: 'never', cluster: name, status: 503 }
  if (cluster.discovery === 'dynamic-forward') {
    if (target === undefined) return { kind: 'no-endpoint', side: 'upstream', retry: 'safe', cluster: name }
    return shared.upstream.connectTcp(cluster, dynamicEndpoint(target))
  }
  const balancer = snapshot.balancerOf(cluster)
  const tried: string[] = []
  let last: Fault = { kind: 'no-endpoint', side: 'upstream', retry: 'safe', cluster: name }
  while (tried.length < maxAttempts) {
    const state = balancer.pick(tried)
    if (state === undefined || tried.includes(state.address)) break
    state.activeCalls++
    const reached = await shared.upstream.connectTcp(cluster, state.endpoint, rawAlpn(cluster, state.endpoint))
    if (!('kind' in reached)) {
      reached.socket.once('close', () => void state.activeCalls--)
      balancer.report(state, 'success')
      return reached
    }
    state.activeCalls--
    last = reached
    if (reached.retry !== 'safe') break
    balancer.report(state, 'gateway-failure')
    tried.push(formatAddress(state.endpoint.address))
  }
  return last
}

/** Towards a sidecar the marker for raw bytes, or it would take them for HTTP. */
function rawAlpn({ transports }: Cluster, { transport }: Endpoint): readonly string[] | undefined {
  const secure = transports.get(transport)
  return secure?.alpn.includes(meshAlpn) === true ? [meshTcpAlpn] : undefined
}

/** Copies both ways until both ends have come; a break on one side breaks the other. */
function join(downstream: Socket, upstream: Socket, { idleTimeoutMs, shared }: TcpParts, closed: () => void): void {
  const { sweeper } = shared
  let moved = 0
  let movedMs = sweeper.nowMs
  const idle: Swept = {
    sweep(nowMs) {
      const now = downstream.bytesRead + downstream.bytesWritten
      if (now !== moved) [moved, movedMs] = [now, nowMs]
      else if (idleTimeoutMs > 0 && nowMs - movedMs >= idleTimeoutMs + sweeper.periodMs) downstream.destroy()
    },
  }
  let left = 2
  const onClose = (other: Socket) => (failed: boolean) => {
    // A clean end has been passed on by `pipe`; anything else is passed on as a break.
    if (failed || !other.writableEnded) other.destroy()
    if (--left > 0) return
    sweeper.remove(idle)
    closed()
  }
  sweeper.add(idle)
  downstream.on('error', ignore).on('close', onClose(upstream))
  upstream.on('error', ignore).on('close', onClose(downstream))
  downstream.pipe(upstream)
  upstream.pipe(downstream)
}

const ignore = (): void => {}
