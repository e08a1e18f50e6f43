import type { Random } from '../../base/random.ts'
import type { EndpointState } from './endpoint-state.ts'

/** At least one: an empty cluster is handled once, in the balancer. */
export type Choices = readonly [EndpointState, ...EndpointState[]]

/** Chooses one; O(1), with unequal weights at most O(log n). */
export type Picker = () => EndpointState

/** One after the other from a random start; with weights, each as often as its weight says, spread evenly. */
export function roundRobin(choices: Choices, random: Random): Picker {
  if (!equalWeights(choices)) return earliestDeadlineFirst(choices, random)
  let next = random.index(choices.length)
  return () => {
    const chosen = choices[next] ?? choices[0]
    next = next + 1 < choices.length ? next + 1 : 0
    return chosen
  }
}

/**
 * `count` random candidates (with chances by weight), of which the one with the fewest active calls per weight wins.
 * Source: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 12(10), 2001.
 */
export function leastRequest(choices: Choices, count: number, random: Random): Picker {
  const candidate = weightedCandidate(choices, random)
  if (choices.length === 1) return candidate
  return () => {
    let best = candidate()
    for (let more = 1; more < count; more++) best = fewerCalls(best, candidate())
    return best
  }
}

const fewerCalls = (a: EndpointState, b: EndpointState): EndpointState =>
  b.activeCalls * a.endpoint.weight < a.activeCalls * b.endpoint.weight ? b : a

const equalWeights = (choices: Choices): boolean =>
  choices.every(({ endpoint }) => endpoint.weight === choices[0].endpoint.weight)

/** A random endpoint with a chance of its weight's share, in O(1). Source: Walker's alias method, by Vose, 1991. */
export function weightedCandidate(choices: Choices, random: Random): Picker {
  const pick = (index: number): EndpointState => choices[index] ?? choices[0]
  if (equalWeights(choices)) return () => pick(random.index(choices.length))
  const size = choices.length
  const total = choices.reduce((sum, { endpoint }) => sum + endpoint.weight, 0)
  const scaled = Float64Array.from(choices, ({ endpoint }) => (endpoint.weight * size) / total)
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

/**
 * The endpoint whose next turn is due first; its turn after that comes 1/weight later. A binary heap over numbers, O(log n).
 * First turns are random within their distance, so that a fleet of proxies does not start at the same endpoint.
 */
function earliestDeadlineFirst(choices: Choices, random: Random): Picker {
  const step = Float64Array.from(choices, ({ endpoint }) => 1 / Math.max(endpoint.weight, 1))
  const due = Float64Array.from(step, (distance) => random.below(distance))
  const heap = Int32Array.from(choices, (_, index) => index)
  const dueAt = (position: number): number => due[heap[position] ?? 0] ?? Infinity

  const sink = (from: number): void => {
    let position = from
    for (;;) {
      const left = 2 * position + 1
      if (left >= heap.length) return
      const child = left + 1 < heap.length && dueAt(left + 1) < dueAt(left) ? left + 1 : left
      if (dueAt(child) >= dueAt(position)) return
      const moved = heap[position] ?? 0
      heap[position] = heap[child] ?? 0
      heap[child] = moved
      position = child
    }
  }
  for (let position = heap.length >> 1; position >= 0; position--) sink(position)
  return () => {
    const index = heap[0] ?? 0
    due[index] = (due[index] ?? 0) + (step[index] ?? 1)
    sink(0)
    return choices[index] ?? choices[0]
  }
}
