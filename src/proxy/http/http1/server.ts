import type { Socket } from 'node:net'
import type { Swept } from '../../../base/sweeper.ts'
import type { Tunnel } from '../body.ts'
import type { Fault } from '../fault.ts'
import type { Headers } from '../headers.ts'
import { isFault, type Reply } from '../service.ts'
import { Exchange } from '../exchange.ts'
import { looksLikeHttp2 } from '../http2/preface.ts'
import { untilClose } from './framing.ts'
import { Inbox } from './inbox.ts'
import { IncomingBody, type BodyOwner } from './incoming-body.ts'
import { limits } from './limits.ts'
import { OutgoingBody, type OutgoingOwner } from './outgoing-body.ts'
import { SocketReader, type SocketEars } from './reader.ts'
import type { RequestHead } from './request-head.ts'
import { overdue, type State } from './server-deadlines.ts'
import { answeredEarly, badRequest, clientGone, dropReply, noBodyWanted, whoseDelay } from './server-faults.ts'
import { takeHead } from './take-head.ts'
import type { Http1ServerConnection, Http1ServerParts } from './server-parts.ts'
import { planReply, replyHead, shortHead, statusLine, tunnelHead } from './write-head.ts'
import { SocketWriter } from './writer.ts'

/** Serves HTTP/1.1 and 1.0 on a connected socket, plain or TLS. */
export function serveHttp1(socket: Socket, parts: Http1ServerParts): Http1ServerConnection {
  return new ServerConnection(socket, parts)
}

class ServerConnection implements Http1ServerConnection, BodyOwner, OutgoingOwner, SocketEars, Swept {
  readonly #socket: Socket
  readonly #parts: Http1ServerParts
  readonly #writer: SocketWriter
  readonly #inbox = new Inbox()
  readonly #reader: SocketReader
  #state: State = 'idle'
  #draining: 'no' | 'now' | 'patiently' = 'no'
  #peerEnded = false
  #movedBytes = 0
  /** Coarse time of the last byte that mattered for the deadline of `#state`. */
  #sinceMs: number
  /** The same of the first byte of the request. */
  #begunMs = 0
  /** The client may turn out to speak HTTP/2. */
  #undecided: boolean
  // The call in flight.
  #exchange: Exchange | undefined
  #head: RequestHead | undefined
  #request: IncomingBody | undefined
  #reply: Reply | undefined
  #outgoing: OutgoingBody | undefined
  #fault: Fault | undefined
  #status = 0
  #keepAlive = false
  readonly #answered: (answer: Reply | Fault) => void
  readonly #threw: (error: unknown) => void

  constructor(socket: Socket, parts: Http1ServerParts) {
    this.#socket = socket
    this.#parts = parts
    this.#writer = new SocketWriter(socket)
    this.#sinceMs = parts.sweeper.nowMs
    this.#undecided = parts.http2 !== undefined
    this.#answered = (answer) => this.#answer(answer)
    this.#threw = (error) => {
      parts.failed(error)
      this.#cut({ kind: 'draining', side: 'self', retry: 'safe' })
    }
    this.#reader = new SocketReader(socket, this)
    parts.sweeper.add(this)
  }

  drain(patient: boolean): void {
    this.#draining = patient ? 'patiently' : 'now'
    if (this.#state !== 'idle') return
    if (patient) this.#sinceMs = this.#parts.sweeper.nowMs
    else this.#close()
  }

  get drained(): boolean {
    return this.#draining !== 'no' && this.#state !== 'head' && this.#state !== 'call'
  }

  destroy(): void {
    this.#cut({ kind: 'draining', side: 'self', retry: 'safe' })
  }

  readonly onData = (chunk: Buffer): void => {
    this.#sinceMs = this.#state === 'head' ? this.#sinceMs : this.#parts.sweeper.nowMs
    if (this.#state === 'closing' || this.#state === 'closed') return
    try {
      this.#inbox.push(chunk)
      this.#work()
      this.#inbox.keep()
    } catch (error) {
      // Bytes from a peer must never end the process, whatever bug they find.
      this.#threw(error)
    }
  }

  readonly onDrain = (): void => {
    this.#sinceMs = this.#parts.sweeper.nowMs
    try {
      if (this.#outgoing !== undefined) this.#reply?.body.resume()
      if (this.#outgoing !== undefined) this.#reply?.tunnel?.incoming.resume()
    } catch (error) {
      this.#threw(error)
    }
  }

  readonly onEnd = (): void => {
    this.#peerEnded = true
    if (this.#state === 'tunnel') this.#finishRequestIfEnded()
    else if (this.#state === 'call') this.#cut(clientGone('it closed the connection'))
    else this.#close()
  }

  /** In a tunnel the client's end is passed on, behind its last byte. */
  #finishRequestIfEnded(): void {
    if (!this.#peerEnded || this.#state !== 'tunnel' || this.#inbox.length > 0) return
    this.#request?.finish()
    this.#endTunnelIfDone()
  }

  readonly onClose = (): void => {
    if (this.#state === 'closed') return
    if (this.#state === 'call' || this.#state === 'tunnel') this.#cut(clientGone('the connection was lost'))
    this.#state = 'closed'
    this.#inbox.clear()
    this.#parts.sweeper.remove(this)
    this.#parts.closed()
  }

  /** Reads on as far as the state allows. */
  #work(): void {
    for (let hasJustBegun = false; this.#inbox.length > 0;) {
      if (this.#state === 'idle' || this.#state === 'head') {
        if (!this.#readHead()) return
        hasJustBegun = true
      } else if (this.#request !== undefined && !this.#request.done) {
        if (this.#request.dropped) return this.#inbox.clear()
        // As in the client: the body is usually asked for within this turn.
        if (!this.#request.flowing) return hasJustBegun ? undefined : this.#reader.flow(false)
        this.#feed(this.#request)
      } else {
        if (this.#inbox.length > limits.pipelinedBytes) this.#reader.flow(false)
        return
      }
    }
  }

  /** False: the head is not complete, or never will be. */
  #readHead(): boolean {
    if (this.#undecided && this.#speaksHttp2()) return false
    if (this.#state === 'idle') {
      if (!this.#inbox.skipEmptyLine()) return false
      this.#state = 'head'
      this.#begunMs = this.#sinceMs = this.#parts.sweeper.nowMs
    }
    const head = takeHead(this.#inbox, this.#parts)
    if (head === undefined) return false
    if ('kind' in head) return this.#refuse(head)
    const { connect } = this.#parts
    if (head.method === 'CONNECT' && connect !== undefined) {
      const fault = connect.refuse(head.authority)
      if (fault !== undefined) return this.#refuse(fault)
      const socket = this.#leave()
      socket.write(`${statusLine(200)}\r\n`, 'latin1')
      this.#parts.closed()
      connect.take(socket, head.authority)
      return false
    }
    this.#begin(head)
    return true
  }

  /** It is somebody else's then. While nobody can tell there is no whole head either. */
  #speaksHttp2(): boolean {
    const looks = looksLikeHttp2(this.#inbox.peek())
    this.#undecided = looks === 'more'
    if (looks === 2) this.#parts.http2?.(this.#leave(), this.#draining !== 'no')
    return looks === 2
  }

  #begin(head: RequestHead): void {
    const request = head.framing === 0 ? undefined : new IncomingBody(this, head.framing)
    const exchange = new Exchange(head, request, this.#parts.peer, this.#parts.clock.nowMs())
    if (head.minor === 1) exchange.onInformational = this.#onInformational
    this.#state = 'call'
    this.#exchange = exchange
    this.#head = head
    this.#request = request
    this.#keepAlive = head.keepAlive
    this.#status = 0
    this.#fault = undefined
    try {
      this.#parts.service(exchange).then(this.#answered, this.#threw)
    } catch (error) {
      this.#threw(error)
    }
  }

  readonly #onInformational = (status: number, headers: Headers): void => {
    if (this.#state !== 'call' || this.#reply !== undefined) return
    this.#writer.text(shortHead(status, headers, this.#parts.headerCase))
  }

  #answer(answer: Reply | Fault): void {
    if (this.#state !== 'call') return void (isFault(answer) || dropReply(answer))
    let reply: Reply
    if (isFault(answer)) {
      const fault = (this.#fault = whoseDelay(answer, this.#isComing))
      if (fault.kind === 'client-gone' || fault.kind === 'truncated') return this.#cut(fault)
      reply = this.#parts.refusal(fault, this.#exchange)
    } else reply = answer
    this.#reply = reply
    this.#status = reply.status
    this.#sinceMs = this.#parts.sweeper.nowMs
    if (reply.tunnel !== undefined) return this.#openTunnel(reply, reply.tunnel)
    this.#writeReply(reply)
  }

  #writeReply(reply: Reply): void {
    const asked = { method: this.#head?.method, minor: this.#head?.minor }
    const plan = planReply(reply, asked)
    if (this.#draining !== 'no' || this.#isComing || plan.closes) this.#keepAlive = false
    this.#writer.text(replyHead(reply, asked, plan, { keepAlive: this.#keepAlive, headerCase: this.#parts.headerCase }))
    if (plan.bodiless) {
      if (reply.body.length !== 0) reply.body.cancel(noBodyWanted)
      return this.#replyWritten()
    }
    this.#outgoing = new OutgoingBody(this.#writer, this, plan.framing)
    reply.body.start(this.#outgoing)
  }

  get #isComing(): boolean {
    return this.#request !== undefined && !this.#request.done
  }

  outgoingEnded(): void {
    if (this.#state === 'tunnel') {
      this.#writer.end()
      return this.#endTunnelIfDone()
    }
    this.#replyWritten()
  }

  outgoingFailed(fault: Fault | undefined): void {
    this.#cut(fault ?? clientGone('a body of another length'))
  }

  #replyWritten(): void {
    if (this.#isComing) {
      this.#keepAlive = false
      this.#request?.cancel(answeredEarly)
    }
    const isLast = this.#head?.isLast === true && !this.#isComing && this.#inbox.length === 0
    this.#settle(this.#fault)
    // Drained patiently, a client whose reply began before has not been told: it may send one more.
    if (!this.#keepAlive || this.#draining === 'now') return this.#close(isLast)
    this.#state = 'idle'
    this.#sinceMs = this.#parts.sweeper.nowMs
    this.#reader.flow(true)
    this.#work()
  }

  #settle(fault: Fault | undefined): void {
    const exchange = this.#exchange
    if (exchange !== undefined) {
      exchange.trace.bytesReceived = this.#request?.bytes ?? 0
      exchange.trace.bytesSent = this.#outgoing?.bytes ?? 0
    }
    const outcome = { status: this.#status, fault, reply: this.#reply, trailers: this.#outgoing?.trailers }
    this.#outgoing?.stop()
    this.#exchange = this.#head = this.#request = this.#reply = this.#outgoing = undefined
    exchange?.settle(outcome)
  }

  #openTunnel(reply: Reply, tunnel: Tunnel): void {
    this.#writer.text(tunnelHead(reply, this.#head?.upgrade, this.#parts.headerCase))
    this.#state = 'tunnel'
    this.#request = new IncomingBody(this, untilClose)
    this.#outgoing = new OutgoingBody(this.#writer, this, untilClose)
    tunnel.incoming.start(this.#outgoing)
    tunnel.send(this.#request)
    this.#work()
  }

  #endTunnelIfDone(): void {
    if (this.#state !== 'tunnel' || this.#request?.done !== true || !this.#socket.writableEnded) return
    this.#settle(undefined)
    this.#state = 'closing'
  }

  bodyWanted(): void {
    // Bytes that are here already first; then the socket's.
    if (this.#inbox.length > 0) this.#work()
    if (this.#request?.paused !== true) this.#reader.flow(true)
  }

  bodyCancelled(): void {
    if (this.#state === 'tunnel') return this.#cut(undefined)
    // What the client still sends is dropped; the reply says `connection: close`.
    this.#keepAlive = false
    this.#inbox.clear()
    this.#reader.flow(true)
  }

  #feed(request: IncomingBody): void {
    const bytes = this.#inbox.peek()
    const taken = request.feed(bytes)
    if (this.#state === 'closed') return
    if (taken === bytes.length) this.#inbox.clear()
    else this.#inbox.skip(taken)
    if (this.#peerEnded) this.#finishRequestIfEnded()
    else if (request.paused) this.#reader.flow(false) // at once: one more read would only have to be kept
    if (request.trouble === undefined) return
    const fault = badRequest({ status: 400, cause: `the request body is broken: ${request.trouble}` })
    this.#inbox.clear()
    this.#keepAlive = false
    request.fail(fault)
    this.#exchange?.cancel(fault)
  }

  /** No call: an answer all the same, and the end of the connection. False: nothing more is read. */
  #refuse(fault: Fault): false {
    this.#parts.refused(fault)
    this.#inbox.clear()
    this.#state = 'call'
    this.#keepAlive = false
    this.#reply = this.#parts.refusal(fault)
    this.#status = this.#reply.status
    this.#writeReply(this.#reply)
    return false
  }

  /** The socket is somebody else's, and so is what has not been understood. */
  #leave(): Socket {
    const socket = this.#reader.leave(this.#inbox.peek())
    this.#state = 'closed'
    this.#parts.sweeper.remove(this)
    this.#inbox.clear()
    return socket
  }

  /** Ends everything now. The client sees a broken connection, so never an answer that looks complete. */
  #cut(fault: Fault | undefined): void {
    const state = this.#state
    const socket = this.#socket
    if (state === 'closed' || state === 'closing') return void socket.destroy()
    this.#state = 'closing'
    this.#writer.flush()
    const lengthUnknown = this.#outgoing !== undefined && this.#reply?.body.length === undefined
    if (lengthUnknown && this.#head?.minor === 0 && !('encrypted' in socket)) socket.resetAndDestroy()
    else socket.destroy()
    if (state !== 'call' && state !== 'tunnel') return
    const ending = fault ?? clientGone('tunnel closed')
    const reply = this.#reply
    this.#outgoing?.stop()
    this.#exchange?.cancel(ending)
    this.#request?.fail(ending)
    if (reply !== undefined) dropReply(reply, ending)
    this.#settle(state === 'tunnel' && fault === undefined ? undefined : ending)
  }

  /** Our last words, then the end: what still comes is read and dropped for a while, or a reset could overtake the words; `wasLast`: nothing comes. */
  #close(wasLast = false): void {
    if (this.#state === 'closing' || this.#state === 'closed') return
    this.#state = 'closing'
    this.#sinceMs = this.#parts.sweeper.nowMs
    this.#inbox.clear()
    this.#writer.end(wasLast && !this.#reader.paused)
    this.#reader.flow(true)
  }

  sweep(nowMs: number): void {
    // Bytes that the peer has not taken yet are no silence of ours, as long as it takes some.
    const unsent = this.#socket.writableLength
    const ending = this.#state === 'closing'
    const moved = (ending ? 0 : this.#socket.bytesRead) + this.#socket.bytesWritten - unsent
    if (moved !== this.#movedBytes && this.#state !== 'head' && this.#state !== 'idle') {
      this.#movedBytes = moved
      this.#sinceMs = nowMs
    }
    const waitedMs = nowMs - this.#sinceMs - this.#parts.sweeper.periodMs
    const limitMs = this.#exchange?.idleTimeoutMs ?? this.#parts.streamIdleTimeoutMs
    const state = ending && unsent > 0 ? 'call' : this.#state
    const isComing = state === 'head' || (this.#reply === undefined && this.#isComing)
    const comingMs = isComing ? nowMs - this.#begunMs - this.#parts.sweeper.periodMs : undefined
    const patiently = this.#draining === 'patiently'
    const what = overdue(state, waitedMs, this.#parts, { ofCallMs: limitMs, patiently, comingMs })
    if (what === undefined) return
    // What has arrived by now is read before.
    if (what === 'close') return void setImmediate(() => this.#state === 'idle' && this.#close())
    if (what === 'destroy') return void this.#socket.destroy()
    if (state === 'head') return void this.#refuse(what)
    return this.#reply === undefined ? this.#exchange?.cancel(what) : this.#cut(what)
  }
}
