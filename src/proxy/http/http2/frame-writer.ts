import type { Socket } from 'node:net'
import { batchBytes, takeBatch, writeBatch } from '../batch.ts'
import { flushSoon } from '../flush.ts'
import { limits } from './limits.ts'
import { flag, frameType, headBytes, maxFrameBytes, preface } from './wire.ts'

/** The only writer of a socket: everything gathers in one batch, which is written once per turn of the event loop. */
export class FrameWriter {
  /** Where the next bytes go, from `at` on; only after `room`. */
  out: Buffer = nothing
  at = 0
  readonly #socket: Socket
  #waiting = false
  /** The flags of the newest frame of data in this batch, so that its stream can still be ended with it. */
  #dataFlagsAt = -1
  #dataStream = 0

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** The peer reads too slowly: no more bodies until the socket's "drain". */
  get full(): boolean {
    return this.#socket.writableLength > limits.unreadBytes
  }

  /** So many bytes have not left yet. */
  get unread(): number {
    return this.#socket.writableLength + this.at
  }

  /** Makes `bytes` fit behind `at`. */
  room(bytes: number): void {
    if (this.out.length - this.at < bytes) {
      this.flush()
      this.out = bytes > batchBytes ? Buffer.allocUnsafeSlow(bytes) : takeBatch()
    }
    if (this.#waiting) return
    this.#waiting = true
    flushSoon(this)
  }

  /** A frame's head at `at`; room must have been made. Returns where its payload goes. */
  head(at: number, length: number, type: number, flags: number, streamId: number): number {
    const { out } = this
    out[at] = length >>> 16
    out[at + 1] = length >>> 8
    out[at + 2] = length
    out[at + 3] = type
    out[at + 4] = flags
    out[at + 5] = streamId >>> 24
    out[at + 6] = streamId >>> 16
    out[at + 7] = streamId >>> 8
    out[at + 8] = streamId
    return at + headBytes
  }

  /** A whole frame whose payload is `numbers`, of 32 bits each. */
  words(type: number, flags: number, streamId: number, ...numbers: readonly number[]): void {
    this.room(headBytes + 4 * numbers.length)
    let at = this.head(this.at, 4 * numbers.length, type, flags, streamId)
    for (const number of numbers) at = this.out.writeUInt32BE(number >>> 0, at)
    this.at = at
  }

  preface(): void {
    this.room(preface.length)
    this.at += preface.copy(this.out, this.at)
  }

  settings(values: readonly (readonly [id: number, value: number])[]): void {
    const length = 6 * values.length
    this.room(headBytes + length)
    let at = this.head(this.at, length, frameType.settings, 0, 0)
    for (const [id, value] of values) at = this.out.writeUInt32BE(value, this.out.writeUInt16BE(id, at))
    this.at = at
  }

  pong(bytes: Buffer, from: number): void {
    this.room(headBytes + 8)
    const at = this.head(this.at, 8, frameType.ping, flag.ack, 0)
    this.at = at + bytes.copy(this.out, at, from, from + 8)
  }

  /** Copies `chunk` from `from` to `to` into frames of DATA. */
  data(streamId: number, chunk: Buffer, from: number, to: number): void {
    for (let at = from; at < to;) {
      const length = Math.min(maxFrameBytes, to - at)
      this.room(headBytes + length)
      this.#dataFlagsAt = this.at + 4
      this.#dataStream = streamId
      const body = this.head(this.at, length, frameType.data, 0, streamId)
      chunk.copy(this.out, body, at, at + length)
      this.at = body + length
      at += length
    }
  }

  /** Ends the stream with its last frame of data, if that is still here, else with an empty one. */
  endData(streamId: number): void {
    if (this.#dataStream === streamId && this.#dataFlagsAt >= 0) this.out[this.#dataFlagsAt] = flag.endStream
    else this.words(frameType.data, flag.endStream, streamId)
    this.#dataFlagsAt = -1
  }

  /** Where a header block of at most `bytes` goes: behind the room for its head. */
  beginHeaders(bytes: number): number {
    this.room(headBytes + bytes)
    return this.at + headBytes
  }

  /** Frames the block that was written from `beginHeaders` to `end`. */
  endHeaders(streamId: number, end: number, endStream: boolean): void {
    const from = this.at + headBytes
    const ends = endStream ? flag.endStream : 0
    if (end - from <= maxFrameBytes) {
      this.head(this.at, end - from, frameType.headers, ends | flag.endHeaders, streamId)
      this.at = end
      return
    }
    const block = Buffer.from(this.out.subarray(from, end))
    for (let at = 0; at < block.length; at += maxFrameBytes) {
      const length = Math.min(maxFrameBytes, block.length - at)
      this.room(headBytes + length)
      const type = at === 0 ? frameType.headers : frameType.continuation
      const last = at + length === block.length ? flag.endHeaders : 0
      const body = this.head(this.at, length, type, last | (at === 0 ? ends : 0), streamId)
      this.at = body + block.copy(this.out, body, at, at + length)
    }
  }

  /** Writes the batch. Called by the turn's end; sooner when it is full, or before the socket is ended. */
  flush(): void {
    const { out, at } = this
    this.#waiting = false
    this.#dataFlagsAt = -1
    this.at = 0
    this.out = nothing
    writeBatch(this.#socket, out, at)
  }
}

const nothing = Buffer.alloc(0)
