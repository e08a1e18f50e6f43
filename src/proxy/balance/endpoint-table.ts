import type { Random } from '../../base/random.ts'
import { modulo } from '../../base/xx-hash.ts'
import type { Cluster } from '../config.ts'
import { healthOf, type EndpointState } from './endpoint-state.ts'
import { localityShares, weightedLocalities } from './locality.ts'
import { maglev } from './maglev.ts'
import { peakEwma } from './peak-ewma.ts'
import { leastRequest, ownWeights, randomByWeight, roundRobin, type Choices, type Picker } from './picker.ts'
import { priorityLoads, type Level, type LevelLoad } from './priority-load.ts'
import { byReportedWeights } from './reported-weights.ts'
import { ringHash } from './ring-hash.ts'
import { earliestDeadlineFirst } from './schedule.ts'
import { startingWeights } from './slow-start.ts'
import { zonePicker, zoneShares, type ZoneParts } from './zone-aware.ts'

/** Made from the endpoints as they are now; made anew when one of them changes. */
export interface EndpointTable {
  /** Undefined: nobody may be asked. */
  readonly pick: Picker | undefined
  /** For a call that all of `pick` have failed: healthy ones of the next level, which has no calls of its own yet. Undefined: nobody. */
  readonly reserve: () => Picker | undefined
  /** `pick` as if these priority levels had nobody well; undefined: then nobody may be asked. Empty: `pick`. Made once for each. */
  readonly without: (levels: ReadonlySet<number>) => Picker | undefined
  /** Most urgent first. */
  readonly levels: readonly LevelEndpoints[]
  /** Those that `pick` may give. */
  readonly candidates: readonly EndpointState[]
  /** At a level that takes calls too few are healthy: their health is ignored. */
  readonly inPanic: boolean
  /** When it must be made anew, by the monotonic clock; Infinity: when an endpoint changes. */
  readonly untilMs: number
}

/** What tables are made with. */
export interface TableParts {
  readonly cluster: Cluster
  readonly localityWeighted: boolean
  /** Undefined: localities are alike, unless they are weighted. */
  readonly zone?: ZoneParts | undefined
  readonly random: Random
  readonly nowMs: () => number
}

interface Share {
  /** Calls in [the one before, this) of 100 are for it. */
  upTo: number
  readonly pick: Picker
}

/** Which endpoints take part, and how calls are spread over them: priority levels, degraded ones, panic; then localities; then the policy. */
export const buildTable = (all: readonly EndpointState[], parts: TableParts): EndpointTable =>
  tableOfLevels(levelsOf(all, parts), parts)

/** The same of levels that are there already, of several clusters maybe: each keeps the policy of its own. */
export function tableOfLevels(
  levels: readonly LevelEndpoints[],
  { cluster, random }: Pick<TableParts, 'cluster' | 'random'>,
): EndpointTable {
  const rules = {
    overprovisioningPercent: cluster.overprovisioningPercent ?? defaultOverprovisioning,
    panicPercent: cluster.panicThresholdPercent,
  }
  const loads = priorityLoads(levels, rules)
  const table = tableOf(levels, loads, random)
  /** Panic is for who has no choice: leaving levels out begins none. */
  const elsewhere = (avoided: ReadonlySet<number>): Picker | undefined => {
    const left = levels.map((level) => (avoided.has(level.priority) ? { ...level, healthy: 0, degraded: 0 } : level))
    const shared = priorityLoads(left, { ...rules, panicPercent: 0 }).map((load, index) => ({
      ...load,
      panic: loads[index]?.panic === true,
    }))
    return tableOf(levels, shared, random).pick
  }
  const views = new Map<string, Picker | undefined>()
  return {
    ...table,
    levels,
    without(priorities) {
      if (priorities.size === 0) return table.pick
      const key = [...priorities].toSorted((a, b) => a - b).join()
      if (!views.has(key)) views.set(key, elsewhere(priorities))
      return views.get(key)
    },
  }
}

function tableOf(
  levels: readonly LevelEndpoints[],
  loads: readonly LevelLoad[],
  random: Random,
): Omit<EndpointTable, 'without' | 'levels'> {
  const shares: Share[] = []
  const candidates: EndpointState[] = []
  let upTo = 0
  let inPanic = false
  let untilMs = Infinity
  const take = (percent: number, list: readonly EndpointState[], level: LevelEndpoints, panic: boolean): void => {
    if (percent === 0 || !isSome(list)) return
    const made = spread(list, level, panic)
    upTo += percent
    untilMs = Math.min(untilMs, made.untilMs)
    inPanic ||= panic
    shares.push({ upTo, pick: made.pick })
    candidates.push(...list)
  }
  for (const [index, { healthy, degraded, panic }] of loads.entries()) {
    const level = levels[index]
    if (level === undefined) continue
    if (panic) take(healthy + degraded, level.notDraining, level, true)
    else take(healthy, level.healthyOnes, level, false)
  }
  for (const [index, { degraded, panic }] of loads.entries()) {
    const level = levels[index]
    if (level !== undefined && !panic) take(degraded, level.degradedOnes, level, false)
  }
  let reserve: { readonly pick: Picker | undefined } | undefined
  return {
    pick: pickShare(shares, random),
    reserve: () => (reserve ??= { pick: reservePick(levels, loads) }).pick,
    candidates,
    inPanic,
    untilMs,
  }
}

/** Made when the first call needs it: most never do. */
function reservePick(levels: readonly LevelEndpoints[], loads: readonly LevelLoad[]): Picker | undefined {
  const idle = levels.find(({ healthyOnes }, index) => healthyOnes.length > 0 && loads[index]?.healthy === 0)
  return idle !== undefined && isSome(idle.healthyOnes) ? spread(idle.healthyOnes, idle, false).pick : undefined
}

const defaultOverprovisioning = 140

/** A priority level of one cluster. */
export interface LevelEndpoints extends Level {
  readonly parts: TableParts
  readonly priority: number
  readonly all: readonly EndpointState[]
  readonly healthyOnes: readonly EndpointState[]
  readonly degradedOnes: readonly EndpointState[]
  readonly notDraining: readonly EndpointState[]
}

/** Most urgent first. */
function levelsOf(all: readonly EndpointState[], parts: TableParts): readonly LevelEndpoints[] {
  const { weightedPriorityHealth: byWeight, overprovisioningPercent } = parts.cluster
  const size = (list: readonly EndpointState[]): number =>
    byWeight === true ? list.reduce((sum, { endpoint }) => sum + endpoint.weight, 0) : list.length
  return [...Map.groupBy(all, ({ endpoint }) => endpoint.priority)]
    .toSorted(([a], [b]) => a - b)
    .map(([priority, level]) => {
      const healthyOnes = level.filter((state) => healthOf(state) === 'healthy')
      const degradedOnes = level.filter((state) => healthOf(state) === 'degraded')
      const notDraining = level.filter((state) => healthOf(state) !== 'draining')
      return {
        parts,
        priority,
        ...(overprovisioningPercent !== undefined && { overprovisioningPercent }),
        all: level,
        healthyOnes,
        degradedOnes,
        notDraining,
        total: size(level),
        healthy: size(healthyOnes),
        degraded: size(degradedOnes),
        endpoints: {
          total: level.length,
          usable: healthyOnes.length + degradedOnes.length,
          notDraining: notDraining.length,
        },
      }
    })
}

function pickShare(shares: readonly Share[], random: Random): Picker | undefined {
  const [first] = shares
  if (first === undefined || shares.length === 1) return first?.pick
  return (hash, attempt) => {
    const at = hash === undefined ? random.below(100) : modulo(hash, 100)
    for (const { upTo, pick } of shares) if (at < upTo) return pick(hash, attempt)
    return first.pick(hash, attempt)
  }
}

/** A picker, and when it is out of date. */
interface Spread {
  readonly pick: Picker
  readonly untilMs: number
}

/** Over localities where they have weights, and within each by the policy. */
function spread(list: Choices, level: LevelEndpoints, panic: boolean): Spread {
  const { parts } = level
  const { cluster, localityWeighted, random } = parts
  const { kind } = cluster.loadBalancing
  if (panic) return byPolicy(list, parts)
  if (!localityWeighted) {
    const { zone } = parts
    // Of the first level alone, as in Envoy; a place in ring or table is for one endpoint.
    const may = zone !== undefined && level.priority === 0 && list === level.healthyOnes
    return may && kind !== 'ring-hash' && kind !== 'maglev' ? byZone(list, level, zone) : byPolicy(list, parts)
  }
  // A place in ring or table is for one endpoint: there the locality's weight goes into the endpoint's.
  if (kind === 'ring-hash' || kind === 'maglev') {
    const { choices, weights } = localityShares(list)
    return byPolicy(choices, parts, weights)
  }
  const localities = weightedLocalities(list, level.all, cluster.overprovisioningPercent ?? defaultOverprovisioning)
  const made = localities.map(({ choices }) => byPolicy(choices, parts))
  const [first] = made
  if (first === undefined) return byPolicy(list, parts)
  const turn = earliestDeadlineFirst(made.length, (index) => localities[index]?.weight ?? 1, random)
  return {
    pick: (hash, attempt) => (made[turn()] ?? first).pick(hash, attempt),
    untilMs: Math.min(...made.map(({ untilMs }) => untilMs)),
  }
}

/** The proxy's own locality first. */
function byZone(list: Choices, { all, parts }: LevelEndpoints, zone: ZoneParts): Spread {
  const anywhere = byPolicy(list, parts)
  const shares = zoneShares(all, list, zone)
  if (shares === undefined) return anywhere
  const made = Array.from(
    Map.groupBy(list, ({ endpoint }) => endpoint.locality),
    ([name, own]) => {
      return [name, isSome(own) ? byPolicy(own, parts) : anywhere] as const
    },
  )
  const pick = new Map(made.map(([name, own]) => [name, own.pick]))
  return {
    pick: zonePicker(shares, zone, { pick, anywhere: anywhere.pick, random: parts.random }),
    untilMs: Math.min(anywhere.untilMs, ...made.map(([, { untilMs }]) => untilMs)),
  }
}

function byPolicy(choices: Choices, { cluster, random, nowMs }: TableParts, weights = ownWeights(choices)): Spread {
  const { loadBalancing } = cluster
  switch (loadBalancing.kind) {
    case 'round-robin': {
      const starting = startingWeights(choices, loadBalancing.slowStart, nowMs)
      return { pick: roundRobin(choices, starting, random), untilMs: starting.untilMs }
    }
    case 'least-request': {
      const starting = startingWeights(choices, loadBalancing.slowStart, nowMs)
      return { pick: leastRequest(choices, loadBalancing, starting, random), untilMs: starting.untilMs }
    }
    case 'peak-ewma': {
      const { untilMs } = startingWeights(choices, loadBalancing.slowStart, nowMs)
      return { pick: peakEwma(choices, loadBalancing, random, nowMs), untilMs }
    }
    case 'client-side-weights': {
      const { untilMs } = startingWeights(choices, loadBalancing.slowStart, nowMs)
      return { pick: byReportedWeights(choices, loadBalancing, { random, nowMs }), untilMs }
    }
    case 'random':
      return { pick: randomByWeight(choices, weights, random), untilMs: Infinity }
    case 'ring-hash':
      return { pick: ringHash(choices, loadBalancing, weights, random), untilMs: Infinity }
    case 'maglev':
      return { pick: maglev(choices, loadBalancing, weights, random), untilMs: Infinity }
  }
}

const isSome = (states: readonly EndpointState[]): states is Choices => states.length > 0
