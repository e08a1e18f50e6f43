import type { Rate } from './limits.ts'

/** A bucket of tokens: full at first, filled by time, and by what the peer is credited with. */
export class Allowance {
  readonly #rate: Rate
  #left: number
  #filledMs: number

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate
    this.#left = rate.burst
    this.#filledMs = nowMs
  }

  /** Takes `cost` tokens; false: there are not so many. `nowMs` may be coarse. */
  take(cost: number, nowMs: number): boolean {
    if (this.#left < cost) this.#fill(nowMs)
    this.#left -= cost
    return this.#left >= 0
  }

  /** Gives tokens back; the bucket does not overflow. */
  give(count: number): void {
    if (this.#left < this.#rate.burst) this.#left += count
  }

  #fill(nowMs: number): void {
    const filled = ((nowMs - this.#filledMs) * this.#rate.perSecond) / 1000
    this.#left = Math.min(this.#rate.burst, this.#left + Math.max(0, filled))
    this.#filledMs = nowMs
  }
}
