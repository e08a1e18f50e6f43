import type { Address } from '../../base/address.ts'
import type { Sweeper } from '../../base/sweeper.ts'
import type { Cluster, Endpoint, UpstreamTls } from '../config.ts'
import type { Fault } from '../http/fault.ts'
import type { Call, Reply } from '../http/service.ts'
import type { Socket } from 'node:net'
import { offering, type ProvenTls } from './connect.ts'
import { tellConnection } from './tell-connection.ts'
import { isSpent, keepAlive, lifetimeOf, type Lifetime } from './lifetime.ts'
import { overflow, type Counts, type EndpointPool, type PoolParts } from './pool.ts'

/** A connection that a codec owns; many calls at a time. */
export interface MultiplexedConnection {
  send(call: Call): Promise<Reply | Fault>
  /** Calls that may be added now; 0 for good when it takes no more. */
  readonly room: number
  readonly active: number
  /** Calls at a time, once the peer has said how many. */
  readonly capacity: number | undefined
  /** No more calls; closes after the last. */
  drain(): void
  destroy(): void
}

/** Makes a connection speak: the HTTP/2 client codec. */
export type MultiplexedCodec = (
  socket: Socket,
  parts: {
    readonly endpoint: Address
    readonly sweeper: Sweeper
    readonly changed: (connection: MultiplexedConnection) => void
    readonly closed: (connection: MultiplexedConnection) => void
    readonly keepAliveMs: number
    /** How long it has to answer, ms, and whether it is asked without calls too; absent: as the codec has it. */
    readonly pongMs?: number | undefined
    readonly asksIdle?: boolean | undefined
    /** Calls at a time until the peer has said how many. */
    readonly assumedStreams: number | undefined
  },
) => MultiplexedConnection

/** A server with calls in flight that has said nothing for so long is asked whether it lives, ms. */
const keepAliveMs = 30_000
/** One new connection for so many calls that wait. */
const callsPerNew = 100

interface Shared extends Lifetime {
  readonly socket: Socket
  readonly proof: ProvenTls | undefined
  readonly connection: MultiplexedConnection
  /** Since when no call was on it. */
  idleSinceMs: number
}

interface Waiting {
  readonly secure: UpstreamTls | undefined
  readonly serve: (shared: Shared) => void
  readonly fail: (fault: Fault) => void
}

/**
 * The shared connections to one endpoint: one, until its streams run out. The first with room is used, so that the rest can go idle. To
 * an endpoint of several workers as many as these while calls overlap, and the one with the fewest calls is used: a connection is
 * served by one worker, for its whole life.
 */
export class MultiplexPool implements Pick<
  EndpointPool,
  'send' | 'retire' | 'giveUpOne' | 'sweep' | 'idleCount' | 'connectionCount' | 'forgotten'
> {
  forgotten = false
  readonly #address: Address
  readonly #counts: Counts
  readonly #parts: PoolParts
  readonly #codec: MultiplexedCodec
  #open: Shared[] = []
  #waiting: Waiting[] = []
  #opening = 0
  #connections = 0
  /** What the endpoint said last. */
  #capacity: number | undefined
  #retired = false
  #usedMs: number

  constructor(address: Address, counts: Counts, parts: PoolParts, codec: MultiplexedCodec) {
    this.#address = address
    this.#counts = counts
    this.#parts = parts
    this.#codec = codec
    this.#usedMs = parts.sweeper.nowMs
  }

  /** Sends on a connection with room, else waits for one; `overflow` past the cluster's limits. */
  send(cluster: Cluster, endpoint: Endpoint, call: Call): Promise<Reply | Fault> {
    const secure = cluster.transports.get(endpoint.transport)
    this.#retired = false
    this.#usedMs = this.#parts.sweeper.nowMs
    const shared =
      endpoint.workers === undefined ? this.#withRoom(secure) : this.#leastBusy(cluster, endpoint.workers, secure)
    if (shared !== undefined) return exchange(shared, call)
    const { maxPendingRequests } = cluster.limits
    if (this.#counts.pending >= maxPendingRequests)
      return Promise.resolve(overflow(cluster, 'pending requests', maxPendingRequests))
    return this.#wait(cluster, secure, call)
  }

  get idleCount(): number {
    let count = 0
    for (const { connection } of this.#open) if (connection.room > 0) count++
    return count
  }
  get connectionCount(): number {
    return this.#connections
  }

  /** The endpoint is no longer in use: connections go after their calls. */
  retire(): void {
    this.#retired = true
    for (const { connection } of this.#open.slice()) connection.drain()
  }

  giveUpOne(): boolean {
    const idle = this.#open.find(({ connection }) => connection.active === 0)
    idle?.connection.drain()
    return idle !== undefined
  }

  /** Closes what has been idle too long, and lets go of what has an old certificate. True: nothing is left, the pool may go. */
  sweep(nowMs: number, idleTimeoutMs: number): boolean {
    const { periodMs } = this.#parts.sweeper
    let staleLeft = Math.ceil(this.#open.length / 5)
    for (const one of this.#open.slice()) {
      if (one.connection.active > 0) one.idleSinceMs = nowMs
      const stale = one.proof !== undefined && this.#parts.isStale(one.proof) && staleLeft-- > 0
      const idle = idleTimeoutMs > 0 && nowMs - one.idleSinceMs > idleTimeoutMs + periodMs
      if (stale || idle || isSpent(one, nowMs)) one.connection.drain()
    }
    return this.#connections === 0 && this.#waiting.length === 0 && nowMs - this.#usedMs > 60_000
  }

  #withRoom(secure: UpstreamTls | undefined): Shared | undefined {
    for (const one of this.#open) {
      if (one.connection.room === 0) continue
      if (this.#fits(one, secure) && !isSpent(one, this.#parts.sweeper.nowMs)) return one
      // What was proven on it would not pass today, or it has had its time: its calls end, and it goes.
      one.connection.drain()
      return this.#withRoom(secure)
    }
    return undefined
  }

  /** One more connection is opened for later calls when every one is busy and there are fewer than workers. */
  #leastBusy(cluster: Cluster, workers: number, secure: UpstreamTls | undefined): Shared | undefined {
    const first = this.#withRoom(secure)
    if (first === undefined || first.connection.active === 0) return first
    let least = first
    for (const one of this.#open) {
      const { active, room } = one.connection
      if (active >= least.connection.active || room === 0) continue
      if (this.#fits(one, secure) && !isSpent(one, this.#parts.sweeper.nowMs)) least = one
    }
    if (least.connection.active > 0 && this.#connections < workers && !this.#isFull(cluster))
      void this.#openOne(cluster, secure)
    return least
  }

  #isFull({ limits: { maxConnections, maxConnectionsPerEndpoint = Infinity } }: Cluster): boolean {
    return this.#counts.connections >= maxConnections || this.#connections >= maxConnectionsPerEndpoint
  }

  #fits({ proof }: Shared, secure: UpstreamTls | undefined): boolean {
    if (proof === undefined) return secure === undefined
    return secure !== undefined && this.#parts.stillProven(proof, secure)
  }

  #wait(cluster: Cluster, secure: UpstreamTls | undefined, call: Call): Promise<Reply | Fault> {
    this.#counts.pending++
    return new Promise((resolve) => {
      let waits = true
      const stop = (): boolean => {
        if (!waits) return false
        waits = false
        this.#counts.pending--
        this.#waiting = this.#waiting.filter((other) => other !== one)
        return true
      }
      const one: Waiting = {
        secure,
        serve: (shared) => stop() && resolve(exchange(shared, call)),
        fail: (fault) => stop() && resolve(fault),
      }
      call.onCancel(one.fail)
      if (!waits) return
      this.#waiting.push(one)
      this.#openMore(cluster, secure)
    })
  }

  /** Opens a connection when those that are being opened will not do. */
  #openMore(cluster: Cluster, secure: UpstreamTls | undefined): void {
    if (this.#waiting.length <= this.#opening * callsPerNew) return
    // An endpoint without any connection may open one past the limit: nobody would ever free one for it.
    if (this.#isFull(cluster) && this.#connections > 0) return
    void this.#openOne(cluster, secure)
  }

  async #openOne(cluster: Cluster, secure: UpstreamTls | undefined): Promise<void> {
    this.#opening++
    this.#connections++
    this.#counts.connections++
    const connected = await this.#parts.connect(
      this.#address,
      cluster.connectTimeoutMs,
      offering('h2', secure),
      cluster.name,
    )
    this.#opening--
    if ('kind' in connected) return this.#failed(connected)
    const { socket, tls } = connected
    if (tls !== undefined && !('alpnProtocol' in socket && socket.alpnProtocol === 'h2')) {
      socket.destroy()
      const cause = 'it does not speak HTTP/2'
      return this.#failed({
        kind: 'tls-failed',
        side: 'upstream',
        retry: 'safe',
        endpoint: this.#address,
        cause,
        notHttp2: true,
      })
    }
    const ping = cluster.connections?.ping
    const connection = this.#codec(socket, {
      endpoint: this.#address,
      sweeper: this.#parts.sweeper,
      keepAliveMs: ping?.silentMs ?? keepAliveMs,
      pongMs: ping?.answerMs,
      asksIdle: ping !== undefined,
      assumedStreams: this.#capacity,
      changed: (changed) => {
        this.#capacity = changed.capacity ?? this.#capacity
        this.#changed()
        this.#openForWaiting(cluster)
      },
      closed: (closed) => {
        this.#open = this.#open.filter((one) => one.connection !== closed)
        this.#gone()
        this.#openForWaiting(cluster)
      },
    })
    const { sweeper, random } = this.#parts
    keepAlive(socket, cluster)
    const lifetime = lifetimeOf(cluster, sweeper.nowMs, random)
    const shared: Shared = { ...lifetime, socket, proof: tls, connection, idleSinceMs: sweeper.nowMs }
    this.#open.push(shared)
    // Those it was opened for take it as it is: what is wrong with it they must hear, not open another for ever.
    for (const one of this.#waiting.slice())
      if (one.secure === secure && connection.room > 0 && shared.callsLeft > 0) one.serve(shared)
    this.#changed()
    this.#openForWaiting(cluster)
    if (this.#retired) connection.drain()
  }

  #failed(fault: Fault): void {
    this.#gone()
    if (this.#opening > 0) return
    for (const one of this.#waiting.slice()) one.fail(fault)
  }

  #gone(): void {
    this.#connections--
    this.#counts.connections--
  }

  /** There may be room for who waits. */
  #changed(): void {
    for (const one of this.#waiting.slice()) {
      const shared = this.#withRoom(one.secure)
      if (shared !== undefined) one.serve(shared)
    }
  }

  #openForWaiting(cluster: Cluster): void {
    const [first] = this.#waiting
    if (first !== undefined) this.#openMore(cluster, first.secure)
  }
}

function exchange(shared: Shared, call: Call): Promise<Reply | Fault> {
  const { proof, connection } = shared
  call.trace.upstreamPrincipal = proof?.principal
  tellConnection(call, shared.socket, 'HTTP/2')
  const answer = connection.send(call)
  if (--shared.callsLeft === 0) connection.drain()
  return answer
}
