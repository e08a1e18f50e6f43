import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ClusterSchema } from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
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
}: Partial<Traffic> = {}): Pick<
  Cluster,
  'circuitBreakers' | 'commonLbConfig' | 'connectTimeout' | 'outlierDetection'
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
  ...(outlierDetection === false ? {} : { outlierDetection: renderOutlierDetection(outlierDetection) }),
})

/** A count of 0 is said by not enforcing it: Envoy would take 0 for its default. */
function renderOutlierDetection({
  consecutive5xx = 5,
  consecutiveGatewayFailure = 0,
  intervalMs = 10_000,
  baseEjectionMs = 30_000,
  maxEjectionMs = 300_000,
  maxEjectionPercent = 10,
}: OutlierDetection): Cluster['outlierDetection'] {
  return {
    ...(consecutive5xx === 0 ? { enforcingConsecutive5xx: 0 } : { consecutive5xx, enforcingConsecutive5xx: 100 }),
    ...(consecutiveGatewayFailure === 0 ? {} : { consecutiveGatewayFailure, enforcingConsecutiveGatewayFailure: 100 }),
    interval: duration(intervalMs),
    baseEjectionTime: duration(baseEjectionMs),
    maxEjectionTime: duration(Math.max(baseEjectionMs, maxEjectionMs)),
    maxEjectionPercent,
    alwaysEjectOneHost: true,
    enforcingSuccessRate: 0,
  }
}
