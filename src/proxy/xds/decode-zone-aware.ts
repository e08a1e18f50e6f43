import {
  Cluster_CommonLbConfig_ZoneAwareLbConfigSchema,
  type Cluster_CommonLbConfig_ZoneAwareLbConfig as OldConfig,
} from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import {
  LocalityLbConfig_ZoneAwareLbConfigSchema,
  LocalityLbConfig_ZoneAwareLbConfig_LocalityBasis as Basis,
  type LocalityLbConfig_ZoneAwareLbConfig as PolicyConfig,
} from '../../xds/gen/envoy/extensions/load_balancing_policies/common/v3/common_pb.ts'
import type { ZoneAware } from '../config.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const oldFields = fieldNames('routing_enabled min_cluster_size')
const policyFields = fieldNames(
  'routing_enabled min_cluster_size force_locality_direct_routing force_local_zone locality_basis',
)

/** `common_lb_config.zone_aware_lb_config`. */
export function decodeZoneAware(config: OldConfig, path: string, refused: Refusals): ZoneAware {
  knowOnly(Cluster_CommonLbConfig_ZoneAwareLbConfigSchema, config, oldFields, path, refused)
  return common(config)
}

/** The same in a policy's `locality_lb_config`. */
export function decodePolicyZoneAware(config: PolicyConfig, path: string, refused: Refusals): ZoneAware {
  knowOnly(LocalityLbConfig_ZoneAwareLbConfigSchema, config, policyFields, path, refused)
  const { forceLocalZone, forceLocalityDirectRouting, localityBasis } = config
  const forceFrom =
    forceLocalZone === undefined ? (forceLocalityDirectRouting ? 1 : undefined) : (forceLocalZone.minSize ?? 1)
  if (localityBasis !== Basis.HEALTHY_HOSTS_NUM && localityBasis !== Basis.HEALTHY_HOSTS_WEIGHT)
    refused.add(join(path, 'locality_basis'), 'expected HEALTHY_HOSTS_NUM or HEALTHY_HOSTS_WEIGHT')
  return {
    ...common(config),
    ...(forceFrom !== undefined && { forceFrom }),
    ...(localityBasis === Basis.HEALTHY_HOSTS_WEIGHT && { byWeight: true }),
  }
}

const common = ({
  routingEnabled,
  minClusterSize,
}: Pick<OldConfig, 'routingEnabled' | 'minClusterSize'>): ZoneAware => ({
  enabledPercent: routingEnabled?.value ?? 100,
  minEndpoints: Number(minClusterSize ?? 6n),
})
