import type { RemoteInfo, Socket } from 'node:dgram'
import type { Address } from '../base/address.ts'
import type { Swept } from '../base/sweeper.ts'
import { xxHash64, type Hash64 } from '../base/xx-hash.ts'
import { healthOf, type EndpointState } from './balance/endpoint-state.ts'
import type { Cluster, Listener, UdpProxy } from './config.ts'
import type { Fault } from './http/fault.ts'
import type { Datagrams } from './listener/datagrams.ts'
import type { ListenerHandle } from './listener/listener.ts'
import { pickCluster } from './route/split.ts'
import type { ServeParts } from './serve.ts'
import { tellConnection } from './telemetry/connection-log.ts'
import type { Logs } from './telemetry/logs.ts'
import { serviceOf } from './telemetry/record.ts'
import type { UdpCounters, UdpDrop } from './telemetry/record-udp.ts'
import type { DatagramUpstream } from './upstream/datagrams.ts'

/** Serves the datagrams of one listener as it is configured now. */
export interface UdpService {
  /** Sessions to another cluster than the new one end with their next datagram. */
  update(listener: Listener): void
  /** Takes what the socket receives. */
  attach(datagrams: Datagrams, failed: (error: Error) => void): ListenerHandle
}

/** The datagrams of one source, and where they go. */
interface Session {
  readonly source: Address
  readonly state: EndpointState
  readonly upstream: DatagramUpstream
  readonly counters: UdpCounters
  readonly startedMs: number
  /** As of the configuration that it was looked at last. */
  cluster: Cluster
  /** Of the last datagram in either direction, by the sweeper's clock. */
  movedMs: number
  received: number
  sent: number
}

/** While draining, a session that is silent for so long is over, ms. */
const drainIdleMs = 1_000

/**
 * Sends what comes to an endpoint of one of the clusters, and its answers back. A source is a session and keeps its endpoint while that may be
 * used; past the cluster's limit of connections, and without an endpoint, datagrams are dropped and counted.
 */
export function serveUdp(first: Listener, { shared, current }: Pick<ServeParts, 'shared' | 'current'>): UdpService {
  const { sweeper, clock, upstream: upstreams } = shared
  let listener = first
  let draining = false
  let emptied: (() => void) | undefined
  const sessions = new Map<string, Session>()
  const countersOf = new Map<string, UdpCounters>()

  const counted = (cluster: string): UdpCounters => {
    let counters = countersOf.get(cluster)
    if (counters === undefined) countersOf.set(cluster, (counters = shared.udp.of(serviceOf(cluster))))
    return counters
  }
  const end = (key: string, session: Session, fault?: Fault): void => {
    if (!sessions.delete(key)) return
    session.upstream.close()
    session.state.activeCalls--
    session.counters.closed()
    const log = listener.udp?.accessLog
    if (log !== undefined) tell(shared.logsOf(log), session, fault)
    if (sessions.size === 0) emptied?.()
  }
  const tell = (
    logs: Logs,
    { source, startedMs, cluster, state: { endpoint }, received, sent }: Session,
    fault?: Fault,
  ): void => {
    const peer = { remote: source, local: listener.address, principal: undefined, tls: false }
    const direction = listener.direction === 'inbound' ? 'inbound' : 'outbound'
    const where = { cluster: cluster.name, origin: cluster.origin, endpoint: endpoint.address }
    tellConnection(
      logs,
      { direction, protocol: 'udp', peer, startedMs },
      { ...where, upstreamWorkload: endpoint.workload, received, sent, fault, attempts: 1 },
      clock,
    )
  }

  const begin = (
    socket: Socket,
    key: string,
    { address: host, port }: RemoteInfo,
    udp: UdpProxy,
    name: string,
  ): Session | UdpDrop => {
    const snapshot = current()
    const cluster = snapshot.config.clusters.get(name)
    if (cluster === undefined) return 'no-cluster'
    const balancer = snapshot.balancerOf(cluster)
    const state = balancer.pick([], undefined, hashOf(udp, host))
    if (state === undefined) return 'no-endpoint'
    const upstream = upstreams.openUdp(balancer.ownerOf(state).cluster, state.endpoint, {
      received(datagram) {
        session.movedMs = sweeper.nowMs
        session.sent += datagram.length
        session.counters.sent(datagram.length)
        balancer.report(state, 'success')
        socket.send(datagram, port, host, ignore)
      },
      failed(cause) {
        balancer.report(state, 'local-failure')
        const { address: endpoint } = state.endpoint
        end(key, session, { kind: 'connect-failed', side: 'upstream', retry: 'safe', endpoint, cause })
      },
    })
    if ('kind' in upstream) return upstream.kind === 'overflow' ? 'overflow' : 'no-endpoint'
    const counters = counted(name)
    const startedMs = clock.nowMs()
    const source = { host, port }
    const movedMs = sweeper.nowMs
    const session: Session = { source, state, upstream, counters, startedMs, cluster, movedMs, received: 0, sent: 0 }
    state.activeCalls++
    counters.opened()
    sessions.set(key, session)
    return session
  }
  /** May it go on where it goes? */
  const holds = (session: Session, udp: UdpProxy): boolean => {
    const { state } = session
    const { name } = session.cluster
    if (!udp.clusters.some((one) => one.cluster === name && one.weight > 0)) return false
    const snapshot = current()
    const cluster = snapshot.config.clusters.get(name)
    if (cluster === undefined) return false
    if (cluster !== session.cluster) {
      if (!snapshot.balancerOf(cluster).all.includes(state)) return false
      session.cluster = cluster
    }
    return healthOf(state) !== 'unhealthy' || snapshot.balancerOf(cluster).table().candidates.includes(state)
  }
  const take = (socket: Socket, datagram: Buffer, from: RemoteInfo): void => {
    const { udp } = listener
    if (udp === undefined) return
    const key = `${from.address} ${from.port}`
    let session: Session | UdpDrop | undefined = sessions.get(key)
    if (session !== undefined && !holds(session, udp)) {
      end(key, session)
      session = undefined
    }
    if (session === undefined) {
      if (draining) return
      const { cluster } = pickCluster(udp.clusters, shared.random)
      session = begin(socket, key, from, udp, cluster)
      if (typeof session === 'string') return counted(cluster).dropped(session)
    }
    session.movedMs = sweeper.nowMs
    if (!session.upstream.send(datagram)) return session.counters.dropped('queue-full')
    session.received += datagram.length
    session.counters.received(datagram.length)
  }

  const idle: Swept = {
    sweep(nowMs) {
      const idleMs = draining ? drainIdleMs : (listener.udp?.idleTimeoutMs ?? 0)
      for (const [key, session] of sessions) if (nowMs - session.movedMs >= idleMs + sweeper.periodMs) end(key, session)
    },
  }
  const endAll = (): void => {
    for (const [key, session] of sessions) end(key, session)
  }

  return {
    update(next) {
      listener = next
    },
    attach({ socket, stop }, failed) {
      sweeper.add(idle)
      socket.on('error', failed)
      socket.on('message', (datagram, from) => take(socket, datagram, from))
      let drained: Promise<void> | undefined
      let open = true
      const finish = (): void => {
        endAll()
        if (!open) return
        open = false
        sweeper.remove(idle)
        socket.close()
      }
      return {
        get open() {
          return sessions.size
        },
        drain(deadlineMs, patient) {
          // Another process takes what comes from now on; answers may leave still.
          if (patient === true) stop()
          drained ??= new Promise<void>((resolve) => {
            draining = true
            const timer = clock.after(deadlineMs, endAll)
            emptied = () => {
              emptied = undefined
              timer.cancel()
              finish()
              resolve()
            }
            if (sessions.size === 0) emptied()
          })
          return drained
        },
        close: finish,
      }
    },
  }
}

/** What the source is known by. Source: envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig.HashPolicy. */
function hashOf({ hash }: UdpProxy, host: string): Hash64 | undefined {
  if (hash === undefined) return undefined
  return xxHash64(hash === 'source-ip' ? host : hash.key)
}

const ignore = (): void => {}
