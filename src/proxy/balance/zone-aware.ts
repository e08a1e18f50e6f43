import type { Random } from '../../base/random.ts'
import type { ZoneAware } from '../config.ts'
import { healthOf, type EndpointState } from './endpoint-state.ts'
import type { Choices, Picker } from './picker.ts'

/** Where this proxy is, beside those like it. */
export interface ZoneParts {
  readonly rules: ZoneAware
  /** Its own locality. */
  readonly locality: string
  /** The endpoints of the cluster that it belongs to itself: who else calls, and from where. */
  readonly peers: readonly EndpointState[]
  /** Of its peers so many must be well, percent. */
  readonly panicPercent: number
}

/** What a proxy does with the calls of one level. */
export interface ZoneShares {
  /** In [0, 1]: stays in its own locality. */
  readonly own: number
  /** How the rest is spread over the others; their sum is > 0 unless all stays. */
  readonly others: ReadonlyMap<string, number>
}

/** Where nothing is said. Source: envoy.config.cluster.v3.Cluster.CommonLbConfig.ZoneAwareLbConfig. */
export const zoneDefaults: ZoneAware = { enabledPercent: 100, minEndpoints: 6 }

/**
 * How a level's calls are spread so that each proxy stays in its own locality as far as that has room for all the proxies there, and no
 * endpoint gets more than another. Undefined: as if there were no localities. `level`: all of its endpoints, `healthy`: those that take
 * calls. Pure. Source: Envoy, "Zone aware routing" of its load balancing documentation.
 */
export function zoneShares(
  level: readonly EndpointState[],
  healthy: Choices,
  { rules, locality, peers, panicPercent }: ZoneParts,
): ZoneShares | undefined {
  const well = peers.filter((one) => healthOf(one) === 'healthy')
  const upstream = weightsOf(healthy, rules)
  if (weightsOf(level, rules).size < 2 || healthy.length < rules.minEndpoints) return undefined
  if (rules.forceFrom === undefined && weightsOf(peers, rules).size < 2) return undefined
  if (!peers.some(({ endpoint }) => endpoint.locality === locality)) return undefined
  if (100 * well.length < panicPercent * peers.length) return undefined
  const local = weightsOf(well, rules)
  const part = (weights: ReadonlyMap<string, number>, name: string): number => {
    const total = sum(weights.values())
    return total === 0 ? 0 : (weights.get(name) ?? 0) / total
  }
  const [room, wanted] = [part(upstream, locality), part(local, locality)]
  const here = healthy.filter(({ endpoint }) => endpoint.locality === locality).length
  const forced = rules.forceFrom !== undefined && here > 0 && here >= rules.forceFrom
  if ((room > 0 && room >= wanted) || forced) return { own: 1, others: new Map() }
  const names = [...upstream.keys()].filter((name) => name !== locality)
  const left = names.map((name) => [name, Math.max(0, part(upstream, name) - part(local, name))] as const)
  // By rounding nobody may have any: then all are equal.
  const some = left.some(([, residual]) => residual > 0)
  return { own: wanted > 0 ? room / wanted : 0, others: new Map(some ? left : names.map((name) => [name, 1])) }
}

/** Spreads by `shares`; of each locality `pick` is its own policy's. A part of the calls may be left to `anywhere`. */
export function zonePicker(
  { own, others }: ZoneShares,
  { rules, locality }: ZoneParts,
  {
    pick,
    anywhere,
    random,
  }: { readonly pick: ReadonlyMap<string, Picker>; readonly anywhere: Picker; readonly random: Random },
): Picker {
  const names = [...others.keys()]
  const total = sum(others.values())
  return (hash, attempt) => {
    if (rules.enabledPercent < 100 && random.below(100) >= rules.enabledPercent) return anywhere(hash, attempt)
    if (own >= 1 || (own > 0 && random.below(1) < own)) return (pick.get(locality) ?? anywhere)(hash, attempt)
    let at = random.below(total)
    for (const name of names) {
      at -= others.get(name) ?? 0
      if (at < 0) return (pick.get(name) ?? anywhere)(hash, attempt)
    }
    return anywhere(hash, attempt)
  }
}

function weightsOf(states: readonly EndpointState[], { byWeight }: ZoneAware): ReadonlyMap<string, number> {
  const weights = new Map<string, number>()
  for (const { endpoint } of states)
    weights.set(endpoint.locality, (weights.get(endpoint.locality) ?? 0) + (byWeight === true ? endpoint.weight : 1))
  return weights
}

function sum(values: Iterable<number>): number {
  let total = 0
  for (const one of values) total += one
  return total
}
