import { fromBinary, type JsonObject } from '@bufbuild/protobuf'
import { isDeepStrictEqual } from 'node:util'
import {
  CircuitBreakers_ThresholdsSchema,
  type CircuitBreakers_Thresholds,
} from '../../xds/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts'
import {
  Cluster_DiscoveryType as DiscoveryType,
  ClusterSchema,
  type Cluster as XdsCluster,
} from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterConfigSchema as AggregateSchema } from '../../xds/gen/envoy/extensions/clusters/aggregate/v3/cluster_pb.ts'
import { typeUrlOf } from '../../xds/any.ts'
import { durationMsOf } from '../../xds/durations.ts'
import { RoutingPriority, type TransportSocket } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import type { Cluster, DnsRules, Limits, UpstreamTls } from '../config.ts'
import { envoyLimits } from '../config/priority.ts'
import { durationMs, mustBeAds, originOf, settingsOf } from './decode-parts.ts'
import { decodeAssignment, type Assignment } from './decode-eds.ts'
import { decodeDnsRules } from './decode-dns-cluster.ts'
import { decodeHealthCheck } from './decode-health-check.ts'
import { decodeBind } from './decode-bind.ts'
import { decodeBalancing } from './decode-load-balancing.ts'
import { decodeConnections } from './decode-connections.ts'
import { decodeOriginalDestination } from './decode-original-destination.ts'
import { decodeOutlierDetection } from './decode-outlier.ts'
import { decodeProxyTransport } from './decode-proxy-transport.ts'
import { decodeUpstreamTls } from './decode-tls.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

/** A cluster without its endpoints, and what is needed to give each of them its transport. */
export interface ClusterShape extends Omit<Cluster, 'endpoints'> {
  /** Name of the EDS resource; undefined when the endpoints are here or not needed. */
  readonly edsName: string | undefined
  readonly inline: Assignment
  /** Places in ring and table follow from host names. xDS: use_hostname_for_hashing. */
  readonly hashHostnames: boolean
  /** In order; the first whose labels the endpoint has wins. Source: Cluster.transport_socket_matches. */
  readonly transportMatches: readonly { readonly transport: string; readonly labels: JsonObject }[]
}

const clusterFields = fieldNames(`name health_checks alt_stat_name type cluster_type eds_cluster_config connect_timeout
  per_connection_buffer_limit_bytes lb_policy least_request_lb_config
  round_robin_lb_config ring_hash_lb_config maglev_lb_config lb_subset_config load_assignment
  circuit_breakers http_protocol_options http2_protocol_options typed_extension_protocol_options
  outlier_detection common_lb_config transport_socket transport_socket_matches metadata load_balancing_policy
  wait_for_warm_on_init upstream_bind_config upstream_connection_options max_requests_per_connection cleanup_interval track_timeout_budgets track_cluster_stats
  original_dst_lb_config dns_lookup_family dns_refresh_rate dns_failure_refresh_rate respect_dns_ttl dns_jitter`)

const aggregateFields = fieldNames('clusters')

const dynamicForward = 'type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig'

/** One Cluster: EDS, STATIC, by DNS, the original destination, the dynamic forward proxy, or one of other clusters. */
export function decodeCds(bytes: Uint8Array, refused: Refusals): ClusterShape {
  const cluster = fromBinary(ClusterSchema, bytes)
  knowOnly(ClusterSchema, cluster, clusterFields, '', refused)
  const { discovery, edsName, dns, members } = decodeDiscovery(cluster, refused)
  const original = discovery === 'original-destination' ? decodeOriginalDestination(cluster, refused) : undefined
  const healthCheck = decodeHealthCheck(cluster.healthChecks, refused)
  return {
    name: cluster.name,
    ...(cluster.altStatName !== '' && { observedAs: cluster.altStatName }),
    connectTimeoutMs: durationMs(cluster.connectTimeout, 5_000, 'connect_timeout', refused),
    ...decodeBalancing(cluster, discovery, refused),
    discovery,
    ...(members && { members }),
    ...(dns && { dns }),
    ...(original && { originalDestination: original }),
    edsName,
    inline:
      (discovery === 'static' || discovery === 'dns') && cluster.loadAssignment !== undefined
        ? decodeAssignment(cluster.loadAssignment, 'load_assignment', refused, { names: discovery === 'dns' })
        : { endpoints: [] },
    ...decodeTransports(cluster, refused),
    ...decodeLimits(cluster, refused),
    ...decodeBind(cluster.upstreamBindConfig, 'upstream_bind_config', refused),
    ...decodeConnections(cluster, refused),
    outlierDetection: decodeOutlierDetection(cluster.outlierDetection, refused),
    ...(healthCheck && { healthCheck }),
    origin: originOf(cluster.metadata),
    ...settingsOf(cluster.metadata),
  }
}

function decodeDiscovery(
  cluster: XdsCluster,
  refused: Refusals,
): { discovery: Cluster['discovery']; edsName: string | undefined; dns?: DnsRules; members?: readonly string[] } {
  const { name, clusterDiscoveryType: by, edsClusterConfig } = cluster
  if (by.case === 'clusterType') {
    const any = by.value.typedConfig
    if (any?.typeUrl === typeUrlOf(AggregateSchema)) {
      const config = open(any, AggregateSchema, 'cluster_type.typed_config', refused)
      if (config !== undefined) knowOnly(AggregateSchema, config, aggregateFields, 'cluster_type.typed_config', refused)
      const { clusters: members = [] } = config ?? {}
      if (members.length === 0) refused.add('cluster_type.typed_config.clusters', 'expected at least one')
      return { discovery: 'aggregate', edsName: undefined, members }
    }
    if (by.value.typedConfig?.typeUrl !== dynamicForward)
      refused.add('cluster_type', `${by.value.name} is not supported`)
    return { discovery: 'dynamic-forward', edsName: undefined }
  }
  const type = by.value ?? DiscoveryType.STATIC
  if (type === DiscoveryType.EDS) {
    mustBeAds(edsClusterConfig?.edsConfig, 'eds_cluster_config.eds_config', refused)
    return { discovery: 'eds', edsName: edsClusterConfig?.serviceName || name }
  }
  if (type === DiscoveryType.STRICT_DNS || type === DiscoveryType.LOGICAL_DNS) {
    const dns = decodeDnsRules(cluster, type === DiscoveryType.STRICT_DNS ? 'all' : 'first', refused)
    return { discovery: 'dns', edsName: undefined, dns }
  }
  if (type === DiscoveryType.ORIGINAL_DST) return { discovery: 'original-destination', edsName: undefined }
  return { discovery: 'static', edsName: undefined }
}

function decodeTransports(
  cluster: XdsCluster,
  refused: Refusals,
): Pick<ClusterShape, 'transports' | 'proxyHeaders' | 'transportMatches'> {
  const transports = new Map<string, UpstreamTls | undefined>()
  const proxyHeaders = new Map<string, 'v1' | 'v2'>()
  const add = (name: string, socket: TransportSocket | undefined, path: string): void => {
    const { header, inner, innerPath } = decodeProxyTransport(socket, path, refused)
    if (header !== undefined) proxyHeaders.set(name, header)
    transports.set(name, decodeUpstreamTls(inner, innerPath, refused))
  }
  add('', cluster.transportSocket, 'transport_socket')
  const transportMatches = cluster.transportSocketMatches.map(({ name, match, transportSocket }, index) => {
    const path = `transport_socket_matches[${index}]`
    if (name === '' || transports.has(name)) refused.add(join(path, 'name'), `"${name}" is empty or there already`)
    add(name, transportSocket, join(path, 'transport_socket'))
    return { transport: name, labels: match ?? {} }
  })
  return { transports, ...(proxyHeaders.size > 0 ? { proxyHeaders } : {}), transportMatches }
}

const thresholdFields = fieldNames(`priority max_connections max_pending_requests max_requests max_retries retry_budget
  track_remaining`)

/** All that Envoy knows of a single host. */
const hostFields = fieldNames('priority max_connections')

/** Envoy's limits, by priority; a count of retries is a budget without a share. */
function decodeLimits({ circuitBreakers }: XdsCluster, refused: Refusals): Pick<Cluster, 'limits' | 'highLimits'> {
  const { thresholds = [], perHostThresholds = [] } = circuitBreakers ?? {}
  for (const [index, one] of thresholds.entries()) {
    const path = `circuit_breakers.thresholds[${index}]`
    knowOnly(CircuitBreakers_ThresholdsSchema, one, thresholdFields, path, refused)
    // In ms; what is wrong with it is said here, once.
    durationMs(one.retryBudget?.budgetInterval, 0, join(path, 'retry_budget.budget_interval'), refused)
  }
  for (const [index, one] of perHostThresholds.entries()) {
    const path = `circuit_breakers.per_host_thresholds[${index}]`
    knowOnly(CircuitBreakers_ThresholdsSchema, one, hostFields, path, refused)
  }
  // Of several for one priority the last counts.
  const of = (priority: RoutingPriority): Limits =>
    limitsIn(
      thresholds.findLast((one) => one.priority === priority),
      perHostThresholds.findLast((one) => one.priority === priority),
    )
  const high = of(RoutingPriority.HIGH)
  return {
    limits: of(RoutingPriority.DEFAULT),
    ...(isDeepStrictEqual(high, envoyLimits) ? {} : { highLimits: high }),
  }
}

function limitsIn(
  limits: CircuitBreakers_Thresholds | undefined,
  perHost: CircuitBreakers_Thresholds | undefined,
): Limits {
  const budget = limits?.retryBudget
  return {
    maxConnections: limits?.maxConnections ?? envoyLimits.maxConnections,
    ...(perHost?.maxConnections !== undefined && { maxConnectionsPerEndpoint: perHost.maxConnections }),
    maxPendingRequests: limits?.maxPendingRequests ?? envoyLimits.maxPendingRequests,
    maxRequests: limits?.maxRequests ?? envoyLimits.maxRequests,
    ...intervalOf(budget),
    retryBudgetPercent: budget === undefined ? 0 : (budget.budgetPercent?.value ?? 20),
    minRetryConcurrency:
      budget === undefined
        ? (limits?.maxRetries ?? envoyLimits.minRetryConcurrency)
        : (budget.minRetryConcurrency ?? 3),
  }
}

/** 0 is as none. */
function intervalOf(budget: CircuitBreakers_Thresholds['retryBudget']): Pick<Limits, 'retryBudgetIntervalMs'> {
  const ms = budget?.budgetInterval === undefined ? 0 : durationMsOf(budget.budgetInterval)
  return ms > 0 ? { retryBudgetIntervalMs: ms } : {}
}
