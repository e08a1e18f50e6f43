import type { Sink } from '../body.ts'
import type { Fault } from '../fault.ts'
import type { Headers } from '../headers.ts'
import { chunked } from './framing.ts'
import type { SocketWriter } from './writer.ts'

/** The connection that a body goes out on. */
export interface OutgoingOwner {
  /** The last byte has been handed over. */
  outgoingEnded(): void
  /** The rest will never come, or is more or less than was announced. `undefined`: the length was wrong. */
  outgoingFailed(fault: Fault | undefined): void
}

/** Puts a body into the framing that was announced in its head. */
export class OutgoingBody implements Sink {
  bytes = 0
  /** Behind the last byte, if there were any. */
  trailers: Headers | undefined
  readonly #writer: SocketWriter
  readonly #owner: OutgoingOwner
  readonly #framing: number
  #over = false

  /** `framing`: bytes, `chunked`, or `untilClose`. */
  constructor(writer: SocketWriter, owner: OutgoingOwner, framing: number) {
    this.#writer = writer
    this.#owner = owner
    this.#framing = framing
  }

  data(chunk: Buffer): boolean {
    if (this.#over || chunk.length === 0) return true
    this.bytes += chunk.length
    if (this.#framing === chunked) return this.#writer.data(chunk, `${chunk.length.toString(16)}\r\n`, '\r\n')
    if (this.#framing >= 0 && this.bytes > this.#framing) {
      this.#fail(undefined)
      return false
    }
    return this.#writer.data(chunk)
  }

  end(trailers?: Headers): void {
    if (this.#over) return
    if (this.#framing >= 0 && this.bytes !== this.#framing) return this.#fail(undefined)
    this.#over = true
    this.trailers = trailers
    if (this.#framing === chunked) {
      let text = '0\r\n'
      for (const field of trailers ?? []) text += field.line ?? `${field.rawName}: ${field.value}\r\n`
      this.#writer.text(`${text}\r\n`)
    }
    this.#owner.outgoingEnded()
  }

  fail(fault: Fault): void {
    if (!this.#over) this.#fail(fault)
  }

  /** Nothing more is taken. */
  stop(): void {
    this.#over = true
  }

  #fail(fault: Fault | undefined): void {
    this.#over = true
    this.#owner.outgoingFailed(fault)
  }
}
