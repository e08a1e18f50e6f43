import type { Any } from '@bufbuild/protobuf/wkt'
import type { LoadBalancingPolicy } from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import {
  ConsistentHashingLbConfigSchema,
  LocalityLbConfigSchema,
  type ConsistentHashingLbConfig,
  type LocalityLbConfig,
} from '../../xds/gen/envoy/extensions/load_balancing_policies/common/v3/common_pb.ts'
import {
  LeastRequestSchema,
  type LeastRequest,
} from '../../xds/gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.ts'
import { MaglevSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb.ts'
import { RandomSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/random/v3/random_pb.ts'
import {
  RingHash_HashFunction,
  RingHashSchema,
} from '../../xds/gen/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash_pb.ts'
import { ClientSideWeightedRoundRobinSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3/client_side_weighted_round_robin_pb.ts'
import { OverrideHostSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/override_host/v3/override_host_pb.ts'
import { RoundRobinSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.ts'
import { SubsetSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/subset/v3/subset_pb.ts'
import { WrrLocalitySchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality_pb.ts'
import { typeUrlOf } from '../../xds/any.ts'
import type { Cluster, LoadBalancing } from '../config.ts'
import { clientSideWeights } from './decode-client-side-weights.ts'
import { decodeOverrideHeaders } from './decode-override-host.ts'
import { decodePolicyZoneAware } from './decode-zone-aware.ts'
import { slowStartOf, type HasSlowStart } from './decode-slow-start.ts'
import { decodeSubsets, subsetFields } from './decode-subsets.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

/** How a cluster chooses endpoints. */
export interface Balancing extends Pick<
  Cluster,
  'loadBalancing' | 'localityWeighted' | 'subsets' | 'overrideHeaders' | 'zoneAware'
> {
  /** Places in ring and table follow from host names. xDS: use_hostname_for_hashing. */
  readonly hashHostnames: boolean
}

/** `load_balancing_policy`, a list of preferences: the first one known counts. Undefined, and refused, when none is. */
export function decodePolicyList(list: LoadBalancingPolicy, path: string, refused: Refusals): Balancing | undefined {
  for (const [index, { typedExtensionConfig: one }] of list.policies.entries()) {
    const any = one?.typedConfig
    const decode = any && policies[any.typeUrl]
    if (any !== undefined && decode !== undefined) return decode(any, join(path, `policies[${index}]`), refused)
  }
  refused.add(path, 'none of its policies is supported')
  return undefined
}

/** Nothing but the policy. */
export const plain = (loadBalancing: LoadBalancing): Balancing => ({ loadBalancing, hashHostnames: false })

type Decode = (any: Any, path: string, refused: Refusals) => Balancing | undefined

const roundRobinFields = fieldNames('slow_start_config locality_lb_config')
const leastRequestFields = fieldNames(
  'choice_count active_request_bias slow_start_config locality_lb_config selection_method',
)
const randomFields = fieldNames('locality_lb_config')
const ringFields = fieldNames(`hash_function minimum_ring_size maximum_ring_size use_hostname_for_hashing
  consistent_hashing_lb_config locality_weighted_lb_config`)
const maglevFields = fieldNames('table_size consistent_hashing_lb_config locality_weighted_lb_config')

const policies: Readonly<Record<string, Decode | undefined>> = {
  [typeUrlOf(RoundRobinSchema)]: (any, path, refused) => {
    const policy = open(any, RoundRobinSchema, path, refused)
    if (policy === undefined) return undefined
    knowOnly(RoundRobinSchema, policy, roundRobinFields, path, refused)
    const loadBalancing = { kind: 'round-robin', ...slowStartOf(policy, path, refused) } as const
    return { ...plain(loadBalancing), ...localityOf(policy, path, refused) }
  },
  [typeUrlOf(RandomSchema)]: (any, path, refused) => {
    const policy = open(any, RandomSchema, path, refused)
    if (policy === undefined) return undefined
    knowOnly(RandomSchema, policy, randomFields, path, refused)
    return { ...plain({ kind: 'random' }), ...localityOf(policy, path, refused) }
  },
  [typeUrlOf(LeastRequestSchema)]: (any, path, refused) => {
    const policy = open(any, LeastRequestSchema, path, refused)
    if (policy === undefined) return undefined
    knowOnly(LeastRequestSchema, policy, leastRequestFields, path, refused)
    if (policy.selectionMethod !== 0)
      refused.add(join(path, 'selection_method'), 'FULL_SCAN is not supported, expected N_CHOICES')
    return { ...plain(leastRequest(policy, path, refused)), ...localityOf(policy, path, refused) }
  },
  [typeUrlOf(RingHashSchema)]: (any, path, refused) => {
    const policy = open(any, RingHashSchema, path, refused)
    if (policy === undefined) return undefined
    knowOnly(RingHashSchema, policy, ringFields, path, refused)
    if (policy.hashFunction === RingHash_HashFunction.MURMUR_HASH_2)
      refused.add(join(path, 'hash_function'), 'MURMUR_HASH_2 is not supported, expected XX_HASH')
    const { minimumRingSize: min, maximumRingSize: max } = policy
    return {
      loadBalancing: ringHash({ min, max }, path, refused),
      hashHostnames: policy.useHostnameForHashing || byHostname(policy, path, refused),
      ...(policy.localityWeightedLbConfig && { localityWeighted: true }),
    }
  },
  [typeUrlOf(MaglevSchema)]: (any, path, refused) => {
    const policy = open(any, MaglevSchema, path, refused)
    if (policy === undefined) return undefined
    knowOnly(MaglevSchema, policy, maglevFields, path, refused)
    return {
      loadBalancing: maglev(policy.tableSize, path, refused),
      hashHostnames: byHostname(policy, path, refused),
      ...(policy.localityWeightedLbConfig && { localityWeighted: true }),
    }
  },
  [typeUrlOf(WrrLocalitySchema)]: (any, path, refused) => {
    const policy = open(any, WrrLocalitySchema, path, refused)
    const within = policyWithin(policy?.endpointPickingPolicy, join(path, 'endpoint_picking_policy'), refused)
    return within && { ...within, localityWeighted: true }
  },
  [typeUrlOf(ClientSideWeightedRoundRobinSchema)]: (any, path, refused) => {
    const policy = open(any, ClientSideWeightedRoundRobinSchema, path, refused)
    return policy && plain(clientSideWeights(policy, path, refused))
  },
  [typeUrlOf(OverrideHostSchema)]: (any, path, refused) => {
    const policy = open(any, OverrideHostSchema, path, refused)
    if (policy === undefined) return undefined
    const overrideHeaders = decodeOverrideHeaders(policy, path, refused)
    const within = policyWithin(policy.fallbackPolicy, join(path, 'fallback_policy'), refused)
    return within && { ...within, overrideHeaders: [...overrideHeaders, ...(within.overrideHeaders ?? [])] }
  },
  [typeUrlOf(SubsetSchema)]: (any, path, refused) => {
    const policy = open(any, SubsetSchema, path, refused)
    if (policy === undefined) return undefined
    knowOnly(SubsetSchema, policy, subsetFields, path, refused)
    const within = policyWithin(policy.subsetLbPolicy, join(path, 'subset_lb_policy'), refused)
    return within && { ...within, subsets: decodeSubsets(policy, path, refused) }
  },
}

/** The policy within another. */
function policyWithin(list: LoadBalancingPolicy | undefined, path: string, refused: Refusals): Balancing | undefined {
  if (list !== undefined) return decodePolicyList(list, path, refused)
  refused.add(path, 'is missing')
  return undefined
}

const localityFields = fieldNames('locality_weighted_lb_config zone_aware_lb_config')

function localityOf(
  { localityLbConfig: config }: { readonly localityLbConfig?: LocalityLbConfig | undefined },
  path: string,
  refused: Refusals,
): Pick<Balancing, 'localityWeighted' | 'zoneAware'> {
  if (config === undefined) return {}
  knowOnly(LocalityLbConfigSchema, config, localityFields, join(path, 'locality_lb_config'), refused)
  const { case: kind, value } = config.localityConfigSpecifier
  if (kind === 'zoneAwareLbConfig')
    return { zoneAware: decodePolicyZoneAware(value, join(path, 'locality_lb_config.zone_aware_lb_config'), refused) }
  return kind === 'localityWeightedLbConfig' ? { localityWeighted: true } : {}
}

const consistentFields = fieldNames('use_hostname_for_hashing')

function byHostname(
  { consistentHashingLbConfig: config }: { readonly consistentHashingLbConfig?: ConsistentHashingLbConfig | undefined },
  path: string,
  refused: Refusals,
): boolean {
  if (config === undefined) return false
  const at = join(path, 'consistent_hashing_lb_config')
  knowOnly(ConsistentHashingLbConfigSchema, config, consistentFields, at, refused)
  return config.useHostnameForHashing
}

/** Also for `least_request_lb_config`. */
export function leastRequest(
  policy: Pick<LeastRequest, 'choiceCount' | 'activeRequestBias'> & HasSlowStart,
  path: string,
  refused: Refusals,
): LoadBalancing {
  const { choiceCount, activeRequestBias } = policy
  if (choiceCount !== undefined && choiceCount < 2)
    refused.add(join(path, 'choice_count'), `expected at least 2, got ${choiceCount}`)
  const bias = activeRequestBias?.defaultValue ?? 1
  if (!(bias >= 0)) refused.add(join(path, 'active_request_bias'), `expected at least 0, got ${bias}`)
  const slowStart = slowStartOf(policy, path, refused)
  return { kind: 'least-request', choices: choiceCount ?? 2, activeRequestBias: bias, ...slowStart }
}

const largestRing = 8 * 1024 * 1024

/** Also for `ring_hash_lb_config`. */
export function ringHash(
  { min = 1024n, max = BigInt(largestRing) }: { min?: bigint | undefined; max?: bigint | undefined },
  path: string,
  refused: Refusals,
): LoadBalancing {
  if (min < 1n || min > max || max > largestRing)
    refused.add(
      join(path, 'minimum_ring_size'),
      `expected 1 ≤ minimum_ring_size ≤ maximum_ring_size ≤ ${largestRing}, got ${min} and ${max}`,
    )
  return { kind: 'ring-hash', minSize: Number(min), maxSize: Number(max) }
}

const largestTable = 5_000_011

/** Also for `maglev_lb_config`. */
export function maglev(tableSize: bigint | undefined, path: string, refused: Refusals): LoadBalancing {
  const size = Number(tableSize ?? 65_537n)
  if (size > largestTable || !isPrime(size))
    refused.add(join(path, 'table_size'), `expected a prime of at most ${largestTable}, got ${size}`)
  return { kind: 'maglev', tableSize: size }
}

function isPrime(value: number): boolean {
  if (value < 2) return false
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false
  return true
}
