import { errorCode, flag, frameType, headBytes, maxFrameBytes, preface, type ErrorCode } from './wire.ts'

/** Who takes frames. Once it says `stopped`, nothing more is read. */
export interface FrameTaker {
  readonly stopped: boolean
  /** A whole frame, but DATA. The bytes are valid until this returns. */
  frame(type: number, flags: number, streamId: number, bytes: Buffer, from: number, to: number): void
  /** A DATA frame begins; `length` is what flow control counts, padding included, of which `body` octets are data. */
  dataBegins(flags: number, streamId: number, length: number, body: number): void
  /** A piece of that frame's data; all of `body` in the end. */
  data(piece: Buffer): void
  /** The last byte of that frame's data has been given. */
  dataEnds(): void
  /** What came is no frame; the connection is to end. */
  broken(code: ErrorCode, cause: string): void
}

const mode = { preface: 0, head: 1, payload: 2, padLength: 3, data: 4, padding: 5 } as const

/** Takes a connection's bytes apart, wherever they are cut. Data is passed on as it comes; any other frame once it is whole. */
export class FrameReader {
  readonly #taker: FrameTaker
  #mode: number
  /** Bytes of a head, or of a frame, that was cut; made on first use. */
  #kept: Buffer | undefined
  #keptBytes = 0
  #type = 0
  #flags = 0
  #streamId = 0
  #length = 0
  /** Octets of data, then of padding, still to come. */
  #left = 0
  #padding = 0

  /** `fromClient`: the preface comes first. */
  constructor(taker: FrameTaker, fromClient: boolean) {
    this.#taker = taker
    this.#mode = fromClient ? mode.preface : mode.head
  }

  /** Part of a frame has come, but of DATA. */
  get midFrame(): boolean {
    return this.#mode < mode.padLength && this.#keptBytes > 0
  }

  read(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && !this.#taker.stopped) at = this.#step(chunk, at)
  }

  #step(chunk: Buffer, at: number): number {
    switch (this.#mode) {
      case mode.preface:
        return this.#preface(chunk, at)
      case mode.head:
        return this.#head(chunk, at)
      case mode.payload:
        return this.#payload(chunk, at)
      case mode.padLength:
        this.#padding = chunk[at] ?? 0
        this.#beginData(this.#length - 1 - this.#padding)
        return at + 1
      case mode.data:
        return this.#data(chunk, at)
      default: {
        const skipped = Math.min(this.#padding, chunk.length - at)
        this.#padding -= skipped
        if (this.#padding === 0) this.#mode = mode.head
        return at + skipped
      }
    }
  }

  #preface(chunk: Buffer, at: number): number {
    const count = Math.min(preface.length - this.#keptBytes, chunk.length - at)
    if (chunk.compare(preface, this.#keptBytes, this.#keptBytes + count, at, at + count) !== 0)
      this.#taker.broken(errorCode.protocol, 'the connection preface is not that of HTTP/2')
    this.#keptBytes += count
    if (this.#keptBytes === preface.length) {
      this.#keptBytes = 0
      this.#mode = mode.head
    }
    return at + count
  }

  #head(chunk: Buffer, at: number): number {
    if (this.#keptBytes === 0 && chunk.length - at >= headBytes) {
      this.#begin(chunk, at)
      return at + headBytes
    }
    const end = this.#keep(chunk, at, headBytes)
    if (this.#keptBytes < headBytes || this.#kept === undefined) return end
    this.#keptBytes = 0
    this.#begin(this.#kept, 0)
    return end
  }

  #begin(bytes: Buffer, at: number): void {
    this.#length = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
    this.#type = bytes[at + 3] ?? 0
    this.#flags = bytes[at + 4] ?? 0
    this.#streamId = bytes.readUInt32BE(at + 5) & 0x7fff_ffff
    if (this.#length > maxFrameBytes)
      return this.#taker.broken(errorCode.frameSize, `a frame of ${this.#length} octets, over ${maxFrameBytes}`)
    if (this.#type !== frameType.data) {
      this.#mode = mode.payload
      if (this.#length === 0) this.#whole(bytes, 0, 0)
    } else if ((this.#flags & flag.padded) === 0) {
      this.#padding = 0
      this.#beginData(this.#length)
    } else if (this.#length === 0) this.#taker.broken(errorCode.frameSize, 'padded DATA without room for its padding')
    else this.#mode = mode.padLength
  }

  #beginData(body: number): void {
    if (body < 0) return this.#taker.broken(errorCode.protocol, 'DATA with more padding than there is room')
    this.#left = body
    this.#mode = mode.data
    this.#taker.dataBegins(this.#flags, this.#streamId, this.#length, body)
    if (body === 0) this.#endData()
  }

  #data(chunk: Buffer, at: number): number {
    const end = Math.min(at + this.#left, chunk.length)
    this.#left -= end - at
    this.#taker.data(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end))
    if (this.#left === 0) this.#endData()
    return end
  }

  #endData(): void {
    this.#mode = this.#padding > 0 ? mode.padding : mode.head
    this.#taker.dataEnds()
  }

  #payload(chunk: Buffer, at: number): number {
    if (this.#keptBytes === 0 && chunk.length - at >= this.#length) {
      this.#whole(chunk, at, at + this.#length)
      return at + this.#length
    }
    const end = this.#keep(chunk, at, this.#length)
    if (this.#keptBytes < this.#length || this.#kept === undefined) return end
    const kept = this.#kept
    this.#keptBytes = 0
    this.#kept = undefined
    this.#whole(kept, 0, this.#length)
    return end
  }

  #whole(bytes: Buffer, from: number, to: number): void {
    this.#mode = mode.head
    this.#taker.frame(this.#type, this.#flags, this.#streamId, bytes, from, to)
  }

  /** Puts aside what there is of `wanted` bytes. */
  #keep(chunk: Buffer, at: number, wanted: number): number {
    if (this.#kept === undefined || this.#kept.length < wanted) this.#kept = Buffer.allocUnsafe(wanted)
    const end = Math.min(at + wanted - this.#keptBytes, chunk.length)
    chunk.copy(this.#kept, this.#keptBytes, at, end)
    this.#keptBytes += end - at
    return end
  }
}
