import type { Headers, HeaderField } from '../headers.ts'
import type { Sink } from '../body.ts'
import { readField, role } from './field.ts'
import { limits } from './limits.ts'

const state = {
  size: 0,
  extension: 1,
  sizeEnd: 2,
  data: 3,
  dataCr: 4,
  dataLf: 5,
  trailers: 6,
  done: 7,
  bad: 8,
} as const
type State = (typeof state)[keyof typeof state]
const cr = 0x0d
const lf = 0x0a

/** Takes chunks apart. Extensions are read and dropped. Source: RFC 9112, section 7.1. */
export class ChunkedReader {
  trailers: Headers | undefined
  /** Why the bytes are no chunked body; nothing can be read after that. */
  trouble: string | undefined
  #state: State = state.size
  #digits = 0
  #lineBytes = 0
  #left = 0
  #trailerText = ''

  get done(): boolean {
    return this.#state === state.done
  }

  /** Hands the data in `bytes` from `at` on to `sink`; returns how far it came. Stops at the end, at trouble, and when told to pause. */
  read(bytes: Buffer, start: number, sink: Sink): number {
    let at = start
    while (at < bytes.length && this.#state < state.done) {
      if (this.#state === state.data) {
        const piece = bytes.subarray(at, Math.min(bytes.length, at + this.#left))
        at += piece.length
        this.#left -= piece.length
        if (this.#left === 0) this.#state = state.dataCr
        if (!sink.data(piece)) return at
      } else if (this.#state === state.trailers) at = this.#readTrailers(bytes, at)
      else this.#step(bytes[at++] ?? 0)
    }
    return at
  }

  #step(code: number): void {
    switch (this.#state) {
      case state.size:
        return this.#sizeByte(code)
      case state.extension:
        if (++this.#lineBytes > limits.chunkLineBytes) return this.#fail('a chunk-size line over 4 KiB')
        if (code === cr) this.#state = state.sizeEnd
        else if ((code < 0x20 && code !== 0x09) || code === 0x7f) this.#fail('an invalid byte in a chunk extension')
        return
      case state.sizeEnd:
        if (code !== lf) return this.#fail('a bare line end after a chunk size')
        this.#state = this.#left === 0 ? state.trailers : state.data
        return
      case state.dataCr:
        if (code !== cr) return this.#fail('a chunk longer than its size')
        this.#state = state.dataLf
        return
      case state.dataLf:
        if (code !== lf) return this.#fail('a bare line end after a chunk')
        this.#state = state.size
        this.#digits = this.#lineBytes = this.#left = 0
    }
  }

  #sizeByte(code: number): void {
    const digit = hexDigit(code)
    if (digit >= 0) {
      // 12 digits stay far below 2^53.
      if (++this.#digits > 12) return this.#fail('a chunk size of more than 12 digits')
      this.#left = this.#left * 16 + digit
      this.#lineBytes++
    } else if (this.#digits === 0) this.#fail('no chunk size')
    else if (code === cr) this.#state = state.sizeEnd
    else if (code === 0x3b) this.#state = state.extension
    else this.#fail('an invalid chunk size')
  }

  /** Collects up to the empty line, then reads all lines at once. */
  #readTrailers(bytes: Buffer, at: number): number {
    const before = this.#trailerText
    const text = before + bytes.toString('latin1', at, at + limits.trailerBytes + 2 - before.length)
    const end = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n') + 2
    if (end === 0 || end > 1) {
      this.#finish(text.slice(0, end))
      return at + end + 2 - before.length
    }
    if (text.length >= limits.trailerBytes + 2) this.#fail('trailers over 16 KiB')
    else if (/[^\r]\n|^\n|\r[^\n]/.test(text)) this.#fail('a bare line end in the trailers')
    this.#trailerText = text
    return bytes.length
  }

  #finish(text: string): void {
    const fields: HeaderField[] = []
    let count = 0
    for (let at = 0; at < text.length;) {
      const end = text.indexOf('\r\n', at)
      const field = readField(text.slice(at, end))
      if (field === undefined) return this.#fail('a trailer line is not a valid field')
      if (++count > limits.fields) return this.#fail(`more than ${limits.fields} trailer fields`)
      // What frames or routes a message has no place after it (RFC 9110, section 6.5.1).
      if (field.role === role.none) fields.push(field)
      at = end + 2
    }
    if (fields.length > 0) this.trailers = fields
    this.#state = state.done
  }

  #fail(trouble: string): void {
    this.trouble = trouble
    this.#state = state.bad
  }
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}
