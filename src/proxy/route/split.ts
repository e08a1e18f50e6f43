import type { Random } from '../../base/random.ts'
import type { WeightedCluster } from '../config.ts'

/**
 * One cluster, each with a chance of its weight's share. A single one costs no chance; weight 0 is never picked unless all are 0,
 * when the first is taken. Throws RangeError for an empty list: the decoder refuses it.
 */
export function pickCluster<One extends WeightedCluster>(clusters: readonly One[], random: Random): One {
  const [first] = clusters
  if (first === undefined) throw new RangeError('a forwarding route has at least one cluster')
  if (clusters.length === 1) return first
  let total = 0
  for (const { weight } of clusters) total += weight
  let left = random.below(total)
  for (const one of clusters) {
    left -= one.weight
    if (left < 0) return one
  }
  return first
}
