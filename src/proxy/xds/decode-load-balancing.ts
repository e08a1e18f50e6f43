import type { Any } from '@bufbuild/protobuf/wkt'
import {
  Cluster_LbPolicy as LbPolicy,
  Cluster_LeastRequestLbConfigSchema,
  Cluster_RingHashLbConfig_HashFunction as RingFunction,
  type Cluster as XdsCluster,
} from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ConsistentHashingLbConfigSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/common/v3/common_pb.ts'
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
import { RoundRobinSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.ts'
import { typeUrlOf } from '../../xds/any.ts'
import { stringIn } from '../../xds/structs.ts'
import type { Cluster, LoadBalancing } from '../config.ts'
import { weftPart } from './decode-parts.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

/** How a cluster chooses endpoints: `load_balancing_policy` if there is one, else `lb_policy` with its own part. */
export interface Balancing {
  readonly loadBalancing: LoadBalancing
  /** Places in ring and table follow from host names. xDS: use_hostname_for_hashing. */
  readonly hashHostnames: boolean
}

/** `dynamic-forward` has no endpoints to choose from, and says so by CLUSTER_PROVIDED. */
export function decodeBalancing(cluster: XdsCluster, discovery: Cluster['discovery'], refused: Refusals): Balancing {
  const { loadBalancingPolicy } = cluster
  if (loadBalancingPolicy === undefined) return decodeOld(cluster, discovery, refused)
  for (const [index, { typedExtensionConfig: one }] of loadBalancingPolicy.policies.entries()) {
    const any = one?.typedConfig
    const decode = any && policies[any.typeUrl]
    // A list of preferences: the first one known counts.
    if (any !== undefined && decode !== undefined)
      return decode(any, `load_balancing_policy.policies[${index}]`, refused)
  }
  refused.add('load_balancing_policy', 'none of its policies is supported')
  return plain({ kind: 'round-robin' })
}

const plain = (loadBalancing: LoadBalancing): Balancing => ({ loadBalancing, hashHostnames: false })

type Decode = (any: Any, path: string, refused: Refusals) => Balancing

const leastRequestFields = fieldNames('choice_count active_request_bias selection_method')
const ringFields = fieldNames(
  'hash_function minimum_ring_size maximum_ring_size use_hostname_for_hashing consistent_hashing_lb_config',
)
const maglevFields = fieldNames('table_size consistent_hashing_lb_config')
const consistentFields = fieldNames('use_hostname_for_hashing')
const nothing = fieldNames('')

const policies: Readonly<Record<string, Decode | undefined>> = {
  [typeUrlOf(RoundRobinSchema)]: (any, path, refused) => {
    const policy = open(any, RoundRobinSchema, path, refused)
    if (policy !== undefined) knowOnly(RoundRobinSchema, policy, nothing, path, refused)
    return plain({ kind: 'round-robin' })
  },
  [typeUrlOf(RandomSchema)]: (any, path, refused) => {
    const policy = open(any, RandomSchema, path, refused)
    if (policy !== undefined) knowOnly(RandomSchema, policy, nothing, path, refused)
    return plain({ kind: 'random' })
  },
  [typeUrlOf(LeastRequestSchema)]: (any, path, refused) => {
    const policy = open(any, LeastRequestSchema, path, refused)
    if (policy === undefined) return plain({ kind: 'round-robin' })
    knowOnly(LeastRequestSchema, policy, leastRequestFields, path, refused)
    if (policy.selectionMethod !== 0)
      refused.add(join(path, 'selection_method'), 'FULL_SCAN is not supported, expected N_CHOICES')
    return plain(leastRequest(policy, path, refused))
  },
  [typeUrlOf(RingHashSchema)]: (any, path, refused) => {
    const policy = open(any, RingHashSchema, path, refused)
    if (policy === undefined) return plain({ kind: 'round-robin' })
    knowOnly(RingHashSchema, policy, ringFields, path, refused)
    if (policy.hashFunction === RingHash_HashFunction.MURMUR_HASH_2)
      refused.add(join(path, 'hash_function'), 'MURMUR_HASH_2 is not supported, expected XX_HASH')
    const { minimumRingSize: min, maximumRingSize: max } = policy
    return {
      loadBalancing: ringHash({ min, max }, path, refused),
      hashHostnames: policy.useHostnameForHashing || byHostname(policy, path, refused),
    }
  },
  [typeUrlOf(MaglevSchema)]: (any, path, refused) => {
    const policy = open(any, MaglevSchema, path, refused)
    if (policy === undefined) return plain({ kind: 'round-robin' })
    knowOnly(MaglevSchema, policy, maglevFields, path, refused)
    return {
      loadBalancing: maglev(policy.tableSize, path, refused),
      hashHostnames: byHostname(policy, path, refused),
    }
  },
}

function byHostname(
  { consistentHashingLbConfig: config }: { readonly consistentHashingLbConfig?: ConsistentHashing | undefined },
  path: string,
  refused: Refusals,
): boolean {
  if (config === undefined) return false
  knowOnly(
    ConsistentHashingLbConfigSchema,
    config,
    consistentFields,
    join(path, 'consistent_hashing_lb_config'),
    refused,
  )
  return config.useHostnameForHashing
}
type ConsistentHashing = NonNullable<Parameters<typeof knowOnly<typeof ConsistentHashingLbConfigSchema>>[1]>

function leastRequest(
  { choiceCount, activeRequestBias }: Pick<LeastRequest, 'choiceCount' | 'activeRequestBias'>,
  path: string,
  refused: Refusals,
): LoadBalancing {
  if (choiceCount !== undefined && choiceCount < 2)
    refused.add(join(path, 'choice_count'), `expected at least 2, got ${choiceCount}`)
  const bias = activeRequestBias?.defaultValue ?? 1
  if (!(bias >= 0)) refused.add(join(path, 'active_request_bias'), `expected at least 0, got ${bias}`)
  return { kind: 'least-request', choices: choiceCount ?? 2, activeRequestBias: bias }
}

const largestRing = 8 * 1024 * 1024

function ringHash(
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

function maglev(tableSize: bigint | undefined, path: string, refused: Refusals): LoadBalancing {
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

const oldLeastRequestFields = fieldNames('choice_count active_request_bias')

/** `lb_policy` and `lb_config`; a part that belongs to another policy is refused, as it would change nothing. */
function decodeOld(
  { lbPolicy, lbConfig, metadata, commonLbConfig }: XdsCluster,
  discovery: Cluster['discovery'],
  refused: Refusals,
): Balancing {
  const consistent = commonLbConfig?.consistentHashingLbConfig
  if (consistent?.hashBalanceFactor !== undefined)
    refused.add('common_lb_config.consistent_hashing_lb_config.hash_balance_factor', 'is not supported')
  const hashHostnames = consistent?.useHostnameForHashing ?? false
  switch (lbPolicy) {
    case LbPolicy.ROUND_ROBIN:
      return plain({ kind: 'round-robin' })
    case LbPolicy.RANDOM:
      return plain({ kind: 'random' })
    case LbPolicy.LEAST_REQUEST: {
      if (stringIn(weftPart(metadata), 'load_balancing') === 'peak-ewma')
        return plain({ kind: 'peak-ewma', defaultRttMs: 30, decayMs: 10_000 })
      const own = lbConfig.case === 'leastRequestLbConfig' ? lbConfig.value : undefined
      if (own !== undefined)
        knowOnly(Cluster_LeastRequestLbConfigSchema, own, oldLeastRequestFields, 'least_request_lb_config', refused)
      return plain(leastRequest(own ?? {}, 'least_request_lb_config', refused))
    }
    case LbPolicy.RING_HASH: {
      const own = lbConfig.case === 'ringHashLbConfig' ? lbConfig.value : undefined
      if (own?.hashFunction === RingFunction.MURMUR_HASH_2)
        refused.add('ring_hash_lb_config.hash_function', 'MURMUR_HASH_2 is not supported, expected XX_HASH')
      const { minimumRingSize: min, maximumRingSize: max } = own ?? {}
      return { loadBalancing: ringHash({ min, max }, 'ring_hash_lb_config', refused), hashHostnames }
    }
    case LbPolicy.MAGLEV: {
      const size = lbConfig.case === 'maglevLbConfig' ? lbConfig.value.tableSize : undefined
      return { loadBalancing: maglev(size, 'maglev_lb_config', refused), hashHostnames }
    }
    default:
      if (lbPolicy !== LbPolicy.CLUSTER_PROVIDED || discovery !== 'dynamic-forward')
        refused.add('lb_policy', 'expected ROUND_ROBIN, LEAST_REQUEST, RANDOM, RING_HASH or MAGLEV')
      return plain({ kind: 'round-robin' })
  }
}
