import type { Socket } from 'node:net'
import type { Address } from '../../../base/address.ts'
import type { Sweeper } from '../../../base/sweeper.ts'
import type { Fault } from '../fault.ts'
import type { Call, Reply } from '../service.ts'
import { ClientStream, type ClientHost } from './client-stream.ts'
import type { Side } from './connection-parts.ts'
import { Connection } from './connection.ts'
import type { Field } from './hpack/field.ts'
import { meshLimits } from './limits.ts'
import { errorCode } from './wire.ts'

/** What a client connection tells its pool, and needs. */
export interface Http2ClientParts {
  readonly endpoint: Address
  readonly sweeper: Sweeper
  /** A stream has ended, or the peer allows more or fewer: `room` may have changed. */
  readonly changed: (connection: Http2ClientConnection) => void
  /** Told once: the connection is over. Before that `room` was 0 for good. */
  readonly closed: (connection: Http2ClientConnection) => void
  /** With calls in flight and no byte for so long the peer is asked whether it lives; ms, 0: never. */
  readonly keepAliveMs: number
  /** How long it has to answer, ms; absent: 10 s. */
  readonly pongMs?: number | undefined
  /** Without calls in flight as well; absent: no. */
  readonly asksIdle?: boolean | undefined
  /** Calls at a time until the peer says how many it takes: as another connection to it learned. */
  readonly assumedStreams?: number | undefined
}

/** One HTTP/2 connection to a server; many calls at a time. */
export interface Http2ClientConnection {
  /** Writes the call; resolves at the final reply head, or with what went wrong. Only while there is `room`. */
  send(call: Call): Promise<Reply | Fault>
  /** Calls that may be added now; 0 for good once the peer has said GOAWAY or the connection drains. */
  readonly room: number
  readonly active: number
  /** Calls at a time, once the peer has said how many. */
  readonly capacity: number | undefined
  /** Takes no more calls, and closes after the last. */
  drain(): void
  /** Cuts the connection. */
  destroy(): void
}

/** Takes over a connected socket, plain or TLS (after its handshake, with h2 negotiated). */
export function http2Client(socket: Socket, parts: Http2ClientParts): Http2ClientConnection {
  return new ClientConnection(socket, parts)
}

/** Until the peer says how many streams it takes. Source: RFC 9113, section 6.5.2, which recommends at least 100. */
const assumedStreams = 100
/** Our own bound, whatever the peer allows. */
const mostStreams = 1000
/** Then the numbers of streams run out. */
const lastStreamId = 0x7fff_fff0

class ClientConnection implements Http2ClientConnection, Side, ClientHost {
  readonly endpoint: Address
  readonly connection: Connection
  settledOnce = false
  readonly #parts: Http2ClientParts
  #nextId = 1
  #leaving = false
  /** The peer looked at no stream past this. */
  #lastTaken = Infinity
  #waiting: (() => void)[] = []

  constructor(socket: Socket, parts: Http2ClientParts) {
    this.#parts = parts
    this.endpoint = parts.endpoint
    this.connection = new Connection(socket, this, {
      client: true,
      limits: meshLimits,
      sweeper: parts.sweeper,
      headersTimeoutMs: 0,
      keepAliveMs: parts.keepAliveMs,
      pongMs: parts.pongMs,
      asksIdle: parts.asksIdle,
    })
  }

  get active(): number {
    return this.connection.streams.size
  }

  get capacity(): number | undefined {
    return this.settledOnce ? Math.min(this.connection.peer.streams, mostStreams) : undefined
  }

  get room(): number {
    const { connection } = this
    if (this.#leaving || connection.stopped || this.#nextId > lastStreamId) return 0
    const allowed = this.capacity ?? this.#parts.assumedStreams ?? assumedStreams
    return Math.max(0, allowed - connection.streams.size)
  }

  drain(): void {
    this.#leaving = true
    if (this.active === 0) this.connection.close('it is not needed any more')
  }

  destroy(): void {
    this.connection.destroy('this proxy closed it')
  }

  send(call: Call): Promise<Reply | Fault> {
    const stream = this.connection.open(this.#nextId)
    this.#nextId += 2
    const one = new ClientStream(this, stream, call)
    return one.answer
  }

  onSettled(then: () => void): void {
    this.#waiting.push(then)
  }

  taken(streamId: number): boolean {
    return streamId <= this.#lastTaken
  }

  headers(id: number, fields: readonly Field[], tooLarge: boolean, end: boolean): void {
    const { connection } = this
    const stream = connection.streams.get(id)
    if (stream === undefined) {
      if (connection.isIdle(id)) connection.broken(errorCode.protocol, 'HEADERS on an idle stream')
      return
    }
    if (stream.received)
      return connection.streamError(id, errorCode.streamClosed, 'HEADERS after the end of the stream')
    if (stream.user instanceof ClientStream) stream.user.headers(fields, tooLarge, end)
  }

  settled(): void {
    this.settledOnce = true
    for (const then of this.#waiting.splice(0)) then()
    this.#parts.changed(this)
  }

  goneAway(lastTaken: number, cause: string): void {
    this.#leaving = true
    this.#lastTaken = Math.min(this.#lastTaken, lastTaken)
    for (const stream of this.connection.streams.all()) {
      if (stream.id <= this.#lastTaken) continue
      this.connection.drop(stream)
      stream.stopSending()
      stream.user.lost(errorCode.refusedStream, cause, false)
    }
    this.#parts.changed(this)
    if (this.active === 0) this.connection.close(cause)
  }

  emptied(): void {
    if (this.#leaving) this.connection.close('it is not needed any more')
  }

  /** A call is over. */
  over(): void {
    if (!this.connection.stopped) this.#parts.changed(this)
  }

  ponged(): void {}
  sweep(): void {}

  failed(): void {
    // Its calls hear that the connection is lost.
  }

  closed(): void {
    this.#leaving = true
    this.#parts.closed(this)
  }
}
