import type { ConnectionParts, Link, Side } from './connection-parts.ts'
import { FrameReader, type FrameTaker } from './frame-reader.ts'
import { HeaderBlocks } from './header-blocks.ts'
import { chatterCost, chatterGain } from './limits.ts'
import { readSettings } from './settings.ts'
import type { Stream } from './stream.ts'
import { errorCode, errorName, flag, frameType, maxWindow, type ErrorCode } from './wire.ts'

/** What our PINGs say. */
export const drainPing: number = 1
export const livePing = 2

/** Every frame that the peer sends: checked, counted, and handed to the stream, the side or the connection it is for. */
export class IncomingFrames implements FrameTaker {
  readonly #link: Link
  readonly #side: Side
  readonly #parts: ConnectionParts
  readonly #reader: FrameReader
  readonly #blocks = new HeaderBlocks()
  #receiveWindow: number
  /** Octets of DATA that the peer has not been given back. */
  #untold = 0
  #settledOnce = false
  #dataStream: Stream | undefined
  #dataEnds = false

  constructor(link: Link, side: Side, parts: ConnectionParts) {
    this.#link = link
    this.#side = side
    this.#parts = parts
    this.#reader = new FrameReader(this, !parts.client)
    this.#receiveWindow = parts.limits.connectionWindowBytes
  }

  get stopped(): boolean {
    return this.#link.stopped
  }

  /** Something that must come to its end soon has begun: the first frames, a frame, a header block. */
  get incomplete(): boolean {
    return this.#blocks.streamId !== 0 || this.#reader.midFrame || !this.#settledOnce
  }

  read(chunk: Buffer): void {
    this.#reader.read(chunk)
  }

  broken(code: ErrorCode, cause: string): void {
    this.#link.broken(code, cause)
  }

  frame(type: number, flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (!this.#settledOnce && (type !== frameType.settings || (flags & flag.ack) !== 0))
      return this.broken(errorCode.protocol, 'the first frame is not SETTINGS')
    if (this.#blocks.streamId !== 0 && (type !== frameType.continuation || id !== this.#blocks.streamId))
      return this.broken(errorCode.protocol, 'a frame within a header block')
    switch (type) {
      case frameType.headers:
      case frameType.continuation:
        return this.#headersFrame(type, flags, id, bytes, from, to)
      case frameType.windowUpdate:
        return this.#windowUpdate(id, bytes, from, to)
      case frameType.rstStream:
        return this.#rstStream(id, bytes, from, to)
      case frameType.settings:
        return this.#settings(flags, id, bytes, from, to)
      case frameType.ping:
        return this.#ping(flags, id, bytes, from, to)
      case frameType.goAway:
        if (id !== 0) return this.broken(errorCode.protocol, 'GOAWAY on a stream')
        if (to - from < 8) return this.broken(errorCode.frameSize, 'GOAWAY of a wrong size')
        return this.#side.goneAway(
          bytes.readUInt32BE(from) & maxWindow,
          `it said GOAWAY (${errorName(bytes.readUInt32BE(from + 4))})`,
        )
      case frameType.priority:
        if (id === 0) return this.broken(errorCode.protocol, 'PRIORITY on the connection')
        if (to - from !== 5) return this.#link.streamError(id, errorCode.frameSize, 'PRIORITY of a wrong size')
        return void this.#link.spend(chatterCost.frame)
      case frameType.pushPromise:
        return this.broken(errorCode.protocol, 'PUSH_PROMISE')
      default:
        // Source: RFC 9113, section 5.5: unknown frames are ignored.
        this.#link.spend(chatterCost.frame)
    }
  }

  #headersFrame(type: number, flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    const blocks = this.#blocks
    const trouble =
      type === frameType.headers ? blocks.begin(flags, id, bytes, from, to) : blocks.more(flags, id, bytes, from, to)
    if (trouble !== undefined) return this.broken(trouble.code, trouble.cause)
    const cost = from === to ? chatterCost.empty : chatterCost.continuation
    if (type === frameType.continuation && !this.#link.spend(cost)) return
    if (!blocks.complete) return
    const { decoder, ends } = blocks
    if (!blocks.decode()) return this.broken(errorCode.compression, 'a header block is not valid HPACK')
    // Two more of it may be on their way: what came before our RST_STREAM did.
    if (this.#link.wasReset(id) && !this.#link.streams.has(id)) return
    this.#side.headers(id, decoder.fields, decoder.tooLarge, ends)
  }

  #windowUpdate(id: number, bytes: Buffer, from: number, to: number): void {
    if (to - from !== 4) return this.broken(errorCode.frameSize, 'WINDOW_UPDATE of a wrong size')
    const by = bytes.readUInt32BE(from) & maxWindow
    if (!this.#link.spend(chatterCost.frame)) return
    if (id === 0) {
      if (by === 0) return this.broken(errorCode.protocol, 'WINDOW_UPDATE by 0')
      return this.#link.allow(by)
    }
    const stream = this.#link.streams.get(id)
    if (stream === undefined) {
      if (this.#link.isIdle(id)) this.broken(errorCode.protocol, 'WINDOW_UPDATE on an idle stream')
      return
    }
    if (by === 0) return this.#link.streamError(id, errorCode.protocol, 'WINDOW_UPDATE by 0')
    this.#link.allowStream(stream, by)
  }

  #rstStream(id: number, bytes: Buffer, from: number, to: number): void {
    if (to - from !== 4) return this.broken(errorCode.frameSize, 'RST_STREAM of a wrong size')
    const stream = this.#link.streams.get(id)
    if (stream === undefined) {
      if (id === 0 || this.#link.isIdle(id)) return this.broken(errorCode.protocol, 'RST_STREAM on an idle stream')
      this.#link.resetAgain(id)
      return void this.#link.spend(chatterCost.frame)
    }
    const code = bytes.readUInt32BE(from)
    this.#link.drop(stream)
    stream.stopSending()
    stream.user.lost(code, `it reset the stream (${errorName(code)})`, false)
    this.#link.countReset()
  }

  #settings(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (id !== 0) return this.broken(errorCode.protocol, 'SETTINGS on a stream')
    if ((flags & flag.ack) !== 0) {
      if (to !== from) return this.broken(errorCode.frameSize, 'a SETTINGS acknowledgement that says something')
      return void this.#link.spend(chatterCost.frame)
    }
    const next = readSettings(this.#link.peer, bytes, from, to, this.#parts.client)
    if ('cause' in next) return this.broken(next.code, next.cause)
    if (!this.#link.spend(chatterCost.settings + (to - from) / 6)) return
    this.#settledOnce = true
    this.#link.adopt(next)
  }

  #ping(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if (id !== 0) return this.broken(errorCode.protocol, 'PING on a stream')
    if (to - from !== 8) return this.broken(errorCode.frameSize, 'PING of a wrong size')
    if (!this.#link.spend(chatterCost.frame)) return
    if ((flags & flag.ack) === 0) this.#link.writer.pong(bytes, from)
    else if (bytes.readUInt32BE(from + 4) === drainPing) this.#side.ponged()
  }

  dataBegins(flags: number, id: number, length: number, body: number): void {
    if (!this.#settledOnce) return this.broken(errorCode.protocol, 'the first frame is not SETTINGS')
    if (this.#blocks.streamId !== 0) return this.broken(errorCode.protocol, 'DATA within a header block')
    if (id === 0) return this.broken(errorCode.protocol, 'DATA on the connection')
    this.#dataStream = undefined
    this.#receiveWindow -= length
    if (this.#receiveWindow < 0) return this.broken(errorCode.flowControl, 'more DATA than the connection window')
    // Given back at once: what bounds memory are the windows of streams, and so one slow reader never stops the others.
    this.#untold += length
    if (this.#untold >= this.#parts.limits.connectionWindowBytes >> 1) {
      this.#receiveWindow += this.#untold
      this.#link.writer.words(frameType.windowUpdate, 0, 0, this.#untold)
      this.#untold = 0
    }
    const ends = (flags & flag.endStream) !== 0
    if (body > 0) this.#link.credit(chatterGain.received)
    else if (!ends && !this.#link.spend(chatterCost.empty)) return
    const stream = this.#link.streams.get(id)
    if (stream === undefined) {
      if (this.#link.wasReset(id)) return
      if (this.#link.isIdle(id)) return this.broken(errorCode.protocol, 'DATA on an idle stream')
      return this.#link.streamError(id, errorCode.streamClosed, 'DATA on a closed stream')
    }
    if (stream.received) return this.#link.streamError(id, errorCode.streamClosed, 'DATA after the end of the stream')
    if (!stream.headed) return this.#link.streamError(id, errorCode.protocol, 'DATA before the head')
    stream.receiveWindow -= length
    if (stream.receiveWindow < 0)
      return this.#link.streamError(id, errorCode.flowControl, 'more DATA than the stream window')
    const total = stream.receivedBytes + body
    if (stream.length !== undefined && (total > stream.length || (ends && total < stream.length)))
      return this.#link.streamError(id, errorCode.protocol, 'DATA that is not as long as content-length says')
    stream.activeMs = this.#parts.sweeper.nowMs
    this.#dataStream = stream
    this.#dataEnds = ends
    if (length > body) this.#link.taken(stream, length - body)
  }

  data(piece: Buffer): void {
    const stream = this.#dataStream
    if (stream?.open === true) stream.receive(piece)
  }

  dataEnds(): void {
    const stream = this.#dataStream
    this.#dataStream = undefined
    if (stream?.open === true && this.#dataEnds) this.#link.receiveEnd(stream, undefined)
  }
}
