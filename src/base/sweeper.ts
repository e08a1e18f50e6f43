import type { Clock } from './clock.ts'

/** Something with deadlines of its own. */
export interface Swept {
  /** Called about once a period with the monotonic time; acts on whatever is overdue. May add and remove, itself too. */
  sweep(nowMs: number): void
}

/** One coarse timer for many things: what has no exact deadline pays no timer of its own. */
export interface Sweeper {
  /** How late a deadline may be noticed. */
  readonly periodMs: number
  /** Monotonic time of the last sweep: up to one period old, and free to read. */
  readonly nowMs: number
  add(item: Swept): void
  remove(item: Swept): void
  /** Stops the timer; nothing is swept any more. */
  close(): void
}

/** Every `periodMs` all items are looked at, in the order in which they came. The timer does not keep the process alive. */
export function createSweeper(clock: Clock, periodMs: number): Sweeper {
  const items = new Set<Swept>()
  let nowMs = clock.nowMs()
  const timer = clock.every(
    periodMs,
    () => {
      nowMs = clock.nowMs()
      for (const item of items) item.sweep(nowMs)
    },
    { background: true },
  )
  return {
    periodMs,
    get nowMs() {
      return nowMs
    },
    add: (item) => void items.add(item),
    remove: (item) => void items.delete(item),
    close() {
      timer.cancel()
      items.clear()
    },
  }
}
