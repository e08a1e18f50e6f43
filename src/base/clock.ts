import { performance } from 'node:perf_hooks'

/** A timer that has been set. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void
}

/** Time, handed in wherever it is needed, so that tests and `weft test` can move it by hand. */
export interface Clock {
  /** Milliseconds since the Unix epoch; may jump when the host's clock is set. For certificates and log lines only. */
  wallMs(): number
  /** Milliseconds since an arbitrary start, with fractions; never goes back. For durations, timeouts and leases. */
  nowMs(): number
  /** Calls `fire` once, not before `delayMs` (≥ 0). The timer does not keep the process alive when `background` is set. */
  after(delayMs: number, fire: () => void, options?: { background?: boolean }): Timer
  /** Calls `fire` every `periodMs` (> 0) until cancelled; the first time after one period. */
  every(periodMs: number, fire: () => void, options?: { background?: boolean }): Timer
  /** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

/** Node's own time: `Date` for the wall, `performance` for durations. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  nowMs: () => performance.now(),
  after(delayMs, fire, options) {
    const timer = setTimeout(fire, Math.min(delayMs, longestTimeoutMs))
    if (options?.background) timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
  every(periodMs, fire, options) {
    const timer = setInterval(fire, periodMs)
    if (options?.background) timer.unref()
    return { cancel: () => clearInterval(timer) }
  },
  sleep(delayMs, signal) {
    return sleepOn(this, delayMs, signal)
  },
}

/** Above 2³¹ − 1 ms Node fires at once; nothing here waits for 24 days. */
const longestTimeoutMs = 2 ** 31 - 1

/** `Clock.sleep` for any clock that has `after`. */
export function sleepOn(clock: Pick<Clock, 'after'>, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', aborted)
      resolve()
    })
    const aborted = (): void => {
      timer.cancel()
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', aborted, { once: true })
  })
}
