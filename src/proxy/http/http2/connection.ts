import type { Socket } from 'node:net'
import { readShared } from '../../../base/shared-reads.ts'
import type { Swept } from '../../../base/sweeper.ts'
import type { Headers } from '../headers.ts'
import { Allowance } from './allowance.ts'
import { FrameWriter } from './frame-writer.ts'
import type { ConnectionParts, Link, Side } from './connection-parts.ts'
import { drainPing, IncomingFrames, livePing } from './incoming-frames.ts'
import { beginBound, fieldBound, Encoder } from './hpack/encoder.ts'
import type { Field } from './hpack/field.ts'
import { chatterGain, limits, type Http2Limits } from './limits.ts'
import { firstSettings, type PeerSettings } from './settings.ts'
import { Stream, type StreamCarrier } from './stream.ts'
import { StreamTable } from './stream-table.ts'
import { errorCode, firstWindow, flag, frameType, maxWindow, type ErrorCode } from './wire.ts'

/** How long a peer may take to answer when asked whether it lives, and to hear our last words; ms. */
const defaultPongMs = 10_000
const lingerMs = 2000

/** Frames, flow control and settings of one HTTP/2 connection. Source: RFC 9113. */
export class Connection implements Link, StreamCarrier, Swept {
  readonly streams: StreamTable<Stream> = new StreamTable()
  readonly writer: FrameWriter
  readonly encoder: Encoder = new Encoder()
  stopped = false
  peer: PeerSettings = firstSettings
  /** The highest stream that the peer (server side) or we (client side) have opened. */
  lastStreamId = 0
  readonly #socket: Socket
  readonly #side: Side
  readonly #parts: ConnectionParts
  readonly #incoming: IncomingFrames
  readonly #chatter: Allowance
  readonly #resets: Allowance
  /** Streams that we reset: what the peer had sent before it knew is ignored. Bounded, oldest first. */
  readonly #resetHere = new Set<number>()
  #blocked = new Set<Stream>()
  #sendWindow = firstWindow
  #heardMs: number
  #startedMs: number
  #pinged = false
  #closingMs = 0
  #over = false
  #told = false

  constructor(socket: Socket, side: Side, parts: ConnectionParts) {
    const { sweeper, limits: own } = parts
    this.#socket = socket
    this.#side = side
    this.#parts = parts
    this.writer = new FrameWriter(socket)
    this.#chatter = new Allowance(limits.chatter, sweeper.nowMs)
    this.#resets = new Allowance(own.resets, sweeper.nowMs)
    this.#incoming = new IncomingFrames(this, side, parts)
    this.#heardMs = this.#startedMs = sweeper.nowMs
    this.#begin(own)
    readShared(socket, this.#onData)
    socket.on('drain', this.#onDrain)
    socket.on('end', () => (this.stopped ? void socket.destroy() : this.close('the peer closed the connection')))
    socket.on('error', (error) => this.#gone(errorText(error)))
    socket.on('close', () => this.#gone('the connection was lost'))
    sweeper.add(this)
    socket.resume()
  }

  #begin(own: Http2Limits): void {
    const { client } = this.#parts
    if (client) this.writer.preface()
    this.writer.settings([
      client ? [2, 0] : [3, own.streams],
      [4, own.streamWindowBytes],
      [6, limits.listBytes],
      ...(client ? [] : [[8, 1] as const]),
    ])
    this.writer.words(frameType.windowUpdate, 0, 0, own.connectionWindowBytes - firstWindow)
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#heardMs = this.#parts.sweeper.nowMs
    this.#pinged = false
    if (this.stopped) return
    try {
      this.#incoming.read(chunk)
      if (this.writer.unread > limits.floodBytes) this.#gone('the peer does not read what it asks for')
    } catch (error) {
      // Bytes from a peer must never end the process, whatever bug they find.
      this.#failed(error)
    }
  }

  readonly #onDrain = (): void => {
    try {
      this.#pumpAll()
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    this.#side.failed(error)
    this.#gone('a bug of this proxy')
  }

  // Streams.

  /** Opens a stream, by us or by the peer. */
  open(id: number): Stream {
    const { peer } = this
    const { limits: own, sweeper } = this.#parts
    const stream = new Stream(id, this, peer.initialWindow, own.streamWindowBytes, sweeper.nowMs)
    // A request begins its stream; a reply comes on one that is there.
    stream.headed = !this.#parts.client
    this.lastStreamId = id
    this.streams.add(stream)
    this.#chatter.give(chatterGain.stream)
    return stream
  }

  /** Ends a stream at once; its user is not told. */
  reset(stream: Stream, code: ErrorCode): void {
    if (!stream.open) return
    this.resetId(stream.id, code)
    this.drop(stream)
  }

  /** Answers a stream that was never opened. */
  resetId(id: number, code: ErrorCode): void {
    this.writer.words(frameType.rstStream, 0, id, code)
    this.#resetHere.add(id)
    if (this.#resetHere.size <= resetsKept) return
    for (const oldest of this.#resetHere) {
      this.#resetHere.delete(oldest)
      break
    }
  }

  /** The peer has broken the rules for one stream. */
  streamError(id: number, code: ErrorCode, cause: string): void {
    const stream = this.streams.get(id)
    if (!this.countReset()) return
    if (stream === undefined) return this.resetId(id, code)
    this.reset(stream, code)
    stream.stopSending()
    stream.user.lost(code, cause, true)
  }

  /** Takes the stream off. Both directions are over, or it was reset. */
  drop(stream: Stream): void {
    if (!stream.open) return
    stream.open = false
    this.streams.delete(stream.id)
    if (this.#blocked.size > 0) this.#blocked.delete(stream)
    if (this.streams.size === 0 && !this.#over) this.#side.emptied()
  }

  /** A header block for the stream: `first` with its pseudo-headers, then `headers`; `end`: nothing follows. */
  writeHeaders(streamId: number, first: readonly Field[], headers: Headers, end: boolean): void {
    const { writer, encoder } = this
    let bound = beginBound
    for (const field of first) bound += fieldBound(field)
    for (const field of headers) bound += fieldBound(field)
    let at = encoder.begin(writer.out, writer.beginHeaders(bound))
    for (const field of first) at = encoder.field(writer.out, at, field)
    for (const field of headers) at = encoder.field(writer.out, at, field)
    writer.endHeaders(streamId, at, end)
  }

  // What streams need.

  get full(): boolean {
    return this.writer.full
  }

  write(stream: Stream, chunk: Buffer, from: number): number {
    if (this.full) return from
    const end = from + Math.min(chunk.length - from, stream.sendWindow, this.#sendWindow)
    if (end <= from) return from
    stream.sendWindow -= end - from
    this.#sendWindow -= end - from
    stream.activeMs = this.#parts.sweeper.nowMs
    this.#chatter.give(chatterGain.sent)
    this.writer.data(stream.id, chunk, from, end)
    return end
  }

  writeEnd(stream: Stream, trailers: Headers | undefined): void {
    if (trailers === undefined || trailers.length === 0) this.writer.endData(stream.id)
    else this.writeHeaders(stream.id, [], trailers, true)
    if (stream.received) this.drop(stream)
  }

  wait(stream: Stream): void {
    this.#blocked.add(stream)
  }

  taken(stream: Stream, bytes: number): void {
    if (stream.received) return
    stream.untold += bytes
    if (stream.untold < this.#parts.limits.streamWindowBytes >> 1 || !stream.open) return
    this.writer.words(frameType.windowUpdate, 0, stream.id, stream.untold)
    stream.receiveWindow += stream.untold
    stream.untold = 0
  }

  #pumpAll(): void {
    const blocked = this.#blocked
    if (blocked.size === 0) return
    // Who is not done goes into the new set, behind those who have not had their turn.
    this.#blocked = new Set()
    for (const stream of blocked) stream.pump()
  }

  // What the peer says.

  /** The peer has broken the rules for the whole connection. */
  broken(code: ErrorCode, cause: string): void {
    if (this.stopped) return
    this.writer.words(frameType.goAway, 0, 0, this.#parts.client ? 0 : this.lastStreamId, code)
    this.close(cause)
  }

  /** Takes from what frames that carry nothing may cost; false: that was too much, and the connection ends. */
  spend(cost: number): boolean {
    if (this.#chatter.take(cost, this.#parts.sweeper.nowMs)) return true
    this.broken(errorCode.enhanceYourCalm, 'too many frames that carry nothing')
    return false
  }

  /** One more stream has ended in a reset that the peer wanted or provoked. */
  countReset(): boolean {
    if (this.#resets.take(1, this.#parts.sweeper.nowMs)) return true
    this.broken(errorCode.enhanceYourCalm, 'too many streams that end in a reset')
    return false
  }

  /** The peer has done something useful. */
  credit(gain: number): void {
    this.#chatter.give(gain)
  }

  /** The peer allows so many more octets, in all or on one stream. */
  allow(bytes: number): void {
    this.#sendWindow += bytes
    if (this.#sendWindow > maxWindow) return this.broken(errorCode.flowControl, 'a window over 2^31 - 1')
    this.#pumpAll()
  }
  allowStream(stream: Stream, bytes: number): void {
    stream.sendWindow += bytes
    if (stream.sendWindow > maxWindow)
      return this.streamError(stream.id, errorCode.flowControl, 'a window over 2^31 - 1')
    stream.activeMs = this.#parts.sweeper.nowMs
    if (this.#blocked.delete(stream)) stream.pump()
  }

  /** The peer's settings have changed. */
  adopt(next: PeerSettings): void {
    const wider = next.initialWindow - this.peer.initialWindow
    this.peer = next
    this.encoder.allow(next.tableBytes)
    for (const stream of this.streams.all()) {
      stream.sendWindow += wider
      if (stream.sendWindow > maxWindow) return this.broken(errorCode.flowControl, 'a window over 2^31 - 1')
    }
    this.writer.words(frameType.settings, flag.ack, 0)
    if (wider > 0) this.#pumpAll()
    this.#side.settled(next)
  }

  /** We reset this stream lately: what the peer sent before it knew is ignored. */
  wasReset(id: number): boolean {
    return this.#resetHere.size > 0 && this.#resetHere.has(id)
  }

  /** The peer has reset a stream that is no more: if it was ours to ignore, it is not any longer. */
  resetAgain(id: number): void {
    this.#resetHere.delete(id)
  }

  /** No stream of this number was ever opened. */
  isIdle(id: number): boolean {
    return id > this.lastStreamId || (id & 1) === 0
  }

  /** The peer has ended its direction. */
  receiveEnd(stream: Stream, trailers: Headers | undefined): void {
    if (stream.sent) {
      stream.received = true
      this.drop(stream)
    }
    stream.receiveEnd(trailers)
    stream.user.received()
  }

  // The end.

  /** Says that streams up to `lastStreamId` are still served. */
  goAway(lastStreamId: number): void {
    this.writer.words(frameType.goAway, 0, 0, lastStreamId, errorCode.none)
  }

  /** Asks for a sign that everything so far was read; `Side.ponged` tells. */
  askForPong(): void {
    this.writer.words(frameType.ping, 0, 0, 0, drainPing)
  }

  /** Our last words leave, then the connection ends; what still comes is dropped. Streams are lost. */
  close(cause: string): void {
    if (this.stopped) return
    this.stopped = true
    this.#closingMs = this.#parts.sweeper.nowMs
    this.#loseStreams(cause)
    this.writer.flush()
    this.#socket.end()
    this.#tellClosed(cause)
  }

  /** Cuts the connection. */
  destroy(cause: string): void {
    this.#gone(cause)
  }

  #gone(cause: string): void {
    this.stopped = true
    this.#over = true
    this.#parts.sweeper.remove(this)
    this.#loseStreams(cause)
    this.#socket.destroy()
    this.#tellClosed(cause)
  }

  #loseStreams(cause: string): void {
    const lost = this.streams.all()
    this.streams.clear()
    this.#blocked.clear()
    for (const stream of lost) {
      stream.open = false
      stream.stopSending()
      stream.user.lost(undefined, cause, false)
    }
  }

  #tellClosed(cause: string): void {
    if (this.#told) return
    this.#told = true
    this.#side.closed(cause)
  }

  sweep(nowMs: number): void {
    const { headersTimeoutMs, keepAliveMs, pongMs = defaultPongMs, asksIdle = false, sweeper } = this.#parts
    const late = (sinceMs: number, limitMs: number): boolean =>
      limitMs > 0 && nowMs - sinceMs >= limitMs + sweeper.periodMs
    if (this.stopped) {
      if (late(this.#closingMs, lingerMs)) this.#gone('closed')
      return
    }
    if (!this.#incoming.incomplete) this.#startedMs = nowMs
    else if (late(this.#startedMs, headersTimeoutMs))
      return this.#gone('a frame or header block was not complete in time')
    if (this.#pinged && late(this.#heardMs, keepAliveMs + pongMs)) return this.#gone('the peer does not answer PING')
    if (!this.#pinged && (asksIdle || this.streams.size > 0) && late(this.#heardMs, keepAliveMs)) {
      this.#pinged = true
      this.writer.words(frameType.ping, 0, 0, 0, livePing)
    }
    this.#side.sweep(nowMs)
  }
}

const resetsKept = 1000

const errorText = (error: Error): string => ('code' in error ? `${String(error.code)}` : error.message)
