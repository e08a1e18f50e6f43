import type { Clock } from '../../base/clock.ts'
import { kept } from '../../base/shared-reads.ts'
import type { TimerWheel, WheelTimer } from '../../base/timer-wheel.ts'
import type { Body, Sink } from '../http/body.ts'
import type { Fault } from '../http/fault.ts'
import type { Headers } from '../http/headers.ts'
import type { Call } from '../http/service.ts'

/** The first twentieth of a second's bytes passes at once, and so much is waited for at most. Source: Envoy's StreamRateLimiter. */
const sliceMs = 50

export interface SlowParts {
  readonly wheel: TimerWheel
  readonly clock: Clock
}

/**
 * The same bytes at no more than `bytesPerSecond`, by a bucket of tokens that holds a second's worth. The source is paused meanwhile, so
 * that no more waits here than it gives at once. A call that is cancelled ends at once, although the source may be over already.
 */
export function slowBody(
  source: Body,
  bytesPerSecond: number,
  call: Pick<Call, 'onCancel'>,
  { wheel, clock }: SlowParts,
): Body {
  return new SlowBody(source, bytesPerSecond, call, wheel, clock)
}

class SlowBody implements Body, Sink {
  readonly length: number | undefined
  readonly #source: Body
  readonly #bytesPerSecond: number
  readonly #sliceBytes: number
  readonly #call: Pick<Call, 'onCancel'>
  readonly #clock: Clock
  readonly #timer: WheelTimer
  #tokens: number
  #filledMs = 0
  /** Undefined before the start, and when nothing more is to be said. */
  #sink: Sink | undefined
  #waiting: Buffer[] = []
  #ending: { readonly trailers: Headers | undefined } | undefined
  /** The sink takes nothing now. */
  #paused = false
  /** The source has heard false, and no `resume` since. */
  #held = false

  constructor(
    source: Body,
    bytesPerSecond: number,
    call: Pick<Call, 'onCancel'>,
    wheel: SlowParts['wheel'],
    clock: Clock,
  ) {
    this.length = source.length
    this.#source = source
    this.#bytesPerSecond = bytesPerSecond
    this.#tokens = this.#sliceBytes = Math.max(1, Math.floor((bytesPerSecond * sliceMs) / 1000))
    this.#call = call
    this.#clock = clock
    this.#timer = wheel.timer(() => this.#pump())
  }

  start(sink: Sink): void {
    this.#sink = sink
    this.#filledMs = this.#clock.nowMs()
    this.#source.start(this)
    this.#call.onCancel((fault) => {
      if (this.#closed()) return
      this.#source.cancel(fault)
      this.fail(fault)
    })
  }

  resume(): void {
    this.#paused = false
    if (!this.#timer.armed) this.#pump()
  }

  cancel(fault: Fault): void {
    this.#close()
    this.#source.cancel(fault)
  }

  data(chunk: Buffer): boolean {
    if (this.#closed()) return true
    const behind = this.#paused || this.#waiting.length > 0
    const bytes = behind ? 0 : this.#pass(chunk)
    if (this.#closed()) return true
    if (bytes < chunk.length) this.#waiting.push(kept(chunk.subarray(bytes)))
    this.#held = this.#paused || this.#waiting.length > 0
    if (!behind && this.#held && !this.#paused) this.#await(chunk.length - bytes)
    return !this.#held
  }

  end(trailers?: Headers): void {
    this.#ending = { trailers }
    if (this.#waiting.length === 0 && !this.#paused) this.#drained()
  }

  fail(fault: Fault): void {
    const sink = this.#sink
    this.#close()
    sink?.fail(fault)
  }

  /** Hands on as many bytes as may pass now; returns how many. */
  #pass(chunk: Buffer): number {
    const nowMs = this.#clock.nowMs()
    const perSecond = this.#bytesPerSecond
    this.#tokens = Math.min(perSecond, this.#tokens + ((nowMs - this.#filledMs) * perSecond) / 1000)
    this.#filledMs = nowMs
    const bytes = Math.min(chunk.length, Math.floor(this.#tokens))
    if (bytes === 0) return 0
    this.#tokens -= bytes
    if (this.#sink?.data(chunk.subarray(0, bytes)) === false) this.#paused = true
    return bytes
  }

  #pump(): void {
    while (!this.#closed() && !this.#paused) {
      const chunk = this.#waiting.shift()
      if (chunk === undefined) return this.#drained()
      const bytes = this.#pass(chunk)
      if (bytes === chunk.length || this.#closed()) continue
      this.#waiting.unshift(chunk.subarray(bytes))
      if (!this.#paused) return this.#await(chunk.length - bytes)
    }
  }

  /** Goes on when a slice may pass, or what is left of a chunk. */
  #await(bytes: number): void {
    this.#timer.start(((Math.min(this.#sliceBytes, bytes) - this.#tokens) * 1000) / this.#bytesPerSecond)
  }

  #drained(): void {
    const sink = this.#sink
    if (this.#ending !== undefined) {
      this.#close()
      sink?.end(this.#ending.trailers)
    } else if (this.#held) {
      this.#held = false
      this.#source.resume()
    }
  }

  /** A method, since whoever is handed bytes may close it. */
  #closed(): boolean {
    return this.#sink === undefined
  }

  #close(): void {
    this.#timer.cancel()
    this.#sink = undefined
    this.#waiting = []
  }
}
