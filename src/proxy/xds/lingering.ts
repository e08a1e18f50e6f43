import type { Clock } from '../../base/clock.ts'

/** As long as what nobody calls is kept: coming back costs two round trips, at many proxies at the same moment. */
const keepMs = 600_000

/** Clusters that a route table has named, and that are kept, with their endpoints, for the route that goes back to them. */
export interface Lingering {
  /** `named`: by the tables that there are, under their names. Gives what these have named in the last ten minutes besides. */
  besides(named: ReadonlyMap<string, ReadonlySet<string>>): readonly string[]
  /** One has been kept for long enough. */
  readonly isOver: boolean
}

interface Table {
  readonly named: ReadonlySet<string>
  /** By cluster, on the monotonic clock. */
  readonly leftAtMs: ReadonlyMap<string, number>
}

const nothing: ReadonlyMap<string, number> = new Map()

/** None. */
export function createLingering(clock: Clock): Lingering {
  let tables: ReadonlyMap<string, Table> = new Map()
  const isLate = (atMs: number): boolean => clock.nowMs() - atMs >= keepMs
  const follow = (before: Table | undefined, named: ReadonlySet<string>): Table => {
    const gone = [...(before?.named ?? [])].filter((name) => !named.has(name))
    // As nearly always.
    if (gone.length === 0 && (before === undefined || before.leftAtMs.size === 0)) return { named, leftAtMs: nothing }
    const left = new Map(before?.leftAtMs)
    for (const name of gone) left.set(name, clock.nowMs())
    return { named, leftAtMs: new Map([...left].filter(([name, atMs]) => !named.has(name) && !isLate(atMs))) }
  }
  return {
    besides(named) {
      tables = new Map(Array.from(named, ([table, now]) => [table, follow(tables.get(table), now)]))
      return [...tables.values()].flatMap(({ leftAtMs }) => [...leftAtMs.keys()])
    },
    get isOver() {
      return [...tables.values()].some(({ leftAtMs }) => [...leftAtMs.values()].some(isLate))
    },
  }
}
