import { sleepOn, type Clock, type Timer } from '../clock.ts'

interface Pending extends Timer {
  atMs: number
  readonly order: number
  readonly fire: () => void
  readonly periodMs: number | undefined
}

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /** Moves time forward and fires what falls due, in order, each at its own instant. */
  advance(ms: number): void
  /** How many timers are set: a test that leaves none behind can say so. */
  readonly pending: number
}

/** Starts at `startMs` on both scales. */
export function manualClock(startMs = 0): ManualClock {
  let nowMs = startMs
  let order = 0
  const timers = new Set<Pending>()

  const set = (delayMs: number, fire: () => void, periodMs?: number): Timer => {
    const timer: Pending = {
      atMs: nowMs + Math.max(0, delayMs),
      order: order++,
      fire,
      periodMs,
      cancel: () => void timers.delete(timer),
    }
    timers.add(timer)
    return timer
  }
  const nextDue = (untilMs: number): Pending | undefined =>
    [...timers].filter((timer) => timer.atMs <= untilMs).toSorted((a, b) => a.atMs - b.atMs || a.order - b.order)[0]

  const clock: ManualClock = {
    wallMs: () => nowMs,
    nowMs: () => nowMs,
    after: (delayMs, fire) => set(delayMs, fire),
    every: (periodMs, fire) => set(periodMs, fire, periodMs),
    sleep: (delayMs, signal) => sleepOn(clock, delayMs, signal),
    advance(ms) {
      const untilMs = nowMs + ms
      for (let due = nextDue(untilMs); due; due = nextDue(untilMs)) {
        nowMs = due.atMs
        if (due.periodMs === undefined) timers.delete(due)
        else due.atMs += due.periodMs
        due.fire()
      }
      nowMs = untilMs
    },
    get pending() {
      return timers.size
    },
  }
  return clock
}
