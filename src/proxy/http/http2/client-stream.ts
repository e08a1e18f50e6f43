import { createHash } from 'node:crypto'
import type { Address } from '../../../base/address.ts'
import { emptyBody } from '../body.ts'
import type { Fault } from '../fault.ts'
import { headerField, headerValue, type Headers } from '../headers.ts'
import type { Call, Reply } from '../service.ts'
import type { Connection } from './connection.ts'
import {
  authorityField,
  lengthField,
  methodField,
  pathField,
  protocolField,
  readTrailers,
  schemeField,
  teField,
} from './fields.ts'
import type { Field } from './hpack/field.ts'
import { limits } from './limits.ts'
import { readReplyHead, type ReplyHead } from './reply-head.ts'
import type { Stream, StreamUser } from './stream.ts'
import { errorCode } from './wire.ts'

/** The connection that a call goes out on. */
export interface ClientHost {
  readonly endpoint: Address
  readonly connection: Connection
  /** The peer's settings have come. */
  readonly settledOnce: boolean
  onSettled(then: () => void): void
  /** False: the peer said that it has not looked at this stream. */
  taken(streamId: number): boolean
  /** The call is over. */
  over(): void
}

/** Methods for which an absent body is usual: without one they carry no content-length. */
const bodiless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'DELETE', 'TRACE', 'CONNECT'])

/** One call and its answer. */
export class ClientStream implements StreamUser {
  /** Resolves at the final reply head. */
  readonly answer: Promise<Reply | Fault>
  readonly #host: ClientHost
  readonly #stream: Stream
  readonly #call: Call
  #resolve: ((answer: Reply | Fault) => void) | undefined
  #outgoing: { resume(): void; cancel(fault: Fault): void } | undefined
  #tunnel = false
  #over = false
  #informational = 0
  /** The head's fields, once they have been written. */
  #sentFirst: Headers = []
  #sentHeaders: Headers = []

  constructor(host: ClientHost, stream: Stream, call: Call) {
    this.#host = host
    this.#stream = stream
    this.#call = call
    stream.user = this
    this.answer = new Promise((resolve) => {
      this.#resolve = resolve
    })
    call.onCancel((fault) => this.#abort(fault, errorCode.cancel))
    if (this.#over) return
    if (call.upgrade === undefined) this.#send()
    else if (host.settledOnce) this.#connect(call.upgrade)
    else host.onSettled(() => this.#over || this.#connect(call.upgrade ?? ''))
  }

  #send(): void {
    const { method, scheme, authority, path, body } = this.#call
    const pseudo = [methodField(method), schemeField[scheme], authorityField(authority), pathField(path)]
    const { length } = body
    const end = length === 0
    this.#writeHead(pseudo, length === undefined || (end && bodiless.has(method)) ? undefined : length, end)
    if (end) return
    this.#stream.announced = length
    this.#outgoing = body
    body.start(this.#stream)
  }

  /** Source: RFC 8441, section 4. */
  #connect(protocol: string): void {
    if (!this.#host.connection.peer.extendedConnect)
      return this.#abort(this.#notProcessed('it takes no upgrades over HTTP/2'), errorCode.cancel)
    const { scheme, authority, path } = this.#call
    const pseudo = [
      methodField('CONNECT'),
      protocolField(protocol),
      schemeField[scheme],
      authorityField(authority),
      pathField(path),
    ]
    this.#writeHead(pseudo, undefined, false)
  }

  #writeHead(first: Field[], length: number | undefined, end: boolean): void {
    const { headers } = this.#call
    if (length !== undefined) first.push(lengthField(length))
    if (headerValue(headers, 'content-type')?.startsWith('application/grpc')) first.push(teField)
    this.#sentFirst = first
    this.#sentHeaders = headers
    // A stream that ends here is on the connection still: the reply is to come.
    this.#stream.sent = end
    this.#host.connection.writeHeaders(this.#stream.id, first, headers, end)
  }

  /** A header block has come: informational, the reply's head, or its trailers. */
  headers(fields: readonly Field[], tooLarge: boolean, end: boolean): void {
    if (this.#over) return
    if (this.#resolve === undefined) return this.#trailers(fields, tooLarge, end)
    const head = tooLarge ? 'the reply head is over its limits' : readReplyHead(fields, this.#call.method, end)
    if (typeof head === 'string') return this.#error(head)
    if (head.status >= 200) return this.#reply(head, end)
    if (++this.#informational > limits.informationalReplies)
      return this.#error(`more than ${limits.informationalReplies} informational replies`)
    this.#call.onInformational?.(head.status, head.headers)
  }

  #trailers(fields: readonly Field[], tooLarge: boolean, end: boolean): void {
    const stream = this.#stream
    const trailers = tooLarge ? 'trailers over the limits' : readTrailers(fields)
    if (!end || typeof trailers === 'string') return this.#error('trailers that are none')
    if (stream.length !== undefined && stream.length !== stream.receivedBytes)
      return this.#error('DATA that is not as long as content-length says')
    this.#host.connection.receiveEnd(stream, trailers)
  }

  #reply({ status, headers, length }: ReplyHead, end: boolean): void {
    const resolve = this.#resolve
    const stream = this.#stream
    this.#resolve = undefined
    stream.headed = true
    if (this.#call.upgrade !== undefined && status < 300 && !end) {
      this.#tunnel = true
      resolve?.({
        status: 101,
        headers: this.#accepted(headers),
        body: emptyBody,
        tunnel: {
          incoming: stream,
          send: (outgoing) => {
            this.#outgoing = outgoing
            outgoing.start(stream)
          },
        },
      })
      return
    }
    stream.length = length
    resolve?.({ status, headers, body: end ? emptyBody : stream })
    if (end) this.#host.connection.receiveEnd(stream, undefined)
  }

  /** A client of HTTP/1.1 wants proof that its key was understood, which HTTP/2 leaves out. Source: RFC 6455, section 4.2.2. */
  #accepted(headers: Headers): Headers {
    const key = headerValue(this.#call.headers, 'sec-websocket-key')
    if (key === undefined || headerValue(headers, 'sec-websocket-accept') !== undefined) return headers
    const proof = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
    return [...headers, headerField('sec-websocket-accept', proof)]
  }

  sent(): void {
    if (this.#stream.received) this.#finish()
  }

  received(): void {
    if (this.#stream.sent) return this.#finish()
    if (this.#tunnel) return
    // Answered early: the rest of the request goes nowhere.
    this.#host.connection.reset(this.#stream, errorCode.none)
    this.#stream.stopSending()
    this.#outgoing?.cancel(answeredEarly)
    this.#finish()
  }

  sendFailed(fault: Fault | undefined): void {
    this.#outgoing = undefined
    this.#abort(fault ?? wrongLength, errorCode.cancel)
  }

  writable(): void {
    this.#outgoing?.resume()
  }

  unwanted(fault: Fault): void {
    this.#abort(fault, errorCode.cancel)
  }

  lost(code: number | undefined, cause: string, ours: boolean): void {
    if (this.#over) return
    this.#end(this.#resolve === undefined ? this.#truncated(cause) : this.#unanswered(code, cause, ours))
  }

  #unanswered(code: number | undefined, cause: string, ours: boolean): Fault {
    const { endpoint, settledOnce } = this.#host
    if (ours) return { kind: 'bad-reply', side: 'upstream', retry: 'if-idempotent', endpoint, cause }
    if (code === errorCode.refusedStream || !this.#host.taken(this.#stream.id)) return this.#notProcessed(cause)
    // A TLS alert instead of a first byte: the server refused our certificate, so it has read no request.
    if (code === undefined && !settledOnce && cause.startsWith('ERR_SSL'))
      return { kind: 'tls-failed', side: 'upstream', retry: 'safe', endpoint, cause }
    const sentBytes = fieldBytes(this.#sentFirst) + fieldBytes(this.#sentHeaders) + this.#stream.sentBytes
    const withConnection = code === undefined
    return { kind: 'reset', side: 'upstream', retry: 'if-idempotent', endpoint, sentBytes, cause, withConnection }
  }

  #error(cause: string): void {
    this.#host.connection.streamError(this.#stream.id, errorCode.protocol, cause)
  }

  /** Ends the call from here. */
  #abort(fault: Fault, code: (typeof errorCode)['cancel']): void {
    if (this.#over) return
    this.#host.connection.reset(this.#stream, code)
    this.#end(fault)
  }

  #end(fault: Fault): void {
    const resolve = this.#resolve
    const outgoing = this.#stream.sent ? undefined : this.#outgoing
    this.#finish()
    this.#stream.stopSending()
    outgoing?.cancel(fault)
    this.#stream.failReceiving(fault)
    resolve?.(fault)
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    this.#resolve = this.#outgoing = undefined
    this.#host.over()
  }

  #notProcessed(cause: string): Fault {
    return { kind: 'not-processed', side: 'upstream', retry: 'safe', endpoint: this.#host.endpoint, cause }
  }

  #truncated(cause: string): Fault {
    return { kind: 'truncated', side: 'upstream', retry: 'never', endpoint: this.#host.endpoint, cause }
  }
}

function fieldBytes(headers: Headers): number {
  let bytes = 0
  for (const { name, value } of headers) bytes += name.length + value.length
  return bytes
}

const answeredEarly: Fault = { kind: 'client-gone', side: 'downstream', retry: 'never', cause: 'answered early' }
const wrongLength: Fault = {
  kind: 'client-gone',
  side: 'downstream',
  retry: 'never',
  cause: 'a body of another length',
}
