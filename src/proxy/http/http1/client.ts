import type { Socket } from 'node:net'
import type { HeaderCase } from '../../config/header-case.ts'
import { readShared } from '../../../base/shared-reads.ts'
import { emptyBody, type Body, type Tunnel } from '../body.ts'
import type { Fault } from '../fault.ts'
import type { Call, Reply } from '../service.ts'
import type { Address } from '../../../base/address.ts'
import { chunked, untilClose } from './framing.ts'
import { spellHead } from './header-case.ts'
import { Inbox } from './inbox.ts'
import { IncomingBody, type BodyOwner } from './incoming-body.ts'
import { limits } from './limits.ts'
import { OutgoingBody, type OutgoingOwner } from './outgoing-body.ts'
import { readReplyHead, type ReplyHead } from './reply-head.ts'
import { fieldLines, framingLine } from './write-head.ts'
import { SocketWriter } from './writer.ts'

/** What a client connection tells its pool. */
export interface Http1ClientParts {
  readonly endpoint: Address
  /** The exchange is over and the connection can take another call. */
  readonly idle: (connection: Http1ClientConnection) => void
  /** Told once: the connection is gone, or will take no more calls. */
  readonly closed: (connection: Http1ClientConnection) => void
}

/** One HTTP/1.1 connection to a server; one call at a time. */
export interface Http1ClientConnection {
  /** Writes the call, the names of its fields in this case; resolves at the final reply head, or with what went wrong. Only when `usable`. */
  send(call: Call, headerCase?: HeaderCase): Promise<Reply | Fault>
  /** No call in flight, nothing unasked has come, and the peer has not closed. */
  readonly usable: boolean
  /** Cuts the connection. */
  destroy(): void
}

/** Takes over a connected socket, plain or TLS (after its handshake). */
export function http1Client(socket: Socket, parts: Http1ClientParts): Http1ClientConnection {
  return new ClientConnection(socket, parts)
}

/** Methods for which an absent body is usual: without one they carry no Content-Length. */
const bodiless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'DELETE', 'TRACE', 'CONNECT'])

class ClientConnection implements Http1ClientConnection, BodyOwner, OutgoingOwner {
  readonly #socket: Socket
  readonly #parts: Http1ClientParts
  readonly #writer: SocketWriter
  readonly #inbox = new Inbox()
  #gone = false
  #told = false
  #paused = false
  #peerEnded = false
  // The call in flight.
  #call: Call | undefined
  #resolve: ((answer: Reply | Fault) => void) | undefined
  #outgoing: OutgoingBody | undefined
  #outgoingBody: Body | undefined
  #requestDone = true
  #incoming: IncomingBody | undefined
  #tunnel = false
  #endsWithConnection = false
  #reusable = false
  #informational = 0
  #headBytes = 0

  constructor(socket: Socket, parts: Http1ClientParts) {
    this.#socket = socket
    this.#parts = parts
    this.#writer = new SocketWriter(socket)
    readShared(socket, (chunk) => this.#onData(chunk))
    socket.on('drain', () => {
      if (this.#outgoing !== undefined) this.#outgoingBody?.resume()
    })
    socket.on('end', () => this.#onEnd())
    socket.on('error', (error) => this.#lost(error))
    socket.on('close', () => this.#lost(undefined))
  }

  get usable(): boolean {
    return this.#call === undefined && !this.#gone && this.#inbox.length === 0 && this.#socket.writable
  }

  destroy(): void {
    this.#lost(undefined)
  }

  send(call: Call, headerCase?: HeaderCase): Promise<Reply | Fault> {
    const length = call.body.length
    const framing = length ?? chunked
    let text = `${call.method} ${call.path} HTTP/1.1\r\nhost: ${call.authority}\r\n${fieldLines(call.headers)}`
    if (call.upgrade !== undefined) text += `connection: upgrade\r\nupgrade: ${call.upgrade}\r\n`
    if (framing !== 0 || !bodiless.has(call.method)) text += framingLine(framing)
    text = spellHead(`${text}\r\n`, headerCase)
    this.#headBytes = text.length
    this.#call = call
    this.#informational = 0
    this.#reusable = true
    this.#writer.text(text)
    const answer = new Promise<Reply | Fault>((resolve) => {
      this.#resolve = resolve
    })
    if (length === 0) this.#requestDone = true
    else {
      this.#requestDone = false
      this.#outgoing = new OutgoingBody(this.#writer, this, framing)
      this.#outgoingBody = call.body
      call.body.start(this.#outgoing)
    }
    call.onCancel((fault) => {
      if (this.#call === call) this.#abort(fault)
    })
    return answer
  }

  #onData(chunk: Buffer): void {
    if (this.#gone) return
    if (this.#call === undefined) return this.#lost(undefined)
    try {
      this.#inbox.push(chunk)
      this.#work()
      this.#inbox.keep()
    } catch (error) {
      // Bytes from a peer must never end the process, whatever bug they find.
      this.#abort(this.#truncated(`a bug of this proxy: ${String(error)}`))
    }
  }

  #work(): void {
    let hasJustBegun = false
    while (this.#inbox.length > 0 && !this.#gone) {
      if (this.#resolve !== undefined) {
        if (!this.#readHead()) return
        hasJustBegun = true
      } else if (this.#incoming !== undefined) {
        // Who gets a head asks for the body at once: to stop the socket for that moment cost a twentieth of a small reply.
        if (!this.#incoming.flowing) return hasJustBegun ? undefined : this.#pause()
        this.#feed(this.#incoming)
      } else return
    }
  }

  #readHead(): boolean {
    const call = this.#call
    const text = this.#inbox.takeHead()
    const { trouble } = this.#inbox
    if (call === undefined || (text === undefined && trouble === undefined)) return false
    const head = text === undefined ? `${trouble} in the reply` : readReplyHead(text, call.method)
    if (typeof head === 'string') {
      this.#abort(this.#badReply(head))
      return false
    }
    if (head.status < 200) return this.#readInformational(call, head)
    if (!head.keepAlive || head.framing === untilClose) this.#reusable = false
    const resolve = this.#resolve
    this.#resolve = undefined
    if (head.framing === 0) {
      resolve?.({ status: head.status, headers: head.headers, body: emptyBody })
      this.#replyDone()
    } else {
      this.#incoming = new IncomingBody(this, head.framing)
      this.#endsWithConnection = head.framing === untilClose
      resolve?.({ status: head.status, headers: head.headers, body: this.#incoming })
    }
    return true
  }

  #readInformational(call: Call, head: ReplyHead): boolean {
    if (head.status === 101) {
      if (call.upgrade === undefined || head.upgrade === undefined) {
        this.#abort(this.#badReply('101 without having been asked'))
        return false
      }
      this.#openTunnel(head)
      return true
    }
    if (++this.#informational > limits.informationalReplies) {
      this.#abort(this.#badReply(`more than ${limits.informationalReplies} informational replies`))
      return false
    }
    call.onInformational?.(head.status, head.headers)
    return true
  }

  #openTunnel(head: ReplyHead): void {
    const resolve = this.#resolve
    const incoming = new IncomingBody(this, untilClose)
    this.#resolve = undefined
    this.#reusable = false
    this.#tunnel = this.#endsWithConnection = true
    this.#incoming = incoming
    this.#requestDone = false
    const tunnel: Tunnel = {
      incoming,
      send: (outgoing) => {
        this.#outgoing = new OutgoingBody(this.#writer, this, untilClose)
        this.#outgoingBody = outgoing
        outgoing.start(this.#outgoing)
      },
    }
    resolve?.({ status: head.status, headers: head.headers, body: emptyBody, tunnel })
  }

  outgoingEnded(): void {
    this.#requestDone = true
    this.#outgoing = this.#outgoingBody = undefined
    if (this.#tunnel) {
      this.#writer.end()
      if (this.#incoming?.done) this.#end()
      return
    }
    if (this.#incoming === undefined && this.#resolve === undefined && this.#call !== undefined) this.#replyDone()
  }

  outgoingFailed(fault: Fault | undefined): void {
    this.#outgoing = undefined
    this.#abort(fault ?? { kind: 'client-gone', side: 'downstream', retry: 'never', cause: 'a body of another length' })
  }

  bodyWanted(): void {
    if (this.#inbox.length > 0) this.#work()
    if (this.#incoming?.flowing) this.#unpause()
  }

  bodyCancelled(fault: Fault): void {
    this.#incoming = undefined
    this.#abort(fault)
  }

  #feed(incoming: IncomingBody): void {
    const bytes = this.#inbox.peek()
    const taken = incoming.feed(bytes)
    if (this.#gone) return
    if (taken === bytes.length) this.#inbox.clear()
    else this.#inbox.skip(taken)
    if (incoming.trouble !== undefined) return this.#abort(this.#truncated(incoming.trouble))
    if (incoming.done) this.#replyDone()
    else if (this.#peerEnded) this.#finishIfEnded()
    // At once: one more read would only have to be kept.
    else if (incoming.paused) this.#pause()
  }

  #replyDone(): void {
    this.#incoming = undefined
    if (!this.#requestDone) {
      // Answered early: the rest of the request goes nowhere.
      const body = this.#outgoingBody
      this.#outgoing?.stop()
      this.#outgoing = this.#outgoingBody = undefined
      this.#reusable = false
      body?.cancel({ kind: 'client-gone', side: 'downstream', retry: 'never', cause: 'answered early' })
    }
    this.#call = undefined
    this.#unpause()
    // Anything after the end is an answer that nobody asked for: it must not meet the next request.
    const isOver = this.#peerEnded || this.#inbox.length > 0 || !this.#socket.writable
    if (!this.#reusable || isOver) this.#lost(undefined)
    else this.#parts.idle(this)
  }

  #onEnd(): void {
    this.#peerEnded = true
    this.#finishIfEnded()
  }

  /** The peer's end is the end of a reply without other framing, and of one direction of a tunnel; else it is a loss. */
  #finishIfEnded(): void {
    const incoming = this.#incoming
    // What has come may be all that was to come: it is read first.
    if (incoming !== undefined && this.#inbox.length > 0) return
    if (incoming === undefined || !this.#endsWithConnection) return this.#lost(undefined)
    incoming.finish()
    if (!this.#tunnel) this.#replyDone()
    else if (this.#requestDone) this.#end()
  }

  /** The connection is gone, or is not to be used any more. */
  #lost(error: Error | undefined): void {
    if (this.#gone) return
    const cause = error === undefined ? 'the connection was closed' : errorText(error)
    if (this.#call === undefined) return this.#end()
    const endpoint = this.#parts.endpoint
    if (this.#resolve === undefined) return this.#abort(this.#truncated(cause))
    if (error !== undefined && isTlsRefusal(error)) {
      return this.#abort({ kind: 'tls-failed', side: 'upstream', retry: 'safe', endpoint, cause })
    }
    const sentBytes = this.#headBytes + (this.#outgoing?.bytes ?? 0)
    this.#abort({ kind: 'reset', side: 'upstream', retry: 'if-idempotent', endpoint, sentBytes, cause })
  }

  /** Ends the call in flight with `fault`, and the connection. */
  #abort(fault: Fault): void {
    const resolve = this.#resolve
    const incoming = this.#incoming
    const outgoing = this.#outgoing
    const body = this.#outgoingBody
    this.#call = this.#resolve = this.#incoming = this.#outgoing = this.#outgoingBody = undefined
    this.#end()
    outgoing?.stop()
    if (outgoing !== undefined) body?.cancel(fault)
    incoming?.fail(fault)
    resolve?.(fault)
  }

  #end(): void {
    this.#gone = true
    this.#inbox.clear()
    this.#socket.destroy()
    if (this.#told) return
    this.#told = true
    this.#parts.closed(this)
  }

  #pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.#socket.pause()
  }

  #unpause(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#socket.resume()
  }

  #badReply(cause: string): Fault {
    return { kind: 'bad-reply', side: 'upstream', retry: 'if-idempotent', endpoint: this.#parts.endpoint, cause }
  }

  #truncated(cause: string): Fault {
    return { kind: 'truncated', side: 'upstream', retry: 'never', endpoint: this.#parts.endpoint, cause }
  }
}

/** A TLS alert instead of a first byte: the server refused our certificate, so it has read no request. */
const isTlsRefusal = (error: Error): boolean =>
  'code' in error && typeof error.code === 'string' && error.code.startsWith('ERR_SSL')

const errorText = (error: Error): string => ('code' in error ? `${String(error.code)}` : error.message)
