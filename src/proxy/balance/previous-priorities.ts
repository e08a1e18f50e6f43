import type { Trace } from '../http/service.ts'

/** What an attempt knows of those before it. */
export interface Attempted {
  readonly tried: Trace['tried']
  /** At every so many attempts the levels of all of them are left out. >= 1. */
  readonly every: number
  /** Undefined: the endpoint is gone. */
  readonly priorityOf: (address: string) => number | undefined
  /** Whether anybody can be asked without these levels. */
  readonly others: (without: ReadonlySet<number>) => boolean
}

/**
 * Priority levels that take no call at this attempt; empty: all do. When no other level is left the book is closed, and all begin anew.
 * Pure. Source: Envoy, `envoy.retry_priorities.previous_priorities`.
 */
export function levelsToAvoid({ tried, every, priorityOf, others }: Attempted): ReadonlySet<number> {
  let avoided = new Set<number>()
  let attempted: string[] = []
  for (const address of tried) {
    attempted.push(address)
    if (attempted.length % every !== 0) continue
    for (const one of attempted) {
      const priority = priorityOf(one)
      if (priority !== undefined) avoided.add(priority)
    }
    if (others(avoided)) continue
    avoided = new Set()
    attempted = []
  }
  return avoided
}
