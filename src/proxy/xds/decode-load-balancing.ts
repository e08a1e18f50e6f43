import {
  Cluster_CommonLbConfigSchema,
  Cluster_CommonLbConfig_ConsistentHashingLbConfigSchema,
  Cluster_LbPolicy as LbPolicy,
  Cluster_LbSubsetConfigSchema,
  Cluster_RingHashLbConfig_HashFunction as RingFunction,
  type Cluster as XdsCluster,
} from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterProvidedSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided_pb.ts'
import { typeUrlOf } from '../../xds/any.ts'
import { stringIn } from '../../xds/structs.ts'
import { isMadeUp } from '../config/made-up.ts'
import type { Cluster, LoadBalancing } from '../config.ts'
import { decodePolicyList, leastRequest, maglev, plain, ringHash, type Balancing } from './decode-balancing-policy.ts'
import { weftPart } from './decode-parts.ts'
import { healthStatusName } from './decode-override-host.ts'
import { slowStartOf } from './decode-slow-start.ts'
import { decodeZoneAware } from './decode-zone-aware.ts'
import { decodeSubsets, subsetFields } from './decode-subsets.ts'
import { fieldNames, knowOnly, type Refusals } from './refusals.ts'

const commonFields = fieldNames(
  'healthy_panic_threshold update_merge_window locality_weighted_lb_config zone_aware_lb_config consistent_hashing_lb_config override_host_status',
)
const clusterProvided = typeUrlOf(ClusterProvidedSchema)
const consistentFields = fieldNames('use_hostname_for_hashing')

/**
 * How a cluster chooses endpoints: `load_balancing_policy` if there is one, else `lb_policy` with its own part. A cluster whose
 * endpoints follow from the calls has none to choose from, and says so by CLUSTER_PROVIDED.
 */
export function decodeBalancing(
  cluster: XdsCluster,
  discovery: Cluster['discovery'],
  refused: Refusals,
): Balancing & Pick<Cluster, 'panicThresholdPercent' | 'overrideStatuses'> {
  const { loadBalancingPolicy, commonLbConfig: common } = cluster
  if (common !== undefined) knowOnly(Cluster_CommonLbConfigSchema, common, commonFields, 'common_lb_config', refused)
  const whole = {
    panicThresholdPercent: common?.healthyPanicThreshold?.value ?? 50,
    ...(common?.overrideHostStatus && {
      overrideStatuses: new Set(common.overrideHostStatus.statuses.map(healthStatusName)),
    }),
  }
  if (loadBalancingPolicy === undefined) return { ...decodeOld(cluster, discovery, refused), ...whole }
  // Envoy does not look at the old fields then.
  if (cluster.lbSubsetConfig !== undefined) refused.add('lb_subset_config', 'stands beside load_balancing_policy')
  const [first] = loadBalancingPolicy.policies
  if (providesItsOwn(discovery) && first?.typedExtensionConfig?.typedConfig?.typeUrl === clusterProvided)
    return { ...plain({ kind: 'round-robin' }), ...whole }
  if (discovery === 'aggregate') refused.add('load_balancing_policy', 'expected cluster_provided')
  const policy = decodePolicyList(loadBalancingPolicy, 'load_balancing_policy', refused)
  return { ...(policy ?? plain({ kind: 'round-robin' })), ...whole }
}

function decodeOld(cluster: XdsCluster, discovery: Cluster['discovery'], refused: Refusals): Balancing {
  const { commonLbConfig: common, lbSubsetConfig: subsets } = cluster
  const consistent = common?.consistentHashingLbConfig
  if (consistent !== undefined) {
    const at = 'common_lb_config.consistent_hashing_lb_config'
    knowOnly(Cluster_CommonLbConfig_ConsistentHashingLbConfigSchema, consistent, consistentFields, at, refused)
  }
  if (subsets !== undefined) knowOnly(Cluster_LbSubsetConfigSchema, subsets, subsetFields, 'lb_subset_config', refused)
  return {
    loadBalancing: decodeOldPolicy(cluster, discovery, refused),
    hashHostnames: consistent?.useHostnameForHashing ?? false,
    ...(common?.localityConfigSpecifier.case === 'localityWeightedLbConfig' && { localityWeighted: true }),
    ...(common?.localityConfigSpecifier.case === 'zoneAwareLbConfig' && {
      zoneAware: decodeZoneAware(
        common.localityConfigSpecifier.value,
        'common_lb_config.zone_aware_lb_config',
        refused,
      ),
    }),
    ...(subsets && { subsets: decodeSubsets(subsets, 'lb_subset_config', refused) }),
  }
}

/** `lb_policy` and `lb_config`; a part that belongs to another policy is refused, as it would change nothing. */
function decodeOldPolicy(
  { lbPolicy, lbConfig: by, metadata }: XdsCluster,
  discovery: Cluster['discovery'],
  refused: Refusals,
): LoadBalancing {
  if (discovery === 'aggregate' && lbPolicy !== LbPolicy.CLUSTER_PROVIDED)
    refused.add('lb_policy', 'expected CLUSTER_PROVIDED')
  const part = discovery === 'original-destination' ? 'originalDstLbConfig' : partOf[lbPolicy]
  if (by.case !== undefined && by.case !== part) refused.add(by.case, 'is for another lb_policy')
  switch (lbPolicy) {
    case LbPolicy.ROUND_ROBIN:
      return {
        kind: 'round-robin',
        ...slowStartOf(by.case === 'roundRobinLbConfig' ? by.value : {}, 'round_robin_lb_config', refused),
      }
    case LbPolicy.RANDOM:
      return { kind: 'random' }
    case LbPolicy.LEAST_REQUEST: {
      const own = by.case === 'leastRequestLbConfig' ? by.value : {}
      const path = 'least_request_lb_config'
      if (stringIn(weftPart(metadata), 'load_balancing') === 'peak-ewma')
        return { kind: 'peak-ewma', defaultRttMs: 30, decayMs: 10_000, ...slowStartOf(own, path, refused) }
      return leastRequest(own, path, refused)
    }
    case LbPolicy.RING_HASH: {
      const own = by.case === 'ringHashLbConfig' ? by.value : undefined
      if (own?.hashFunction === RingFunction.MURMUR_HASH_2)
        refused.add('ring_hash_lb_config.hash_function', 'MURMUR_HASH_2 is not supported, expected XX_HASH')
      return ringHash({ min: own?.minimumRingSize, max: own?.maximumRingSize }, 'ring_hash_lb_config', refused)
    }
    case LbPolicy.MAGLEV:
      return maglev(by.case === 'maglevLbConfig' ? by.value.tableSize : undefined, 'maglev_lb_config', refused)
    default:
      if (lbPolicy !== LbPolicy.CLUSTER_PROVIDED || !providesItsOwn(discovery))
        refused.add('lb_policy', 'expected ROUND_ROBIN, LEAST_REQUEST, RANDOM, RING_HASH or MAGLEV')
      return { kind: 'round-robin' }
  }
}

/** Who takes a call follows from the cluster's kind. */
const providesItsOwn = (discovery: Cluster['discovery']): boolean =>
  discovery === 'aggregate' || isMadeUp({ discovery })

const partOf: Readonly<Record<number, XdsCluster['lbConfig']['case']>> = {
  [LbPolicy.ROUND_ROBIN]: 'roundRobinLbConfig',
  [LbPolicy.LEAST_REQUEST]: 'leastRequestLbConfig',
  [LbPolicy.RING_HASH]: 'ringHashLbConfig',
  [LbPolicy.MAGLEV]: 'maglevLbConfig',
}
