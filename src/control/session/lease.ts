import type { Clock, Timer } from '../../base/clock.ts'

/** Who counts as alive, and until when. In memory only: a heartbeat writes nothing. */
export interface Leases {
  /** Alive for `termMs` from now, whatever was said before. */
  hold(key: string, termMs: number): void
  /** No lease any more, and nobody is told. */
  release(key: string): void
  held(key: string): boolean
  close(): void
}

/** A timer this late says that our own process stood still, not that the other side was silent. */
const stalledMs = 1000

/**
 * Calls `expired` when a term ends. When the timer itself came late (this process was starved or stopped), messages that prove life may
 * still wait unread: the term then begins again, once per stall.
 */
export function createLeases(clock: Clock, expired: (key: string) => void): Leases {
  const leases = new Map<string, { dueMs: number; termMs: number; timer: Timer }>()

  /** Renewing only moves `dueMs`; the timer looks when it fires. So a heartbeat costs no timer. */
  const arm = (key: string, delayMs: number): Timer => clock.after(delayMs, () => fired(key), { background: true })
  const fired = (key: string): void => {
    const lease = leases.get(key)
    if (lease === undefined) return
    const overdueMs = clock.nowMs() - lease.dueMs
    if (overdueMs > stalledMs) lease.dueMs = clock.nowMs() + lease.termMs
    else if (overdueMs >= 0) {
      leases.delete(key)
      return expired(key)
    }
    lease.timer = arm(key, lease.dueMs - clock.nowMs())
  }
  const release = (key: string): void => {
    leases.get(key)?.timer.cancel()
    leases.delete(key)
  }
  return {
    hold(key, termMs) {
      const dueMs = clock.nowMs() + termMs
      const lease = leases.get(key)
      if (lease !== undefined && lease.dueMs <= dueMs) {
        lease.dueMs = dueMs
        lease.termMs = termMs
        return
      }
      release(key)
      leases.set(key, { dueMs, termMs, timer: arm(key, termMs) })
    },
    release,
    held: (key) => leases.has(key),
    close() {
      for (const { timer } of leases.values()) timer.cancel()
      leases.clear()
    },
  }
}
