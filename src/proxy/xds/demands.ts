import type { Clock, Timer } from '../../base/clock.ts'
import { wayOf } from './needs.ts'
import type { Resources } from './resources.ts'
import type { Warming } from './warm.ts'

/** The service ports that the program calls, and who waits for the first answer. */
export interface Demands {
  /** Resolves by itself or at the next `answer` that knows; false after 5 s. */
  add(routeName: string): Promise<boolean>
  /** Keeps these from now on, as far as they exist; nobody waits. */
  expect(names: readonly string[]): void
  /** Gives up what nobody has called for ten minutes, by the calls that are `used` since the last time, and is not busy. True if there was something. */
  forget(used: ReadonlySet<string>, isBusy: (name: string) => boolean): boolean
  /** Route tables that are wanted: those of HTTP ports that the name table has, and of TCP ports with routes. */
  tables(): readonly string[]
  /** Clusters that are wanted besides those of tables: TCP ports, and ports whose table is not there yet. */
  clusters(): readonly string[]
  has(name: string): boolean
  /** Tells those whose answer is known now. True if something is not wanted any more. */
  answer(): boolean
  close(): void
}

const waitLimitMs = 5_000
/** Longer than programs sleep between two calls as a rule; coming back costs one round trip. */
const forgetAfterMs = 600_000

interface Waiter {
  readonly resolve: (found: boolean) => void
  readonly timer: Timer
}

/** Looks at `resources` and `warming` whenever it is asked. `gaveUp` is called when a wait is over by time. */
export function createDemands(parts: {
  resources: Resources
  warming: Warming
  clock: Clock
  gaveUp: () => void
}): Demands {
  const { resources, warming, clock, gaveUp } = parts
  /** By name: when it was last called, as far as is known. */
  const demanded = new Map<string, number>()
  const waiters = new Map<string, { readonly promise: Promise<boolean> } & Waiter>()
  const way = (name: string): 'table' | 'cluster' | undefined => wayOf(name, resources.held('NDS'))
  const those = (wanted: 'table' | 'cluster'): string[] => [...demanded.keys()].filter((name) => way(name) === wanted)

  /** Undefined: not known yet. */
  const found = (name: string): boolean | undefined => {
    const { routes, clusters } = warming.config()
    switch (way(name)) {
      case undefined:
        return resources.seen('NDS') ? false : undefined
      case 'table':
        return routes.has(name) || (resources.isAbsent('RDS', name) ? false : undefined)
      case 'cluster':
        return clusters.has(name) || (resources.isAbsent('CDS', name) ? false : undefined)
    }
  }
  const settle = (name: string, answer: boolean): void => {
    const waiter = waiters.get(name)
    waiters.delete(name)
    waiter?.timer.cancel()
    waiter?.resolve(answer)
    // What does not exist is not asked for again and again.
    if (!answer) demanded.delete(name)
  }

  return {
    add(name) {
      const known = found(name)
      if (known === false) return Promise.resolve(false)
      demanded.set(name, clock.nowMs())
      if (known === true) return Promise.resolve(true)
      const before = waiters.get(name)
      if (before !== undefined) return before.promise
      const { promise, resolve } = Promise.withResolvers<boolean>()
      const late = (): void => {
        settle(name, found(name) ?? false)
        gaveUp()
      }
      const timer = clock.after(waitLimitMs, late, { background: true })
      waiters.set(name, { promise, resolve, timer })
      return promise
    },
    expect(names) {
      for (const name of names) demanded.set(name, clock.nowMs())
    },
    forget(used, isBusy) {
      const nowMs = clock.nowMs()
      const before = demanded.size
      for (const [name, usedMs] of demanded) {
        if (used.has(name) || waiters.has(name) || isBusy(name)) demanded.set(name, nowMs)
        else if (nowMs - usedMs >= forgetAfterMs) demanded.delete(name)
      }
      return demanded.size < before
    },
    tables: () => those('table'),
    clusters: () => [...those('cluster'), ...those('table').filter((name) => !resources.held('RDS').has(name))],
    has: (name) => demanded.has(name),
    answer() {
      const before = demanded.size
      for (const name of Array.from(waiters.keys())) {
        const known = found(name)
        if (known !== undefined) settle(name, known)
      }
      return demanded.size < before
    },
    close() {
      for (const name of Array.from(waiters.keys())) settle(name, false)
    },
  }
}
