import type { Cluster, Limits } from './cluster.ts'

/** Where nothing is said. Source: envoy.config.cluster.v3.CircuitBreakers.Thresholds. */
export const envoyLimits: Limits = {
  maxConnections: 1024,
  maxPendingRequests: 1024,
  maxRequests: 1024,
  retryBudgetPercent: 0,
  minRetryConcurrency: 3,
}

/** The cluster as calls of high priority find it: limits, connections and retries of their own. */
export const inHighPriority = (cluster: Cluster): Cluster => ({
  ...cluster,
  limits: cluster.highLimits ?? envoyLimits,
  priority: 'high',
})
