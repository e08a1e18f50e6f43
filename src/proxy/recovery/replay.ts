import type { Body, Sink } from '../http/body.ts'
import type { Fault } from '../http/fault.ts'
import type { Headers } from '../http/headers.ts'

/**
 * A request body that can be sent again while little of it has been sent: keeps up to `limitBytes` of `source` as it passes by. A body
 * whose length is over the limit is never copied, and can be sent again only while none of it was asked for.
 */
export class Replay implements Sink {
  readonly #source: Body
  readonly #limitBytes: number
  readonly #tooLong: boolean
  #kept: Buffer[] = []
  #keptBytes = 0
  #started = false
  #possible = true
  #settled = false
  #ended = false
  #trailers: Headers | undefined
  #broken: Fault | undefined
  #cancelled: Fault | undefined
  #current: Attempt | undefined
  /** The source waits for `resume`. */
  #sourcePaused = false

  constructor(source: Body, limitBytes: number) {
    this.#source = source
    this.#limitBytes = limitBytes
    this.#tooLong = source.length !== undefined && source.length > limitBytes
  }

  /** The body for the next attempt. Takes the place of the one before, which hears nothing more. */
  attempt(): Body {
    const attempt = new Attempt(this, this.#source.length)
    this.#current = attempt
    return attempt
  }

  /** False once more than the limit has been sent, or the client broke off. */
  get possible(): boolean {
    return this.#possible && !(this.#tooLong && this.#started)
  }

  /** No further attempt: what the last one cancels is cancelled for good, and what is kept is let go when it has been sent. */
  settle(): void {
    this.#settled = true
    if (this.#current === undefined && this.#cancelled !== undefined && !this.#ended)
      this.#source.cancel(this.#cancelled)
  }

  // What comes from the source.

  data(chunk: Buffer): boolean {
    const current = this.#current
    const direct = current !== undefined && current.sink !== undefined && current.next >= this.#kept.length
    this.#keptBytes += chunk.length
    if (this.#tooLong || this.#keptBytes > this.#limitBytes) this.#possible = false
    // What the present attempt has not taken is kept in any case: it is on its way to it.
    if (!direct || (this.#possible && !this.#settled)) this.#kept.push(Buffer.from(chunk))
    else if (this.#kept.length > 0) this.#kept = []
    let flowing = false
    if (direct) {
      current.next = this.#kept.length
      current.paused = current.sink?.data(chunk) === false
      flowing = !current.paused
    }
    this.#sourcePaused = !flowing
    return flowing
  }

  end(trailers: Headers | undefined): void {
    this.#ended = true
    this.#trailers = trailers
    if (this.#current !== undefined) this.pump(this.#current)
  }

  fail(fault: Fault): void {
    this.#broken = fault
    this.#possible = false
    if (this.#current !== undefined) this.pump(this.#current)
  }

  // What an attempt asks for.

  /** Gives the attempt what it lacks, if it is the present one: what is kept, then the end or more of the source. */
  pump(attempt: Attempt): void {
    if (attempt !== this.#current || attempt.pumping) return
    attempt.pumping = true
    while (attempt.sink !== undefined && !attempt.paused && attempt.next < this.#kept.length) {
      const chunk = this.#kept[attempt.next++]
      if (chunk !== undefined) attempt.paused = attempt.sink.data(chunk) === false
    }
    attempt.pumping = false
    if (attempt.sink === undefined || attempt.paused || attempt.next < this.#kept.length) return
    this.#goOn(attempt, attempt.sink)
  }

  /** The attempt wants no more, if it is the present one. */
  drop(attempt: Attempt, fault: Fault): void {
    if (attempt !== this.#current) return
    this.#current = undefined
    this.#cancelled = fault
    if (this.#settled) this.#source.cancel(fault)
  }

  #goOn(attempt: Attempt, sink: Sink): void {
    if (this.#broken !== undefined || this.#ended) {
      attempt.sink = undefined
      if (this.#broken !== undefined) sink.fail(this.#broken)
      else sink.end(this.#trailers)
    } else if (!this.#started) {
      this.#started = true
      this.#source.start(this)
    } else if (this.#sourcePaused) {
      this.#sourcePaused = false
      this.#source.resume()
    }
  }
}

/** The body of one attempt. */
class Attempt implements Body {
  readonly length: number | undefined
  sink: Sink | undefined
  /** The first of the kept pieces that it has not taken. */
  next = 0
  paused = false
  pumping = false
  readonly #replay: Replay

  constructor(replay: Replay, length: number | undefined) {
    this.#replay = replay
    this.length = length
  }

  start(sink: Sink): void {
    this.sink = sink
    this.#replay.pump(this)
  }

  resume(): void {
    this.paused = false
    this.#replay.pump(this)
  }

  cancel(fault: Fault): void {
    this.sink = undefined
    this.#replay.drop(this, fault)
  }
}
