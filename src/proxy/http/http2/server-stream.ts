import { Exchange } from '../exchange.ts'
import type { Fault } from '../fault.ts'
import type { HeaderField, Headers } from '../headers.ts'
import { clientGone, dropReply, lateRequest, noBodyWanted, whoseDelay } from '../http1/server-faults.ts'
import { grpcStatusIn, isFault, trailersOnlyStatus, type Reply } from '../service.ts'
import type { Connection } from './connection.ts'
import { lengthField, statusField } from './fields.ts'
import type { RequestHead } from './request-head.ts'
import type { Http2ServerParts } from './server-parts.ts'
import type { Stream, StreamUser } from './stream.ts'
import { errorCode } from './wire.ts'

/** The connection that a call came on. */
export interface StreamHost {
  readonly parts: Http2ServerParts
  readonly connection: Connection
}

/** One request and its reply. */
export class ServerStream implements StreamUser {
  readonly stream: Stream
  readonly #host: StreamHost
  #exchange: Exchange | undefined
  #head: RequestHead | undefined
  #reply: Reply | undefined
  #fault: Fault | undefined
  #status = 0
  #over = false

  /** `end`: the request has no body. */
  constructor(host: StreamHost, stream: Stream, end: boolean) {
    this.#host = host
    this.stream = stream
    stream.user = this
    stream.received = end
  }

  begin(head: RequestHead): void {
    const { stream } = this
    const { parts } = this.#host
    // What comes behind the head of a tunnel is for the tunnel.
    const body = stream.received || head.upgrade !== undefined || head.method === 'CONNECT' ? undefined : stream
    if (body !== undefined) stream.length = head.contentLength
    const exchange = new Exchange(head, body, parts.peer, parts.clock.nowMs())
    exchange.onInformational = this.#onInformational
    this.#exchange = exchange
    this.#head = head
    let answer: Promise<Reply | Fault>
    try {
      answer = parts.service(exchange)
    } catch (error) {
      return this.#threw(error)
    }
    answer.then(this.#answered, this.#threw)
  }

  /** No call: an answer all the same. */
  refuse(fault: Fault): void {
    const { parts } = this.#host
    parts.refused(fault)
    this.stream.stopReceiving()
    this.#reply = parts.refusal(fault)
    this.#writeReply(this.#reply)
  }

  get isTunnel(): boolean {
    return this.#reply?.tunnel !== undefined
  }

  /** How long no byte may pass, ms; 0: for ever. */
  get idleTimeoutMs(): number {
    return this.#exchange?.idleTimeoutMs ?? this.#host.parts.streamIdleTimeoutMs
  }

  /** No byte has passed for too long. */
  timedOut(fault: Fault): void {
    if (this.#reply === undefined) this.#exchange?.cancel(fault)
    else this.#cut(fault, errorCode.cancel)
  }

  /** Ends a call whose request is not here in time. */
  hurry(nowMs: number): void {
    const { requestTimeoutMs = 0, sweeper } = this.#host.parts
    if (requestTimeoutMs === 0 || this.#reply !== undefined || this.stream.received) return
    const exchange = this.#exchange
    if (exchange !== undefined && nowMs - exchange.startedMs >= requestTimeoutMs + sweeper.periodMs)
      exchange.cancel(lateRequest(requestTimeoutMs))
  }

  readonly #threw = (error: unknown): void => {
    this.#host.parts.failed(error)
    this.#cut({ kind: 'draining', side: 'self', retry: 'safe' }, errorCode.internal)
  }

  readonly #onInformational = (status: number, headers: Headers): void => {
    if (this.#over || this.#reply !== undefined) return
    this.#host.connection.writeHeaders(this.stream.id, [statusField(status)], headers, false)
  }

  readonly #answered = (answer: Reply | Fault): void => {
    if (this.#over) return void (isFault(answer) || dropReply(answer))
    try {
      this.#answer(answer)
    } catch (error) {
      this.#threw(error)
    }
  }

  #answer(answer: Reply | Fault): void {
    let reply: Reply
    if (isFault(answer)) {
      const fault = (this.#fault = whoseDelay(answer, !this.stream.received))
      if (fault.kind === 'client-gone' || fault.kind === 'truncated') return this.#cut(fault, errorCode.internal)
      reply = this.#host.parts.refusal(fault, this.#exchange)
    } else reply = answer
    this.#reply = reply
    this.stream.activeMs = this.#host.parts.sweeper.nowMs
    if (reply.tunnel !== undefined) this.#openTunnel(reply)
    else this.#writeReply(reply)
  }

  #writeReply(reply: Reply): void {
    const { stream } = this
    const { status, headers, body } = reply
    const toHead = this.#head?.method === 'HEAD'
    const bodiless = status === 204 || status === 304 || toHead
    const length = bodiless && !toHead ? undefined : body.length
    const first =
      length === undefined || length === 0 ? [statusField(status)] : [statusField(status), lengthField(length)]
    this.#status = status
    const empty = bodiless || body.length === 0
    if (!empty) {
      this.#host.connection.writeHeaders(stream.id, first, headers, false)
      stream.announced = length
      return body.start(stream)
    }
    stream.sent = true
    if (this.#exchange !== undefined) this.#exchange.trace.grpcStatus = trailersOnlyStatus(reply)
    this.#host.connection.writeHeaders(stream.id, first, headers, true)
    if (body.length !== 0) body.cancel(noBodyWanted)
    if (stream.received) this.#host.connection.drop(stream)
    this.sent()
  }

  /** An extended CONNECT is accepted by 200; 101 is a word of HTTP/1.1. Source: RFC 8441, section 4. */
  #openTunnel(reply: Reply): void {
    const { stream } = this
    const status = reply.status === 101 ? 200 : reply.status
    const headers = this.#head?.ownKey === true ? reply.headers.filter(notAccept) : reply.headers
    this.#status = reply.status
    this.#host.connection.writeHeaders(stream.id, [statusField(status)], headers, false)
    reply.tunnel?.incoming.start(stream)
    reply.tunnel?.send(stream)
  }

  sent(): void {
    const { stream } = this
    if (this.#reply?.tunnel !== undefined && !stream.received) return
    if (!stream.received) {
      // Answered early: what still comes is not wanted. Source: RFC 9113, section 8.1.
      this.#host.connection.reset(stream, errorCode.none)
      stream.stopReceiving()
    }
    this.#settle(this.#fault)
  }

  received(): void {
    if (this.#reply?.tunnel !== undefined && this.stream.sent) this.#settle(undefined)
  }

  sendFailed(fault: Fault | undefined): void {
    this.#cut(fault ?? clientGone('a body of another length'), errorCode.internal)
  }

  writable(): void {
    if (this.#reply?.tunnel !== undefined) this.#reply.tunnel.incoming.resume()
    else this.#reply?.body.resume()
  }

  unwanted(): void {
    // What still comes is dropped, and takes no more of the window than there is.
    if (this.#reply?.tunnel !== undefined) this.#cut(undefined, errorCode.cancel)
  }

  lost(code: number | undefined, cause: string): void {
    if (this.#over) return
    // A tunnel that its client has ended so.
    const clean = this.#reply?.tunnel !== undefined && (code === errorCode.none || code === errorCode.cancel)
    this.#end(clean ? undefined : clientGone(cause))
  }

  /** Ends everything now: the client sees a reset, so never an answer that looks complete. */
  #cut(fault: Fault | undefined, code: (typeof errorCode)['internal' | 'cancel']): void {
    if (this.#over) return
    this.#host.connection.reset(this.stream, code)
    this.#end(fault)
  }

  #end(fault: Fault | undefined): void {
    const ending = fault ?? clientGone('tunnel closed')
    const reply = this.#reply
    this.stream.stopSending()
    this.#exchange?.cancel(ending)
    this.stream.failReceiving(ending)
    if (reply !== undefined) dropReply(reply, ending)
    this.#settle(fault)
  }

  #settle(fault: Fault | undefined): void {
    if (this.#over) return
    this.#over = true
    const { stream } = this
    const exchange = this.#exchange
    const reply = this.#reply
    this.#exchange = this.#reply = undefined
    if (exchange === undefined) return
    exchange.trace.bytesReceived = stream.receivedBytes
    exchange.trace.bytesSent = stream.sentBytes
    const trailers = stream.sentTrailers
    if (trailers !== undefined) exchange.trace.grpcStatus = grpcStatusIn(trailers)
    exchange.settle({ status: this.#status, fault, reply, trailers })
  }
}

const notAccept = ({ name }: HeaderField): boolean => name !== 'sec-websocket-accept'
