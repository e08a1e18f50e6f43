import { Decoder } from './hpack/decoder.ts'
import { limits } from './limits.ts'
import type { Trouble } from './settings.ts'
import { errorCode, flag } from './wire.ts'

const nothing = Buffer.alloc(0)

/** Puts header blocks together from HEADERS and CONTINUATION, and decodes them. */
export class HeaderBlocks {
  /** The stream whose block is not complete; 0: none. No other frame may come then. */
  streamId = 0
  complete = false
  /** The stream ends with this block. */
  ends = false
  readonly decoder: Decoder = new Decoder(limits)
  #bytes: Buffer = nothing
  #from = 0
  #to = 0
  /** Pieces of a block in several frames, joined in room that doubles. */
  #room: Buffer | undefined

  /** A HEADERS frame. Padding and priority are read over. */
  begin(flags: number, id: number, bytes: Buffer, from: number, to: number): Trouble | undefined {
    if ((id & 1) === 0) return { code: errorCode.protocol, cause: 'HEADERS on a stream that no client opens' }
    let start = from
    let end = to
    if ((flags & flag.padded) !== 0) {
      if (start === end) return { code: errorCode.frameSize, cause: 'padded HEADERS without room for its padding' }
      end -= bytes[start++] ?? 0
    }
    if ((flags & flag.priority) !== 0) start += 5
    if (start > end) return { code: errorCode.protocol, cause: 'HEADERS with more padding than there is room' }
    this.ends = (flags & flag.endStream) !== 0
    this.complete = (flags & flag.endHeaders) !== 0
    if (this.complete) {
      this.#bytes = bytes
      this.#from = start
      this.#to = end
      return undefined
    }
    this.streamId = id
    this.#room = Buffer.allocUnsafe(4096)
    this.#to = 0
    return this.#append(bytes, start, end)
  }

  /** A CONTINUATION frame. */
  more(flags: number, id: number, bytes: Buffer, from: number, to: number): Trouble | undefined {
    if (this.streamId === 0 || id !== this.streamId)
      return { code: errorCode.protocol, cause: 'CONTINUATION without a header block' }
    const trouble = this.#append(bytes, from, to)
    if (trouble !== undefined || (flags & flag.endHeaders) === 0) return trouble
    this.complete = true
    this.streamId = 0
    this.#bytes = this.#room ?? nothing
    this.#from = 0
    this.#room = undefined
    return undefined
  }

  /** Decodes the complete block into `decoder`; false when it is not valid. */
  decode(): boolean {
    const good = this.decoder.decode(this.#bytes, this.#from, this.#to)
    this.#bytes = nothing
    this.complete = false
    return good
  }

  #append(bytes: Buffer, from: number, to: number): Trouble | undefined {
    const length = this.#to + to - from
    if (length > limits.blockBytes)
      return { code: errorCode.enhanceYourCalm, cause: `a header block over ${limits.blockBytes} octets` }
    let room = this.#room ?? nothing
    if (length > room.length) {
      room = Buffer.allocUnsafe(2 * length)
      this.#room?.copy(room, 0, 0, this.#to)
      this.#room = room
    }
    bytes.copy(room, this.#to, from, to)
    this.#to = length
    return undefined
  }
}
