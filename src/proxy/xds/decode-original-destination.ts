import {
  Cluster_LbPolicy as LbPolicy,
  Cluster_OriginalDstLbConfigSchema,
  type Cluster as XdsCluster,
} from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { OriginalDestination } from '../config.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const fields = fieldNames('use_http_header http_header_name upstream_port_override')
const path = 'original_dst_lb_config'
/** Source: Cluster.OriginalDstLbConfig.use_http_header. */
const usualHeader = 'x-envoy-original-dst-host'

/** Where the calls of an ORIGINAL_DST cluster go, if not where their connections were for. */
export function decodeOriginalDestination(
  { lbPolicy, lbConfig, loadAssignment, loadBalancingPolicy }: XdsCluster,
  refused: Refusals,
): OriginalDestination | undefined {
  if (loadAssignment !== undefined)
    refused.add('load_assignment', 'an ORIGINAL_DST cluster has no endpoints of its own')
  if (loadBalancingPolicy !== undefined || lbPolicy !== LbPolicy.CLUSTER_PROVIDED)
    refused.add('lb_policy', 'an ORIGINAL_DST cluster has CLUSTER_PROVIDED')
  if (lbConfig.case !== 'originalDstLbConfig') return undefined
  const { value } = lbConfig
  knowOnly(Cluster_OriginalDstLbConfigSchema, value, fields, path, refused)
  const { useHttpHeader, httpHeaderName, upstreamPortOverride: port } = value
  if (port !== undefined && (port < 1 || port > 65_535))
    refused.add(join(path, 'upstream_port_override'), 'expected a port number')
  return {
    ...(useHttpHeader && { header: httpHeaderName.toLowerCase() || usualHeader }),
    ...(port !== undefined && { port }),
  }
}
