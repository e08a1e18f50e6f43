import type { Address } from '../../base/address.ts'
import type { Random } from '../../base/random.ts'
import type { Sweeper } from '../../base/sweeper.ts'
import type { Cluster, Endpoint, HeaderCase, UpstreamTls } from '../config.ts'
import type { Fault } from '../http/fault.ts'
import type { Call, Reply } from '../http/service.ts'
import type { Socket } from 'node:net'
import { offering, type Connect, type ProvenTls } from './connect.ts'
import { tellConnection } from './tell-connection.ts'
import { isSpent, keepAlive, lifetimeOf, type Lifetime } from './lifetime.ts'

/** A connection that a codec owns; one call at a time. */
export interface ClientConnection {
  send(call: Call, headerCase?: HeaderCase): Promise<Reply | Fault>
  /** Nothing in flight, nothing unasked has come, the peer has not closed. */
  readonly usable: boolean
  destroy(): void
}

/** Makes a connection speak: the HTTP/1.1 client codec. */
export type ClientCodec = (
  socket: Socket,
  parts: {
    readonly endpoint: Address
    readonly idle: (connection: ClientConnection) => void
    readonly closed: (connection: ClientConnection) => void
  },
) => ClientConnection

/** What all endpoints of one cluster share: what its limits count. */
export interface Counts {
  connections: number
  /** Calls that wait for a connection. */
  pending: number
  requests: number
}

/** What a pool needs from outside. */
export interface PoolParts {
  readonly connect: Connect
  readonly codec: ClientCodec
  readonly sweeper: Sweeper
  readonly random: Random
  /** Is what was proven on a connection still what this configuration wants? */
  readonly stillProven: (proof: ProvenTls, secure: UpstreamTls) => boolean
  /** The certificate on it was replaced: no hurry, but not for ever. */
  readonly isStale: (proof: ProvenTls) => boolean
}

interface Pooled extends Lifetime {
  readonly socket: Socket
  readonly proof: ProvenTls | undefined
  connection: ClientConnection | undefined
  idleSinceMs: number
}

interface Waiting {
  readonly serve: (pooled: Pooled) => void
  readonly retry: () => void
}

/** The connections to one endpoint, with one kind of transport. The one used last is used next, so that the rest can go idle. */
export class EndpointPool {
  readonly #address: Address
  readonly #counts: Counts
  readonly #parts: PoolParts
  readonly #idle: Pooled[] = []
  readonly #waiting: Waiting[] = []
  /** The registry has let go of this pool. */
  forgotten = false
  #connections = 0
  #retired = false
  #usedMs: number

  constructor(address: Address, counts: Counts, parts: PoolParts) {
    this.#address = address
    this.#counts = counts
    this.#parts = parts
    this.#usedMs = parts.sweeper.nowMs
  }

  /** Sends on an idle connection, else on a new one, else waits for one; `overflow` past the cluster's limits. */
  send(cluster: Cluster, endpoint: Endpoint, call: Call): Promise<Reply | Fault> {
    const secure = cluster.transports.get(endpoint.transport)
    this.#retired = false
    this.#usedMs = this.#parts.sweeper.nowMs
    const idle = this.#takeIdle(secure)
    if (idle !== undefined) return this.#exchange(idle, cluster, call)
    if (this.#counts.pending >= cluster.limits.maxPendingRequests) {
      return Promise.resolve(overflow(cluster, 'pending requests', cluster.limits.maxPendingRequests))
    }
    return this.#waitForConnection(cluster, secure, call)
  }

  get idleCount(): number {
    return this.#idle.length
  }
  get connectionCount(): number {
    return this.#connections
  }

  /** The endpoint is no longer in use: idle connections go now, the others after their call. */
  retire(): void {
    this.#retired = true
    for (const one of this.#idle.splice(0)) one.connection?.destroy()
  }

  /** Closes one idle connection, to make room for another endpoint of the cluster. */
  giveUpOne(): boolean {
    const oldest = this.#idle.shift()
    oldest?.connection?.destroy()
    return oldest !== undefined
  }

  /** Closes what has been idle too long, and some of what has an old certificate. True: nothing is left, the pool may go. */
  sweep(nowMs: number, idleTimeoutMs: number): boolean {
    const { periodMs } = this.#parts.sweeper
    let staleLeft = Math.ceil(this.#idle.length / 5)
    for (const one of this.#idle.slice()) {
      const stale = one.proof !== undefined && this.#parts.isStale(one.proof) && staleLeft-- > 0
      const idle = idleTimeoutMs > 0 && nowMs - one.idleSinceMs > idleTimeoutMs + periodMs
      if (stale || idle || isSpent(one, nowMs)) one.connection?.destroy()
    }
    return this.#connections === 0 && this.#waiting.length === 0 && nowMs - this.#usedMs > 60_000
  }

  #takeIdle(secure: UpstreamTls | undefined): Pooled | undefined {
    for (let one = this.#idle.pop(); one !== undefined; one = this.#idle.pop()) {
      const fits =
        one.proof === undefined
          ? secure === undefined
          : secure !== undefined && this.#parts.stillProven(one.proof, secure)
      if (fits && one.connection?.usable && !isSpent(one, this.#parts.sweeper.nowMs)) return one
      one.connection?.destroy()
    }
    return undefined
  }

  #exchange(pooled: Pooled, { headerCase }: Cluster, call: Call): Promise<Reply | Fault> {
    const { connection } = pooled
    if (connection === undefined) throw new Error('a pooled connection without its codec')
    call.trace.upstreamPrincipal = pooled.proof?.principal
    tellConnection(call, pooled.socket, 'HTTP/1.1')
    pooled.callsLeft--
    return connection.send(call, headerCase)
  }

  #waitForConnection(cluster: Cluster, secure: UpstreamTls | undefined, call: Call): Promise<Reply | Fault> {
    this.#counts.pending++
    return new Promise((resolve) => {
      let waiting = true
      const stop = (): boolean => {
        if (!waiting) return false
        waiting = false
        this.#counts.pending--
        return true
      }
      call.onCancel((fault) => {
        if (stop()) resolve(fault)
      })
      const serve = (pooled: Pooled): void => {
        if (stop()) resolve(this.#exchange(pooled, cluster, call))
        else this.#putBack(pooled)
      }
      const open = async (): Promise<void> => {
        const opened = await this.#open(cluster, secure)
        if (!isOpened(opened)) {
          if (stop()) resolve(opened)
          return
        }
        serve(opened)
      }
      const tryNow = (): void => {
        if (!waiting) return
        const idle = this.#takeIdle(secure)
        if (idle !== undefined) serve(idle)
        // An endpoint without any connection may open one past the limit: nobody would ever free one for it.
        else if (this.#connections === 0 || this.#mayOpen(cluster)) void open()
        else this.#waiting.push({ serve, retry: tryNow })
      }
      tryNow()
    })
  }

  #mayOpen({ limits: { maxConnections, maxConnectionsPerEndpoint = Infinity } }: Cluster): boolean {
    return this.#counts.connections < maxConnections && this.#connections < maxConnectionsPerEndpoint
  }

  async #open(cluster: Cluster, secure: UpstreamTls | undefined): Promise<Pooled | Fault> {
    this.#connections++
    this.#counts.connections++
    const connected = await this.#parts.connect(
      this.#address,
      cluster.connectTimeoutMs,
      offering('http/1.1', secure),
      cluster.name,
    )
    if ('kind' in connected) {
      this.#gone()
      return connected
    }
    const { sweeper, random } = this.#parts
    const lifetime = lifetimeOf(cluster, sweeper.nowMs, random)
    const { socket, tls: proof } = connected
    const pooled: Pooled = { ...lifetime, socket, proof, connection: undefined, idleSinceMs: 0 }
    keepAlive(connected.socket, cluster)
    const connection = this.#parts.codec(connected.socket, {
      endpoint: this.#address,
      idle: () => this.#putBack(pooled),
      closed: () => {
        const index = this.#idle.indexOf(pooled)
        if (index >= 0) this.#idle.splice(index, 1)
        this.#gone()
      },
    })
    pooled.connection = connection
    return pooled
  }

  #gone(): void {
    this.#connections--
    this.#counts.connections--
    this.#waiting.shift()?.retry()
  }

  #putBack(pooled: Pooled): void {
    if (this.#retired || pooled.connection?.usable !== true || isSpent(pooled, this.#parts.sweeper.nowMs)) {
      pooled.connection?.destroy()
      return
    }
    const next = this.#waiting.shift()
    if (next !== undefined) return next.serve(pooled)
    pooled.idleSinceMs = this.#usedMs = this.#parts.sweeper.nowMs
    this.#idle.push(pooled)
  }
}

const isOpened = (opened: Pooled | Fault): opened is Pooled => !('kind' in opened)

/** The fault of a limit. */
export const overflow = (cluster: Cluster, limit: string, max: number): Fault => ({
  kind: 'overflow',
  side: 'self',
  retry: 'never',
  cluster: cluster.name,
  limit,
  max,
})
