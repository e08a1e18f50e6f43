import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ClusterSchema } from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { OutlierDetectionSchema } from '../../xds/gen/envoy/config/cluster/v3/outlier_detection_pb.ts'
import type { HttpProtocolOptionsSchema } from '../../xds/gen/envoy/config/core/v3/protocol_pb.ts'
import type { OutlierDetection, Traffic } from '../model/model.ts'
import { duration } from './parts.ts'

type Cluster = MessageInitShape<typeof ClusterSchema>

/** TCP and TLS handshake together, where no policy says otherwise. */
export const defaultConnectTimeoutMs = 5000

/** Limits, ejection and thresholds of a service's cluster: what policies say, else the mesh's own values, all written out. */
export const renderTraffic = ({
  limits = {},
  retryBudget = { percent: 20, minConcurrent: 10 },
  outlierDetection = {},
  panicThresholdPercent = 0,
  connectTimeoutMs = defaultConnectTimeoutMs,
  tcpKeepalive,
}: Partial<Traffic> = {}): Pick<
  Cluster,
  'circuitBreakers' | 'commonLbConfig' | 'connectTimeout' | 'outlierDetection' | 'upstreamConnectionOptions'
> => ({
  connectTimeout: duration(connectTimeoutMs),
  commonLbConfig: { healthyPanicThreshold: { value: panicThresholdPercent } },
  circuitBreakers: {
    thresholds: [
      {
        maxConnections: limits.maxConnections ?? 1024,
        maxPendingRequests: limits.maxPendingRequests ?? 1024,
        maxRequests: limits.maxRequests ?? 1024,
        retryBudget: {
          budgetPercent: { value: retryBudget.percent },
          minRetryConcurrency: retryBudget.minConcurrent,
        },
      },
    ],
  },
  ...(tcpKeepalive && {
    upstreamConnectionOptions: {
      tcpKeepalive: {
        keepaliveTime: tcpKeepalive.idleMs / 1000,
        keepaliveInterval: tcpKeepalive.intervalMs / 1000,
        keepaliveProbes: tcpKeepalive.probes,
      },
    },
  }),
  ...(outlierDetection === false ? {} : { outlierDetection: renderOutlierDetection(outlierDetection) }),
})

/** What bounds single connections of HTTP; undefined: Envoy's own defaults hold. */
export function renderConnections({
  limits: { maxRequestsPerConnection } = {},
  idleTimeoutMs,
  maxAge,
}: Partial<Traffic>): MessageInitShape<typeof HttpProtocolOptionsSchema> | undefined {
  if (maxRequestsPerConnection === undefined && idleTimeoutMs === undefined && maxAge === undefined) return undefined
  return {
    ...(idleTimeoutMs === undefined ? {} : { idleTimeout: duration(idleTimeoutMs) }),
    ...(maxRequestsPerConnection === undefined ? {} : { maxRequestsPerConnection }),
    ...(maxAge && {
      maxConnectionDuration: duration(maxAge.ms),
      maxConnectionDurationJitter: { value: maxAge.jitterPercent },
    }),
  }
}

/** A count of 0 is said by not enforcing it: Envoy would take 0 for its default. */
function renderOutlierDetection({
  consecutive5xx = 5,
  consecutiveGatewayFailure = 0,
  consecutiveLocalOriginFailure,
  successRate,
  failurePercentage,
  intervalMs = 10_000,
  baseEjectionMs = 30_000,
  maxEjectionMs = 300_000,
  maxEjectionJitterMs = 0,
  maxEjectionPercent = 10,
}: OutlierDetection): MessageInitShape<typeof OutlierDetectionSchema> {
  const split = consecutiveLocalOriginFailure !== undefined
  return {
    ...(consecutive5xx === 0 ? { enforcingConsecutive5xx: 0 } : { consecutive5xx, enforcingConsecutive5xx: 100 }),
    ...(consecutiveGatewayFailure === 0 ? {} : { consecutiveGatewayFailure, enforcingConsecutiveGatewayFailure: 100 }),
    ...(split && renderLocalOrigin(consecutiveLocalOriginFailure)),
    enforcingSuccessRate: 0,
    ...(successRate && {
      enforcingSuccessRate: 100,
      successRateMinimumHosts: successRate.minimumHosts,
      successRateRequestVolume: successRate.requestVolume,
      successRateStdevFactor: Math.round(successRate.stdevFactor * 1000),
    }),
    ...(failurePercentage && {
      enforcingFailurePercentage: 100,
      failurePercentageMinimumHosts: failurePercentage.minimumHosts,
      failurePercentageRequestVolume: failurePercentage.requestVolume,
      failurePercentageThreshold: failurePercentage.threshold,
    }),
    // Split off, the statistics of those failures would be on by themselves.
    ...(split && {
      enforcingLocalOriginSuccessRate: successRate === undefined ? 0 : 100,
      enforcingFailurePercentageLocalOrigin: failurePercentage === undefined ? 0 : 100,
    }),
    interval: duration(intervalMs),
    baseEjectionTime: duration(baseEjectionMs),
    maxEjectionTime: duration(Math.max(baseEjectionMs, maxEjectionMs)),
    ...(maxEjectionJitterMs === 0 ? {} : { maxEjectionTimeJitter: duration(maxEjectionJitterMs) }),
    maxEjectionPercent,
    alwaysEjectOneHost: true,
  }
}

const renderLocalOrigin = (limit: number) => ({
  splitExternalLocalOriginErrors: true,
  ...(limit === 0
    ? { enforcingConsecutiveLocalOriginFailure: 0 }
    : { consecutiveLocalOriginFailure: limit, enforcingConsecutiveLocalOriginFailure: 100 }),
})
