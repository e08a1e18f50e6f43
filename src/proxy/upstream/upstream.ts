import type { Socket } from 'node:net'
import { formatAddress, isSocketPath } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import type { Sweeper } from '../../base/sweeper.ts'
import type { Cluster, Endpoint, Secrets } from '../config.ts'
import type { Fault } from '../http/fault.ts'
import { headerValue } from '../http/headers.ts'
import { isFault, trailersOnlyStatus, type Call, type Reply } from '../http/service.ts'
import { createConnect, provenBy, sourceFor, type ConnectParts, type ProvenTls } from './connect.ts'
import { openDatagrams, type DatagramEvents, type DatagramUpstream } from './datagrams.ts'
import { keepAlive } from './lifetime.ts'
import { MultiplexPool, type MultiplexedCodec } from './multiplex-pool.ts'
import { isMadeUp } from '../config/made-up.ts'
import { protocolsOf, speaking } from './speaking.ts'
import { writeProxyHeader, type ProxiedFrom } from './proxy-header.ts'
import { EndpointPool, overflow, type ClientCodec, type Counts, type PoolParts } from './pool.ts'

/** What an upstream needs from outside. */
export interface UpstreamParts {
  readonly codec: ClientCodec
  /** For clusters of HTTP/2. */
  readonly multiplexed: MultiplexedCodec
  readonly secrets: Secrets
  /** Reply header by which a mesh peer says how its program failed the request; stripped when anybody else says it. */
  readonly upstreamFaultHeader: string
  readonly dial?: ConnectParts['dial']
  readonly room?: ConnectParts['room']
  readonly clock: Clock
  readonly sweeper: Sweeper
  readonly random: Random
}

/** A raw connection for a TCP stack, and the SPIFFE ID that was proven on it. */
export interface TcpUpstream {
  readonly socket: Socket
  readonly principal: string | undefined
}

/** Sends calls to endpoints: the only layer that owns sockets towards them. Its state outlives configurations. */
export interface Upstream {
  /** Sends one attempt to one endpoint of the cluster, as this configuration has it. */
  send(cluster: Cluster, endpoint: Endpoint, call: Call): Promise<Reply | Fault>
  /** Opens a connection of its own. The caller must read, and destroy it; it counts in the cluster's limits until it closes. */
  connectTcp(
    cluster: Cluster,
    endpoint: Endpoint,
    from: ProxiedFrom,
    alpn?: readonly string[],
  ): Promise<TcpUpstream | Fault>
  /** Opens a socket of its own for datagrams; it counts as a connection in the cluster's limits until it closes. */
  openUdp(cluster: Cluster, endpoint: Endpoint, events: DatagramEvents): DatagramUpstream | Fault
  /** Endpoints and clusters that are in no configuration any more lose their idle connections. */
  adopt(clusters: ReadonlyMap<string, Cluster>): void
  /** A call, a raw connection or a session is under way to this cluster. */
  isBusy(cluster: string): boolean
  /** Counts for the dump, by cluster; of ordinary calls, or of those of high priority. */
  describe(priority?: 'high'): Readonly<Record<string, UpstreamCounts>>
  close(): void
}
export interface UpstreamCounts {
  readonly connections: number
  readonly pending: number
  readonly requests: number
  readonly endpoints: Readonly<Record<string, { readonly connections: number; readonly idle: number }>>
}

type Pool = EndpointPool | MultiplexPool

interface ClusterState {
  readonly counts: Counts
  readonly pools: Map<string, Pool>
  /** The pool of each endpoint that connections may be shared to. */
  byEndpoint: WeakMap<Endpoint, Pool>
  /** Where servers choose: those that did not choose HTTP/2 last, by the name of their pool. */
  readonly withoutHttp2: Set<string>
  seen: Cluster
}

/** Pools are kept by cluster name, priority, endpoint address and transport, so that a new configuration finds them again. */
export function createUpstream(parts: UpstreamParts): Upstream {
  const { sweeper, secrets } = parts
  const connect = createConnect(parts)
  const clusters = new Map<string, ClusterState>()
  /** For calls of high priority, which share nothing with the others. */
  const high = new Map<string, ClusterState>()
  const priorities = [clusters, high]
  const poolParts: PoolParts = {
    connect,
    codec: parts.codec,
    sweeper,
    random: parts.random,
    stillProven: (proof, secure) => provenBy(proof, secure, secrets, parts.clock.wallMs()),
    isStale: ({ own, certificate }: ProvenTls) => own && certificate !== secrets.certificate('own'),
  }

  const stateOf = (cluster: Cluster): ClusterState => {
    const states = cluster.priority === 'high' ? high : clusters
    let state = states.get(cluster.name)
    if (state === undefined) {
      const counts = { connections: 0, pending: 0, requests: 0 }
      state = { counts, pools: new Map(), byEndpoint: new WeakMap(), withoutHttp2: new Set(), seen: cluster }
      states.set(cluster.name, state)
    }
    if (state.seen !== cluster) see(state, cluster)
    return state
  }
  /** Where each connection says who asks, nobody else's calls may go on it: a pool for each downstream. */
  const poolFrom = (state: ClusterState, cluster: Cluster, endpoint: Endpoint, from: ProxiedFrom): Pool => {
    const key = `${poolKey(endpoint, cluster.upstreamProtocol, cluster)} for ${formatAddress(from.remote)}`
    const known = state.pools.get(key)
    if (known !== undefined) return known
    const pool = newPool(state, cluster, endpoint, headerFor(cluster, endpoint, from))
    state.pools.set(key, pool)
    return pool
  }
  const newPool = (
    { counts }: ClusterState,
    { upstreamProtocol, sourceAddresses: from }: Cluster,
    { address, moreAddresses }: Endpoint,
    header?: Buffer,
  ): Pool => {
    const of: PoolParts =
      header === undefined && moreAddresses === undefined && from === undefined
        ? poolParts
        : {
            ...poolParts,
            connect: (to, ms, secure, name) => connect(to, ms, secure, name, { header, moreAddresses, from }),
          }
    return upstreamProtocol === 'h2'
      ? new MultiplexPool(address, counts, of, parts.multiplexed)
      : new EndpointPool(address, counts, of)
  }
  const poolOf = (state: ClusterState, cluster: Cluster, endpoint: Endpoint): Pool => {
    const { upstreamProtocol } = cluster
    const multiplexed = upstreamProtocol === 'h2'
    const known = state.byEndpoint.get(endpoint)
    if (known !== undefined && !known.forgotten && known instanceof MultiplexPool === multiplexed) return known
    const key = poolKey(endpoint, upstreamProtocol, cluster)
    let pool = state.pools.get(key)
    if (pool === undefined) {
      pool = newPool(state, cluster, endpoint)
      state.pools.set(key, pool)
    }
    state.byEndpoint.set(endpoint, pool)
    return pool
  }

  const swept = {
    sweep(nowMs: number): void {
      for (const states of priorities)
        for (const [name, { counts, pools, seen }] of states) {
          for (const [key, pool] of pools) {
            if (!pool.sweep(nowMs, seen.idleTimeoutMs)) continue
            pool.forgotten = true
            pools.delete(key)
          }
          if (pools.size === 0 && counts.connections + counts.requests === 0) states.delete(name)
        }
    },
  }
  sweeper.add(swept)

  /** Makes room by closing an idle connection of another endpoint. */
  const makeRoom = (state: ClusterState): void => {
    for (const pool of state.pools.values()) if (pool.giveUpOne()) return
  }

  /** To a server that chooses: HTTP/2 unless it is known not to, and then the other. */
  const negotiate = async (state: ClusterState, cluster: Cluster, endpoint: Endpoint, call: Call) => {
    const { withoutHttp2 } = state
    const key = poolKey(endpoint, 'http/1.1', cluster)
    if (!withoutHttp2.has(key)) {
      const answer = await sendBy(state, speaking(cluster, 'h2'), endpoint, call)
      if (!isFault(answer) || answer.kind !== 'tls-failed' || answer.notHttp2 !== true) return answer
      withoutHttp2.add(key)
    }
    const answer = await sendBy(state, speaking(cluster, 'http/1.1'), endpoint, call)
    // It may have changed its mind: the next call asks again.
    if (isFault(answer) && answer.kind === 'tls-failed') withoutHttp2.delete(key)
    return answer
  }
  const sendBy = (state: ClusterState, cluster: Cluster, endpoint: Endpoint, call: Call): Promise<Reply | Fault> => {
    const { counts } = state
    const pool =
      cluster.proxyHeaders?.has(endpoint.transport) === true
        ? poolFrom(state, cluster, endpoint, call.peer)
        : poolOf(state, cluster, endpoint)
    if (counts.connections >= cluster.limits.maxConnections && pool.idleCount === 0) makeRoom(state)
    return pool.send(cluster, endpoint, call)
  }

  return {
    send(cluster, endpoint, call) {
      const state = stateOf(cluster)
      const { counts } = state
      if (counts.requests >= cluster.limits.maxRequests)
        return Promise.resolve(overflow(cluster, 'requests', cluster.limits.maxRequests))
      counts.requests++
      const { protocolBy } = cluster
      const answered =
        protocolBy === undefined
          ? sendBy(state, cluster, endpoint, call)
          : protocolBy === 'alpn'
            ? negotiate(state, cluster, endpoint, call)
            : sendBy(state, speaking(cluster, call.protocol === 'h2' ? 'h2' : 'http/1.1'), endpoint, call)
      return answered.then((answer) => {
        if (isFault(answer)) {
          counts.requests--
          return answer
        }
        call.onEnd(() => void counts.requests--)
        return readMarker(answer, call, endpoint, parts.upstreamFaultHeader)
      })
    },
    async connectTcp(cluster, endpoint, from, alpn) {
      const { counts } = stateOf(cluster)
      if (counts.connections >= cluster.limits.maxConnections)
        return overflow(cluster, 'connections', cluster.limits.maxConnections)
      const own = cluster.transports.get(endpoint.transport)
      const secure = own === undefined || alpn === undefined ? own : { ...own, alpn }
      counts.connections++
      const connected = await connect(endpoint.address, cluster.connectTimeoutMs, secure, cluster.name, {
        header: headerFor(cluster, endpoint, from),
        moreAddresses: endpoint.moreAddresses,
        from: cluster.sourceAddresses,
      })
      if ('kind' in connected) {
        counts.connections--
        return connected
      }
      connected.socket.once('close', () => void counts.connections--)
      keepAlive(connected.socket, cluster)
      return { socket: connected.socket, principal: connected.tls?.principal }
    },
    openUdp(cluster, endpoint, { received, failed }) {
      const { counts } = stateOf(cluster)
      if (isSocketPath(endpoint.address.host))
        return {
          kind: 'connect-failed',
          side: 'upstream',
          retry: 'safe',
          endpoint: endpoint.address,
          cause: 'datagrams have no Unix sockets here',
        }
      if (counts.connections >= cluster.limits.maxConnections)
        return overflow(cluster, 'connections', cluster.limits.maxConnections)
      counts.connections++
      let open = true
      const gone = (): void => {
        if (open) counts.connections--
        open = false
      }
      const { sourceAddresses } = cluster
      const from = sourceAddresses && sourceFor(endpoint.address, sourceAddresses)
      const opened = openDatagrams(endpoint.address, from, {
        received,
        failed(cause) {
          gone()
          failed(cause)
        },
      })
      return {
        send: (datagram) => opened.send(datagram),
        close() {
          gone()
          opened.close()
        },
      }
    },
    adopt(current) {
      for (const states of priorities)
        for (const [name, state] of states) {
          const cluster = current.get(name)
          if (cluster === state.seen || (cluster !== undefined && isMadeUp(cluster))) continue
          const wanted = new Set(
            cluster?.endpoints.flatMap((endpoint) =>
              protocolsOf(cluster).map((one) => poolKey(endpoint, one, cluster)),
            ),
          )
          for (const [key, pool] of state.pools) if (!wanted.has(key)) pool.retire()
          for (const key of state.withoutHttp2) if (!wanted.has(key)) state.withoutHttp2.delete(key)
          if (cluster !== undefined) see(state, cluster)
        }
    },
    isBusy: (name) => priorities.some((states) => isAtWork(states.get(name))),
    describe: (priority) =>
      Object.fromEntries(
        [...(priority === 'high' ? high : clusters)].map(([name, state]) => [name, describeState(state)]),
      ),
    close() {
      sweeper.remove(swept)
      for (const states of priorities)
        for (const { pools } of states.values()) for (const pool of pools.values()) pool.retire()
    },
  }
}

/** The newest one is known. Its endpoints may be the same, and be called from elsewhere. */
function see(state: ClusterState, cluster: Cluster): void {
  if (cluster.sourceAddresses !== state.seen.sourceAddresses) state.byEndpoint = new WeakMap()
  state.seen = cluster
}

/** Something is under way, on pooled connections or on others. */
function isAtWork(state: ClusterState | undefined): boolean {
  if (state === undefined) return false
  let pooled = 0
  for (const pool of state.pools.values()) pooled += pool.connectionCount
  const { requests, pending, connections } = state.counts
  return requests + pending > 0 || connections > pooled
}

const headerFor = ({ proxyHeaders }: Cluster, { transport }: Endpoint, from: ProxiedFrom): Buffer | undefined => {
  const version = proxyHeaders?.get(transport)
  return version && writeProxyHeader(version, from)
}

/** As the dump shows it: addresses and transport; then the protocol, unless it is HTTP/1.1, and where connections come from, if that is said. */
export const poolKey = (
  { address, moreAddresses = [], transport }: Endpoint,
  protocol: Cluster['upstreamProtocol'],
  { sourceAddresses }: Pick<Cluster, 'sourceAddresses'>,
): string =>
  `${[address, ...moreAddresses].map(formatAddress).join()} ${transport}`.trim() +
  (protocol === 'h2' ? ' h2' : '') +
  (sourceAddresses === undefined ? '' : ` from ${sourceAddresses.map(formatAddress).join()}`)

function describeState({ counts, pools }: ClusterState): UpstreamCounts {
  const endpoints = [...pools].map(
    ([key, pool]) => [key, { connections: pool.connectionCount, idle: pool.idleCount }] as const,
  )
  return { ...counts, endpoints: Object.fromEntries(endpoints) }
}

/** Only a peer that has proven its identity is believed; from others the marker is noise, and goes no further. */
function readMarker(reply: Reply, call: Call, endpoint: Endpoint, marker: string): Reply | Fault {
  const told = headerValue(reply.headers, marker)
  if (told === undefined) return reply
  const failed = reply.status === 503 || trailersOnlyStatus(reply) !== undefined
  if (failed && call.trace.upstreamPrincipal !== undefined) {
    drain(reply)
    return told === 'reset' ? programReset(call, endpoint) : notProcessed(endpoint)
  }
  return { ...reply, headers: reply.headers.filter(({ name }) => name !== marker) }
}

const notProcessed = ({ address }: Endpoint): Fault => ({
  kind: 'not-processed',
  side: 'upstream',
  retry: 'safe',
  endpoint: address,
  cause: 'the sidecar there could not reach its program',
})

const programReset = ({ trace }: Call, { address }: Endpoint): Fault => ({
  kind: 'reset',
  side: 'upstream',
  retry: 'if-idempotent',
  endpoint: address,
  // The head reached the program: at least one byte, whatever was counted here.
  sentBytes: Math.max(1, trace.bytesSent),
  cause: 'its program broke off before it answered',
})

/** Reads a short body away, so that the connection can be used again. */
function drain({ body }: Reply): void {
  body.start({ data: () => true, end() {}, fail() {} })
}
