import {
  Cluster_DnsLookupFamily as Family,
  Cluster_RefreshRateSchema,
  type Cluster as XdsCluster,
} from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { DnsRules } from '../config.ts'
import { durationMs } from './decode-parts.ts'
import { fieldNames, knowOnly, type Refusals } from './refusals.ts'

const families: Readonly<Partial<Record<Family, DnsRules['family']>>> = {
  [Family.AUTO]: 'auto',
  [Family.V4_ONLY]: 'v4',
  [Family.V6_ONLY]: 'v6',
  [Family.V4_PREFERRED]: 'v4-preferred',
  [Family.ALL]: 'all',
}
const rateFields = fieldNames('base_interval max_interval')
const shortestMs = 1

/** How a STRICT_DNS cluster (`all`) or LOGICAL_DNS cluster (`first`) asks for its endpoints' names. */
export function decodeDnsRules(cluster: XdsCluster, use: DnsRules['use'], refused: Refusals): DnsRules {
  const { dnsFailureRefreshRate: failure, loadAssignment } = cluster
  const endpoints = loadAssignment?.endpoints.flatMap((one) => one.lbEndpoints).length ?? 0
  if (use === 'first' && endpoints !== 1)
    refused.add('load_assignment.endpoints', `a LOGICAL_DNS cluster has exactly one endpoint, not ${endpoints}`)
  const refreshMs = durationMs(cluster.dnsRefreshRate, 5_000, 'dns_refresh_rate', refused)
  if (refreshMs < shortestMs) refused.add('dns_refresh_rate', 'expected at least 1 ms')
  if (failure !== undefined)
    knowOnly(Cluster_RefreshRateSchema, failure, rateFields, 'dns_failure_refresh_rate', refused)
  const failureMs = durationMs(failure?.baseInterval, refreshMs, 'dns_failure_refresh_rate.base_interval', refused)
  return {
    use,
    family: families[cluster.dnsLookupFamily] ?? 'auto',
    refreshMs: Math.max(shortestMs, refreshMs),
    ...(cluster.respectDnsTtl && { respectTtl: true }),
    failureMs: Math.max(shortestMs, failureMs),
    // Source: Cluster.RefreshRate.max_interval: ten times the base where it is absent.
    mostFailureMs:
      failure === undefined
        ? failureMs
        : durationMs(failure.maxInterval, 10 * failureMs, 'dns_failure_refresh_rate.max_interval', refused),
    jitterMs: durationMs(cluster.dnsJitter, 0, 'dns_jitter', refused),
  }
}
