import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  Cluster_LbPolicy,
  type Cluster_SlowStartConfigSchema,
  type ClusterSchema,
} from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { LoadBalancing, SlowStart, Traffic } from '../model/model.ts'
import { duration } from './parts.ts'

type Balancing = Pick<MessageInitShape<typeof ClusterSchema>, 'lbPolicy' | 'lbConfig'>

/** How a cluster's endpoints are chosen. What Envoy does not have is the nearest thing that it has. */
export function renderLoadBalancing(
  kind: LoadBalancing,
  { balancing = {}, slowStart }: Partial<Traffic> = {},
): Balancing {
  const slowly = slowStart === undefined ? {} : { slowStartConfig: renderSlowStart(slowStart) }
  switch (kind) {
    case 'round-robin':
      if (slowStart === undefined) return { lbPolicy: Cluster_LbPolicy.ROUND_ROBIN }
      return { lbPolicy: Cluster_LbPolicy.ROUND_ROBIN, lbConfig: { case: 'roundRobinLbConfig', value: slowly } }
    case 'random':
      return { lbPolicy: Cluster_LbPolicy.RANDOM }
    case 'ring-hash': {
      const { minRingSize = 1024, maxRingSize = 8_388_608 } = balancing
      const value = { minimumRingSize: BigInt(minRingSize), maximumRingSize: BigInt(maxRingSize) }
      return { lbPolicy: Cluster_LbPolicy.RING_HASH, lbConfig: { case: 'ringHashLbConfig', value } }
    }
    case 'maglev': {
      const value = { tableSize: BigInt(balancing.tableSize ?? 65_537) }
      return { lbPolicy: Cluster_LbPolicy.MAGLEV, lbConfig: { case: 'maglevLbConfig', value } }
    }
    case 'peak-ewma':
    case 'least-request': {
      const value = { choiceCount: balancing.choices ?? 2, ...slowly }
      return { lbPolicy: Cluster_LbPolicy.LEAST_REQUEST, lbConfig: { case: 'leastRequestLbConfig', value } }
    }
  }
}

/** Envoy wants a name for what could be changed at run time. */
const renderSlowStart = ({
  windowMs,
  aggression,
  minWeightPercent,
}: SlowStart): MessageInitShape<typeof Cluster_SlowStartConfigSchema> => ({
  slowStartWindow: duration(windowMs),
  aggression: { defaultValue: aggression, runtimeKey: 'weft.slow_start.aggression' },
  minWeightPercent: { value: minWeightPercent },
})
