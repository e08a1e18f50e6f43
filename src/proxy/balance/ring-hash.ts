import type { Random } from '../../base/random.ts'
import { xxHash64, type Hash64 } from '../../base/xx-hash.ts'
import { hashKey, randomHash, shares } from './consistent.ts'
import type { Choices, Picker, Weights } from './picker.ts'

/** How many points the ring has; Envoy's `minimum_ring_size` and `maximum_ring_size`. */
export interface RingRules {
  readonly minSize: number
  readonly maxSize: number
}

/**
 * Ketama: each endpoint has points on a ring, as many as its weight says, and a key goes to the first point at or behind it. An
 * endpoint that comes or goes moves only the keys of its own points. O(log n). The same points as Envoy's.
 */
export function ringHash(choices: Choices, rules: RingRules, weights: Weights, random: Random): Picker {
  const { points, owners } = buildRing(choices, rules, weights)
  const { length } = points
  return (hash, attempt) => {
    const wanted = pointOf(hash ?? randomHash(random))
    let low = 0
    let high = length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((points[middle] ?? 0) < wanted) low = middle + 1
      else high = middle
    }
    return choices[owners[(low + attempt) % length] ?? 0] ?? choices[0]
  }
}

/** The upper 53 bits: all that a number holds, and more than enough to tell points apart. */
const pointOf = ({ hi, lo }: Hash64): number => hi * 2 ** 21 + (lo >>> 11)

function buildRing(
  choices: Choices,
  { minSize, maxSize }: RingRules,
  weights: Weights,
): { readonly points: Float64Array; readonly owners: Int32Array } {
  const share = shares(choices, weights)
  const smallest = share.reduce((least, one) => Math.min(least, one), 1)
  // The one with the smallest weight gets a whole number of points, so that the others' are in proportion.
  const scale = Math.min(Math.ceil(smallest * minSize) / smallest, maxSize)
  const unordered: { readonly point: number; readonly owner: number }[] = []
  let target = 0
  for (const [owner, state] of choices.entries()) {
    const key = hashKey(state)
    target += scale * (share[owner] ?? 0)
    for (let copy = 0; unordered.length < target; copy++)
      unordered.push({ point: pointOf(xxHash64(`${key}_${copy}`)), owner })
  }
  unordered.sort((a, b) => a.point - b.point)
  return {
    points: Float64Array.from(unordered, ({ point }) => point),
    owners: Int32Array.from(unordered, ({ owner }) => owner),
  }
}
