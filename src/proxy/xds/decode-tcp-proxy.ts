import {
  TcpProxySchema,
  TcpProxy_WeightedClusterSchema,
  TcpProxy_WeightedCluster_ClusterWeightSchema,
  type TcpProxy,
} from '../../xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { HashPolicySchema, type HashPolicy } from '../../xds/gen/envoy/type/v3/hash_policy_pb.ts'
import type { TcpTerminal, WeightedCluster } from '../config.ts'
import { decodeAccessLogs } from './decode-access-log.ts'
import { subsetIn } from './decode-destinations.ts'
import { durationMs } from './decode-parts.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const fields = fieldNames(`stat_prefix cluster weighted_clusters idle_timeout max_downstream_connection_duration
  max_connect_attempts access_log metadata_match hash_policy`)

/** Raw bytes to a cluster. Source: envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy. */
export function decodeTcpProxy(proxy: TcpProxy, path: string, refused: Refusals): TcpTerminal {
  knowOnly(TcpProxySchema, proxy, fields, path, refused)
  const longest = proxy.maxDownstreamConnectionDuration
  if (proxy.maxConnectAttempts === 0) refused.add(join(path, 'max_connect_attempts'), 'expected at least 1, got 0')
  return {
    kind: 'tcp',
    statPrefix: proxy.statPrefix,
    clusters: decodeClusters(proxy, path, refused),
    idleTimeoutMs: durationMs(proxy.idleTimeout, 3_600_000, join(path, 'idle_timeout'), refused),
    ...(longest === undefined
      ? {}
      : { maxDurationMs: durationMs(longest, 0, join(path, 'max_downstream_connection_duration'), refused) }),
    maxConnectAttempts: proxy.maxConnectAttempts ?? 1,
    ...(proxy.hashPolicy.length > 0 && hashesSource(proxy.hashPolicy, join(path, 'hash_policy'), refused)),
    accessLog: decodeAccessLogs(proxy.accessLog, 'connection', join(path, 'access_log'), refused),
  }
}

const weightedFields = fieldNames('clusters')
const weightFields = fieldNames('name weight metadata_match')

function decodeClusters(
  { clusterSpecifier: by, metadataMatch }: TcpProxy,
  path: string,
  refused: Refusals,
): WeightedCluster[] {
  if (by.case === 'cluster') return [{ cluster: by.value, weight: 1, ...subsetIn(metadataMatch) }]
  const at = join(path, 'weighted_clusters')
  if (by.case === 'weightedClusters') knowOnly(TcpProxy_WeightedClusterSchema, by.value, weightedFields, at, refused)
  const clusters = by.case === 'weightedClusters' ? by.value.clusters : []
  if (clusters.every(({ weight }) => weight === 0)) refused.add(path, 'expected cluster or weighted_clusters')
  return clusters.map((one, index) => {
    knowOnly(TcpProxy_WeightedCluster_ClusterWeightSchema, one, weightFields, join(at, `clusters[${index}]`), refused)
    return { cluster: one.name, weight: one.weight, ...subsetIn(metadataMatch, one.metadataMatch) }
  })
}

const hashFields = fieldNames('source_ip')

function hashesSource(
  policies: readonly HashPolicy[],
  path: string,
  refused: Refusals,
): Pick<TcpTerminal, 'hashBySource'> {
  for (const [index, one] of policies.entries()) {
    const at = `${path}[${index}]`
    knowOnly(HashPolicySchema, one, hashFields, at, refused)
    if (one.policySpecifier.case === undefined) refused.add(at, 'expected source_ip')
  }
  return { hashBySource: true }
}
