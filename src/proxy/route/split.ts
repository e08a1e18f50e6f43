import type { Random } from '../../base/random.ts'
import { modulo, type Hash64 } from '../../base/xx-hash.ts'
import type { WeightedCluster } from '../config.ts'

/**
 * One cluster, each with a chance of its weight's share. A single one costs no chance; weight 0 is never picked unless all are 0,
 * when the first is taken. Throws RangeError for an empty list: the decoder refuses it.
 */
export function pickCluster<One extends WeightedCluster>(clusters: readonly One[], random: Random): One {
  return clusters.length <= 1 ? clusterAt(clusters, 0) : clusterAt(clusters, random.below(totalOf(clusters)))
}

/** The same for a hash: always the same one, each for its weight's share of all hashes, as Envoy has it. The sum of weights is at most 2²⁶. */
export const clusterOfHash = <One extends WeightedCluster>(clusters: readonly One[], hash: Hash64): One =>
  clusterAt(clusters, modulo(hash, totalOf(clusters) || 1))

function totalOf(clusters: readonly WeightedCluster[]): number {
  let total = 0
  for (const { weight } of clusters) total += weight
  return total
}

/** The one in whose share of the weights, laid end to end, `point` lies. */
function clusterAt<One extends WeightedCluster>(clusters: readonly One[], point: number): One {
  const [first] = clusters
  if (first === undefined) throw new RangeError('a forwarding route has at least one cluster')
  let left = point
  for (const one of clusters) {
    left -= one.weight
    if (left < 0) return one
  }
  return first
}
