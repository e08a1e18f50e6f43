import type { Random } from '../../base/random.ts'
import type { Hash64 } from '../../base/xx-hash.ts'
import type { EndpointState } from './endpoint-state.ts'
import { earliestDeadlineFirst } from './schedule.ts'

/** At least one: an empty cluster is handled once, in the balancer. */
export type Choices = readonly [EndpointState, ...EndpointState[]]

/**
 * Chooses one; O(1), with unequal weights at most O(log n). `hash`: what the call is known by, where that decides; absent: by chance.
 * `attempt`: how many picks for this call were turned down; 0 for the first.
 */
export type Picker = (hash: Hash64 | undefined, attempt: number) => EndpointState

/** What endpoints count beside each other, each > 0. */
export interface Weights {
  readonly of: (state: EndpointState) => number
  /** All the same, now and until the tables are built anew. */
  readonly equal: boolean
}

/** As the configuration says. */
export const ownWeights = (choices: Choices): Weights => ({
  of: ({ endpoint }) => endpoint.weight,
  equal: choices.every(({ endpoint }) => endpoint.weight === choices[0].endpoint.weight),
})

/** One after the other from a random start; with weights, each as often as its weight says, spread evenly. */
export function roundRobin(choices: Choices, weights: Weights, random: Random): Picker {
  if (!weights.equal) return byTurns(choices, weights.of, random)
  let next = random.index(choices.length)
  return () => {
    const chosen = choices[next] ?? choices[0]
    next = next + 1 < choices.length ? next + 1 : 0
    return chosen
  }
}

function byTurns(choices: Choices, weightOf: Weights['of'], random: Random): Picker {
  const turn = earliestDeadlineFirst(choices.length, (index) => weightOf(choices[index] ?? choices[0]), random)
  return () => choices[turn()] ?? choices[0]
}

/** How calls under way count. */
export interface LeastRequestRules {
  /** How many random endpoints are compared. */
  readonly choices: number
  /** With unequal weights: an endpoint's weight is divided by (active calls + 1) to this power. 0: plain round robin by weight. */
  readonly activeRequestBias: number
}

/**
 * A few random endpoints, of which the one with the fewest active calls wins. With unequal weights it is each one's turn by its
 * weight, which calls under way make smaller. Source: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE
 * TPDS 12(10), 2001; for weights Envoy `LeastRequestLbConfig`.
 */
export function leastRequest(choices: Choices, rules: LeastRequestRules, weights: Weights, random: Random): Picker {
  if (!weights.equal) {
    const { activeRequestBias: bias } = rules
    if (bias === 0) return byTurns(choices, weights.of, random)
    if (bias === 1) return byTurns(choices, (state) => weights.of(state) / (state.activeCalls + 1), random)
    return byTurns(choices, (state) => weights.of(state) / (state.activeCalls + 1) ** bias, random)
  }
  if (choices.length === 1) return () => choices[0]
  const candidate = (): EndpointState => choices[random.index(choices.length)] ?? choices[0]
  return () => {
    let best = candidate()
    for (let more = 1; more < rules.choices; more++) {
      const other = candidate()
      if (other.activeCalls < best.activeCalls) best = other
    }
    return best
  }
}

/** A random endpoint with a chance of its weight's share, in O(1). Source: Walker's alias method, by Vose, 1991. */
export function randomByWeight(choices: Choices, { of: weightOf, equal }: Weights, random: Random): Picker {
  const pick = (index: number): EndpointState => choices[index] ?? choices[0]
  if (equal) return () => pick(random.index(choices.length))
  const size = choices.length
  const total = choices.reduce((sum, state) => sum + weightOf(state), 0)
  const scaled = Float64Array.from(choices, (state) => (weightOf(state) * size) / total)
  const alias = new Int32Array(size)
  const small: number[] = []
  const large: number[] = []
  for (const [index, share] of scaled.entries()) (share < 1 ? small : large).push(index)
  for (;;) {
    const less = small.pop()
    if (less === undefined) break
    const more = large.pop()
    if (more === undefined) {
      scaled[less] = 1
      continue
    }
    alias[less] = more
    const rest = (scaled[more] ?? 0) + (scaled[less] ?? 0) - 1
    scaled[more] = rest
    if (rest < 1) small.push(more)
    else large.push(more)
  }
  for (const index of large) scaled[index] = 1
  return () => {
    const at = random.below(size)
    const index = Math.floor(at)
    return pick(at - index < (scaled[index] ?? 1) ? index : (alias[index] ?? 0))
  }
}
