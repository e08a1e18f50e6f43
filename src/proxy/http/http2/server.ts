import type { Socket } from 'node:net'
import { badRequest, silent } from '../http1/server-faults.ts'
import type { Side } from './connection-parts.ts'
import { Connection } from './connection.ts'
import { readTrailers } from './fields.ts'
import type { Field } from './hpack/field.ts'
import { readRequestHead } from './request-head.ts'
import type { Http2ServerConnection, Http2ServerParts } from './server-parts.ts'
import { ServerStream, type StreamHost } from './server-stream.ts'
import { errorCode, maxWindow } from './wire.ts'

/** Serves HTTP/2 on a connected socket, plain (with prior knowledge) or TLS, from the client's preface on. */
export function serveHttp2(socket: Socket, parts: Http2ServerParts): Http2ServerConnection {
  return new ServerConnection(socket, parts)
}

/** How long a client that never answers our PING may still open streams after the first GOAWAY, ms. */
const drainStepMs = 1000

class ServerConnection implements Http2ServerConnection, Side, StreamHost {
  readonly parts: Http2ServerParts
  readonly connection: Connection
  /** When the first GOAWAY was said; undefined: not draining. */
  #drainingMs: number | undefined
  /** The last stream that is served; the second GOAWAY said so. */
  #last = Infinity
  #idleMs: number

  constructor(socket: Socket, parts: Http2ServerParts) {
    this.parts = parts
    this.#idleMs = parts.sweeper.nowMs
    this.connection = new Connection(socket, this, {
      client: false,
      limits: parts.limits,
      sweeper: parts.sweeper,
      headersTimeoutMs: parts.headersTimeoutMs,
      keepAliveMs: parts.keepAliveMs,
    })
  }

  drain(patient: boolean): void {
    if (this.#drainingMs !== undefined || this.connection.stopped) return
    this.#drainingMs = this.parts.sweeper.nowMs
    // Streams that the client opens before it hears this are still served: their number is only known a round trip later.
    this.connection.goAway(maxWindow)
    this.connection.askForPong()
    if (!patient && this.connection.streams.size === 0 && this.connection.lastStreamId > 0) this.#stopAccepting()
  }

  get drained(): boolean {
    const { connection } = this
    if (connection.stopped) return true
    return (
      this.#last !== Infinity &&
      connection.streams.all().every(({ user }) => user instanceof ServerStream && user.isTunnel)
    )
  }

  destroy(): void {
    this.connection.destroy('this proxy is stopping')
  }

  ponged(): void {
    if (this.#drainingMs !== undefined) this.#stopAccepting()
  }

  #stopAccepting(): void {
    const { connection } = this
    if (this.#last !== Infinity || connection.stopped) return
    this.#last = connection.lastStreamId
    connection.goAway(this.#last)
    this.emptied()
  }

  emptied(): void {
    this.#idleMs = this.parts.sweeper.nowMs
    if (this.#last !== Infinity && this.connection.streams.size === 0) this.connection.close('drained')
  }

  headers(id: number, fields: readonly Field[], tooLarge: boolean, end: boolean): void {
    const { connection, parts } = this
    const stream = connection.streams.get(id)
    if (stream !== undefined) {
      if (stream.received)
        return connection.streamError(id, errorCode.streamClosed, 'HEADERS after the end of the stream')
      const trailers = tooLarge ? 'trailers over the limits' : readTrailers(fields)
      if (!end || typeof trailers === 'string')
        return connection.streamError(id, errorCode.protocol, 'trailers that are none')
      if (stream.length !== undefined && stream.length !== stream.receivedBytes)
        return connection.streamError(id, errorCode.protocol, 'DATA that is not as long as content-length says')
      return connection.receiveEnd(stream, trailers)
    }
    if (id <= connection.lastStreamId) return connection.broken(errorCode.streamClosed, 'HEADERS on a closed stream')
    // After the second GOAWAY the client knows that this stream was never looked at.
    if (id > this.#last) return
    connection.lastStreamId = id
    if (connection.streams.size >= parts.limits.streams)
      return connection.streamError(id, errorCode.refusedStream, 'more streams than allowed')
    const head = tooLarge
      ? ({ status: 431, cause: 'the request head is over its limits' } as const)
      : readRequestHead(fields, end, this.#makeKey)
    if ('malformed' in head) {
      parts.refused(badRequest({ status: 400, cause: head.malformed }))
      return connection.streamError(id, errorCode.protocol, head.malformed)
    }
    const call = new ServerStream(this, connection.open(id), end)
    if ('cause' in head) call.refuse(badRequest(head))
    else call.begin(head)
  }

  readonly #makeKey = (): string => {
    const bytes = Buffer.alloc(16)
    for (let at = 0; at < 16; at++) bytes[at] = Math.floor(this.parts.random.below(256))
    return bytes.toString('base64')
  }

  goneAway(): void {
    // A client that opens no more streams still waits for the ones it has.
  }

  settled(): void {}

  failed(error: unknown): void {
    this.parts.failed(error)
  }

  closed(): void {
    this.parts.closed()
  }

  sweep(nowMs: number): void {
    const { connection, parts } = this
    const late = (sinceMs: number, limitMs: number): boolean =>
      limitMs > 0 && nowMs - sinceMs >= limitMs + parts.sweeper.periodMs
    if (this.#drainingMs !== undefined && late(this.#drainingMs, drainStepMs)) this.#stopAccepting()
    if (connection.streams.size === 0) {
      if (late(this.#idleMs, parts.idleTimeoutMs)) this.drain(false)
      return
    }
    for (const { user, activeMs } of connection.streams.all()) {
      if (!(user instanceof ServerStream)) continue
      user.hurry(nowMs)
      if (late(activeMs, user.idleTimeoutMs)) user.timedOut(silent(user.idleTimeoutMs))
    }
  }
}
