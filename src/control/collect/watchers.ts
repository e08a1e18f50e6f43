import type { StoreEvent, WatchResult } from './store.ts'

/** A log of events that can be read from any revision that it still holds. */
export interface EventLog {
  /** The newest revision. */
  revision(): number
  /** Every event with a revision greater than this one is still there. */
  compacted(): number
  /** In order, greater than `after`, at most `limit`. */
  read(after: number, limit: number): readonly StoreEvent[]
}

/** Those who watch a store, each at its own place in the log. */
export interface Watchers {
  watch(after: number, heard: (events: readonly StoreEvent[]) => void): WatchResult
  /** Call after every write: each watcher hears, in a later microtask, what it has not heard yet. */
  wake(): void
  /** The oldest revision that some watcher still has to hear past; compaction stays below. Infinity without watchers. */
  slowest(): number
  stopAll(): void
}

interface Watcher {
  heard: (events: readonly StoreEvent[]) => void
  after: number
  waking: boolean
  stopped: boolean
}

const batch = 500

/** Every watcher reads the log from its own cursor, so that past and present events come the same way: no gap, none twice. */
export function createWatchers(log: EventLog): Watchers {
  const watchers = new Set<Watcher>()

  const pump = (watcher: Watcher): void => {
    watcher.waking = false
    while (!watcher.stopped) {
      const events = log.read(watcher.after, batch)
      const last = events.at(-1)
      if (last === undefined) return
      watcher.after = last.revision
      watcher.heard(events)
    }
  }
  const wakeOne = (watcher: Watcher): void => {
    if (watcher.waking || watcher.after >= log.revision()) return
    watcher.waking = true
    queueMicrotask(() => pump(watcher))
  }
  const stop = (watcher: Watcher): void => {
    watcher.stopped = true
    watchers.delete(watcher)
  }

  return {
    watch(after, heard) {
      if (after < log.compacted()) return { kind: 'compacted', oldest: log.compacted() }
      const watcher: Watcher = { heard, after, waking: false, stopped: false }
      watchers.add(watcher)
      wakeOne(watcher)
      return { kind: 'watching', stop: () => stop(watcher) }
    },
    wake: () => watchers.forEach(wakeOne),
    slowest: () => Math.min(Infinity, ...Array.from(watchers, ({ after }) => after)),
    stopAll: () => watchers.forEach(stop),
  }
}
