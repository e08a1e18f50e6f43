import { kept } from '../../../base/shared-reads.ts'
import { limits } from './limits.ts'

const nothing = Buffer.alloc(0)
const headEnd = Buffer.from('\r\n\r\n')
const lf = 0x0a
const cr = 0x0d

/** Bytes that have been read and not yet understood. Pieces are joined into room that doubles: n bytes one by one cost O(n). */
export class Inbox {
  /** Why no head will ever come of these bytes. */
  trouble: HeadTrouble | undefined
  #bytes: Buffer = nothing
  #from = 0
  #to = 0
  /** `#bytes` is ours to append to; else it is the reader's chunk. */
  #own = false
  /** One empty line before the head has been passed over. */
  #emptyLine = false
  /** No end of head begins before this. */
  #searched = 0

  get length(): number {
    return this.#to - this.#from
  }

  /** Adds a chunk; without copying it when nothing else is there. */
  push(chunk: Buffer): void {
    if (this.#from === this.#to) {
      this.#bytes = chunk
      this.#from = this.#searched = 0
      this.#to = chunk.length
      this.#own = false
      return
    }
    const length = this.length
    if (!this.#own || this.#to + chunk.length > this.#bytes.length) {
      const room = Buffer.allocUnsafe(Math.max(1024, 2 * (length + chunk.length)))
      this.#bytes.copy(room, 0, this.#from, this.#to)
      this.#searched -= this.#from
      this.#bytes = room
      this.#from = 0
      this.#to = length
      this.#own = true
    }
    chunk.copy(this.#bytes, this.#to)
    this.#to += chunk.length
  }

  /** What is left of a chunk when its reader is done with it stays, see `kept`. */
  keep(): void {
    if (this.#own || this.#from === this.#to) return
    const rest = this.#bytes.subarray(this.#from, this.#to)
    const own = kept(rest)
    if (own === rest) return
    this.#bytes = own
    this.#searched -= this.#from
    this.#to -= this.#from
    this.#from = 0
  }

  /** Everything there, without taking it. Valid until the next push. */
  peek(): Buffer {
    return this.#from === 0 && this.#to === this.#bytes.length
      ? this.#bytes
      : this.#bytes.subarray(this.#from, this.#to)
  }

  /** Forgets the first `count` bytes. */
  skip(count: number): void {
    this.#from += count
    this.#searched = this.#from
    if (this.#from >= this.#to) this.clear()
  }

  clear(): void {
    this.#bytes = nothing
    this.#from = this.#to = this.#searched = 0
    this.#own = false
  }

  /**
   * Takes a whole head as latin1, without its empty line; undefined when it is not all here. A line end that is not CRLF, or a head
   * or first line over its limit, is found while the head is still coming: see `trouble`.
   */
  takeHead(): string | undefined {
    const found = this.#bytes.indexOf(headEnd, this.#searched)
    if (found < 0 || found + 4 > this.#to) return this.#unfinished()
    if (found - this.#from > limits.headBytes) return this.#never('head too long')
    const text = this.#bytes.toString('latin1', this.#from, found)
    this.skip(found + 4 - this.#from)
    this.#emptyLine = false
    return text
  }

  /** Skips one empty line before a head (RFC 9112, section 2.2). True when the rest may be looked at. */
  skipEmptyLine(): boolean {
    if (this.#emptyLine || this.#bytes[this.#from] !== cr || this.length === 0) return true
    if (this.length === 1) return false
    if (this.#bytes[this.#from + 1] === lf) {
      this.#emptyLine = true
      this.skip(2)
    }
    return this.length > 0
  }

  #unfinished(): undefined {
    const bytes = this.#bytes
    for (let at = this.#searched; at < this.#to; at++) {
      const code = bytes[at]
      if (code === lf && (at === this.#from || bytes[at - 1] !== cr)) return this.#never('bare line end')
      if (code !== lf && at > this.#from && bytes[at - 1] === cr) return this.#never('bare line end')
    }
    this.#searched = Math.max(this.#from, this.#to - 3)
    if (this.length > limits.requestLineBytes + 1) {
      const line = bytes.indexOf(lf, this.#from)
      if (line < 0 || line - 1 - this.#from > limits.requestLineBytes) return this.#never('first line too long')
    }
    return this.length > limits.headBytes + 3 ? this.#never('head too long') : undefined
  }

  #never(trouble: HeadTrouble): undefined {
    this.trouble = trouble
  }
}

/** Why a head can never become one. */
export type HeadTrouble = 'bare line end' | 'head too long' | 'first line too long'
