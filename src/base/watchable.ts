/** The newest value of something, and a call when it changes. */
export interface Watchable<T> {
  readonly value: T
  /** Calls `changed` after every change from now on (not with the present value). Returns how to stop. */
  watch(changed: (value: T) => void): () => void
}

/** A watchable that its owner sets. Setting an equal value (by `same`, default identity) is silent. */
export interface Settable<T> extends Watchable<T> {
  set(value: T): void
}

/** Watchers are called in the order in which they came, each with the newest value; one that throws is a bug and is not caught. */
export function settable<T>(initial: T, same: (a: T, b: T) => boolean = Object.is): Settable<T> {
  let value = initial
  const watchers = new Set<(value: T) => void>()
  return {
    get value() {
      return value
    },
    set(next) {
      if (same(value, next)) return
      value = next
      for (const watcher of Array.from(watchers)) watcher(value)
    },
    watch(changed) {
      watchers.add(changed)
      return () => void watchers.delete(changed)
    },
  }
}
