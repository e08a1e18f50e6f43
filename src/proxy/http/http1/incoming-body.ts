import type { Body, Sink } from '../body.ts'
import type { Fault } from '../fault.ts'
import { ChunkedReader } from './chunked.ts'
import { chunked } from './framing.ts'

/** The connection that a body comes on. */
export interface BodyOwner {
  /** Bytes are wanted (again). */
  bodyWanted(): void
  /** Nobody wants the rest. */
  bodyCancelled(fault: Fault): void
}

/** The body of a message that is being read. The connection feeds it; `done` and `trouble` tell what became of it. */
export class IncomingBody implements Body {
  readonly length: number | undefined
  /** All bytes have been given to the sink. */
  done = false
  /** The framing is broken: what, in words. */
  trouble: string | undefined
  /** Bytes given to the sink so far. */
  bytes = 0
  readonly #owner: BodyOwner
  readonly #chunks: ChunkedReader | undefined
  #left: number
  #sink: Sink | undefined
  #paused = false
  #over = false
  /** What came before anybody listened. */
  #early: 'end' | Fault | undefined

  /** `framing`: bytes, `chunked`, or `untilClose`. */
  constructor(owner: BodyOwner, framing: number) {
    this.#owner = owner
    this.length = framing >= 0 ? framing : undefined
    this.#left = framing
    this.#chunks = framing === chunked ? new ChunkedReader() : undefined
  }

  /** Bytes may be fed now. */
  get flowing(): boolean {
    return this.#sink !== undefined && !this.#paused && !this.done
  }

  /** Its sink has said that it has enough for now. */
  get paused(): boolean {
    return this.#paused && this.#sink !== undefined && !this.done
  }

  /** Nobody wants what still comes. */
  get dropped(): boolean {
    return this.#over && !this.done
  }

  start(sink: Sink): void {
    const early = this.#early
    if (early === 'end') return sink.end()
    if (early !== undefined) return sink.fail(early)
    if (this.#over) return
    this.#sink = sink
    this.#owner.bodyWanted()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#owner.bodyWanted()
  }

  cancel(fault: Fault): void {
    if (this.#over) return
    this.#over = true
    this.#sink = undefined
    this.#owner.bodyCancelled(fault)
  }

  /** Takes bytes while the sink wants them; returns how many were taken. Only when `flowing`. */
  feed(bytes: Buffer): number {
    const sink = this.#sink
    if (sink === undefined) return 0
    if (this.#chunks !== undefined) return this.#feedChunks(this.#chunks, bytes, sink)
    const taken = this.#left >= 0 && bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes
    if (this.#left >= 0) this.#left -= taken.length
    this.#give(taken, sink)
    if (this.#left === 0) this.#end()
    return taken.length
  }

  /** The connection's end is the body's end. */
  finish(): void {
    this.#end()
  }

  /** The rest will never come. */
  fail(fault: Fault): void {
    const sink = this.#sink
    if (this.#over) return
    this.#over = true
    this.#sink = undefined
    if (sink === undefined) this.#early = fault
    else sink.fail(fault)
  }

  #feedChunks(chunks: ChunkedReader, bytes: Buffer, sink: Sink): number {
    let pausing = false
    const counted: Sink = {
      data: (piece) => {
        this.bytes += piece.length
        pausing = !sink.data(piece)
        return !pausing
      },
      end() {},
      fail() {},
    }
    const taken = chunks.read(bytes, 0, counted)
    if (pausing) this.#paused = true
    this.trouble = chunks.trouble
    if (chunks.done) this.#end(chunks)
    return taken
  }

  #give(piece: Buffer, sink: Sink): void {
    if (piece.length === 0) return
    this.bytes += piece.length
    if (!sink.data(piece)) this.#paused = true
  }

  #end(chunks?: ChunkedReader): void {
    if (this.#over || this.done) return
    this.done = true
    this.#over = true
    const sink = this.#sink
    this.#sink = undefined
    if (sink === undefined) this.#early = 'end'
    else sink.end(chunks?.trailers)
  }
}
