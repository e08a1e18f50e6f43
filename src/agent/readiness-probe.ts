import type { Clock, Timer } from '../base/clock.ts'
import type { Flapping } from './flapping.ts'

/** Whether the program answers on all of its ports, or as its checks ask. */
export interface Readiness {
  readonly ready: boolean
  /** Why not, for people. */
  readonly reason: string
}

/** How often a program is asked, and how often it must say the same to be believed. */
export interface ReadinessPace {
  /** Between two rounds, ms; until it is ready at most 100, in its first second at most 20. */
  readonly intervalMs: number
  /** So long an answer may take, ms. */
  readonly timeoutMs: number
  /** Failed rounds in a row that make it unready. One miss may be a full backlog. */
  readonly failures: number
  /** Good rounds in a row that make it ready. */
  readonly successes: number
}

const untilReadyMs = 100
/** Most programs are up soon, and who waits for them counts in this. */
const soonMs = 20
const soonForMs = 1000

/**
 * Asks all checks, and again and again. `changed` hears the first verdict and every change. A program without checks is ready at once. One
 * that comes and goes must be well for longer each time (`flapping`).
 */
export function probeReadiness(
  checks: readonly (() => Promise<string | undefined>)[],
  parts: {
    readonly clock: Clock
    readonly pace: ReadinessPace
    readonly flapping: Flapping
    readonly changed: (readiness: Readiness) => void
  },
): { stop(): void } {
  const { clock, changed, flapping } = parts
  const { intervalMs, failures, successes } = parts.pace
  let last: Readiness | undefined
  let bad = 0
  let good = 0
  let wellSinceMs = 0
  let timer: Timer | undefined
  let stopped = false
  const startedMs = clock.nowMs()

  const tell = (next: Readiness): void => {
    if (last?.ready === next.ready && last.reason === next.reason) return
    if (last?.ready === true && !next.ready) flapping.fell(clock.nowMs())
    last = next
    changed(next)
  }
  const well = (): void => {
    bad = 0
    if (good++ === 0) wellSinceMs = clock.nowMs()
    if (last?.ready === true) return
    const holdMs = flapping.wellForMs(clock.nowMs())
    if (good < successes) return tell({ ready: false, reason: 'it has not been well often enough yet' })
    if (clock.nowMs() - wellSinceMs < holdMs)
      return tell({ ready: false, reason: `it comes and goes: it must be well for ${holdMs / 1000} s first` })
    tell({ ready: true, reason: '' })
  }
  const unwell = (reason: string): void => {
    good = 0
    bad++
    if (last?.ready !== true || bad >= failures) tell({ ready: false, reason })
  }
  const round = async (): Promise<void> => {
    const reasons = (await Promise.all(checks.map((check) => check()))).filter((reason) => reason !== undefined)
    if (stopped) return
    if (reasons.length === 0) well()
    else unwell(reasons.join('; '))
    if (checks.length > 0) timer = clock.after(pauseMs(), () => void round())
  }
  const pauseMs = (): number => {
    if (last?.ready === true) return intervalMs
    return Math.min(clock.nowMs() - startedMs < soonForMs ? soonMs : untilReadyMs, intervalMs)
  }
  void round()
  return {
    stop() {
      stopped = true
      timer?.cancel()
      if (last?.ready === true) flapping.fell(clock.nowMs())
    },
  }
}
