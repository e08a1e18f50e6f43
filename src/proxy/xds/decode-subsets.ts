import type { JsonObject } from '@bufbuild/protobuf'
import {
  Cluster_LbSubsetConfig_LbSubsetFallbackPolicy as Fallback,
  Cluster_LbSubsetConfig_LbSubsetSelector_LbSubsetSelectorFallbackPolicy as SelectorFallback,
} from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { SubsetFallback, Subsets } from '../config.ts'
import { fieldNames, join, type Refusals } from './refusals.ts'

/** What `lb_subset_config` and the policy `Subset` have in common: the numbers of their enums are the same. */
interface SubsetShape {
  readonly fallbackPolicy: number
  readonly defaultSubset?: JsonObject | undefined
  readonly subsetSelectors: readonly {
    readonly keys: readonly string[]
    readonly singleHostPerSubset: boolean
    readonly fallbackPolicy: number
    readonly fallbackKeysSubset: readonly string[]
  }[]
  readonly localityWeightAware: boolean
  readonly listAsAny: boolean
}

/** The fields that are understood, of both. */
export const subsetFields: ReadonlySet<string> = fieldNames(`fallback_policy default_subset subset_selectors
  locality_weight_aware list_as_any subset_lb_policy`)

/** Source: Cluster.LbSubsetConfig. */
export function decodeSubsets(config: SubsetShape, path: string, refused: Refusals): Subsets {
  return {
    fallback: fallbackOf(config.fallbackPolicy),
    defaultSubset: config.defaultSubset ?? {},
    selectors: config.subsetSelectors.map((one, index) =>
      decodeSelector(one, join(path, `subset_selectors[${index}]`), refused),
    ),
    listAsAny: config.listAsAny,
    localityWeightAware: config.localityWeightAware,
  }
}

function decodeSelector(
  selector: SubsetShape['subsetSelectors'][number],
  path: string,
  refused: Refusals,
): Subsets['selectors'][number] {
  const { keys, fallbackPolicy, fallbackKeysSubset } = selector
  if (keys.length === 0) refused.add(join(path, 'keys'), 'expected at least one')
  if (selector.singleHostPerSubset) refused.add(join(path, 'single_host_per_subset'), 'is not supported')
  switch (fallbackPolicy) {
    case SelectorFallback.NOT_DEFINED:
      return { keys }
    case SelectorFallback.KEYS_SUBSET: {
      const fewer = fallbackKeysSubset.filter((key) => keys.includes(key))
      if (fewer.length !== fallbackKeysSubset.length || fewer.length === 0 || fewer.length >= keys.length)
        refused.add(join(path, 'fallback_keys_subset'), 'expected some of the keys, but not all')
      return { keys, fallbackKeys: fewer }
    }
    default:
      return { keys, fallback: fallbackOf(fallbackPolicy - 1) }
  }
}

function fallbackOf(policy: number): SubsetFallback {
  switch (policy) {
    case Fallback.ANY_ENDPOINT:
      return 'any'
    case Fallback.DEFAULT_SUBSET:
      return 'default'
    default:
      return 'none'
  }
}
