import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import type { Cluster } from '../config.ts'
import { subsetKey, type Balancer } from './balancer.ts'
import type { EndpointState } from './endpoint-state.ts'
import { tableOfLevels, type EndpointTable } from './endpoint-table.ts'
import { pickFrom } from './pick-from.ts'

/**
 * Chooses among the endpoints of several clusters: the levels of the first one, then those of the second, as if they were one cluster's.
 * Within a level its own cluster's policy chooses. Source: Envoy, `envoy.clusters.aggregate`.
 */
export function createAggregateBalancer(
  cluster: Cluster,
  members: readonly Balancer[],
  { random, clock }: { readonly random: Random; readonly clock: Clock },
): Balancer {
  const nowMs = (): number => clock.nowMs()
  const views = new Map<string, Balancer>()

  function createView(own: readonly Balancer[]): Balancer {
    const owners = new Map<EndpointState, Balancer>(own.flatMap((one) => one.all.map((state) => [state, one] as const)))
    let table: EndpointTable | undefined
    let priorities: ReadonlyMap<string, number> = new Map()
    const seen: unknown[] = []
    const current = (): EndpointTable => {
      let changed = false
      for (const [index, one] of own.entries()) {
        const now = one.table()
        changed ||= now !== seen[index]
        seen[index] = now
      }
      if (table !== undefined && !changed) return table
      const levels = own.flatMap((one) => one.table().levels).map((level, priority) => ({ ...level, priority }))
      priorities = new Map(
        levels.flatMap(({ all, priority }) => all.map(({ address }) => [address, priority] as const)),
      )
      return (table = tableOfLevels(levels, { cluster, random }))
    }
    const view: Balancer = {
      cluster,
      nowMs,
      all: own.flatMap(({ all }) => all),
      // Its members hear of these.
      timed: undefined,
      reported: undefined,
      report: (state, verdict) => owners.get(state)?.report(state, verdict),
      ownerOf: (state) => owners.get(state) ?? view,
      touch() {},
      pick(tried, furtherPicks = 8, hash, avoidEvery) {
        const now = current()
        const priorityOf = (address: string): number | undefined => priorities.get(address)
        const chosen =
          tried.length === 0
            ? now.pick?.(hash, 0)
            : pickFrom(now, { tried, furtherPicks, hash, avoidEvery, priorityOf })
        if (chosen !== undefined) owners.get(chosen)?.touch()
        return chosen
      },
      table: current,
      named(address) {
        for (const one of own) {
          const state = one.named(address)
          if (state !== undefined) return state
        }
        return undefined
      },
      within(match) {
        const key = subsetKey(match)
        let known = views.get(key)
        if (known === undefined) views.set(key, (known = createView(members.map((one) => one.within(match)))))
        return known
      },
    }
    return view
  }
  return createView(members)
}

/** The clusters that a cluster is made of, those of its members in their places; each once, and what is not there left out. */
export function membersOf(cluster: Cluster, clusters: ReadonlyMap<string, Cluster>): readonly Cluster[] {
  const found = new Set<Cluster>()
  const seen = new Set<Cluster>()
  const visit = (one: Cluster): void => {
    if (seen.has(one)) return
    seen.add(one)
    if (one.members === undefined) found.add(one)
    for (const name of one.members ?? []) {
      const member = clusters.get(name)
      if (member !== undefined) visit(member)
    }
  }
  visit(cluster)
  return [...found]
}
