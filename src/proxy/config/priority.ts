import type { Cluster, Limits } from './cluster.ts'

/** Where nothing is said. Source: envoy.config.cluster.v3.CircuitBreakers.Thresholds. */
export const envoyLimits: Limits = {
  maxConnections: 1024,
  maxPendingRequests: 1024,
  maxRequests: 1024,
  retryBudgetPercent: 0,
  minRetryConcurrency: 3,
}

/** The cluster as calls of high priority find it: limits, connections and retries of their own. Made once. */
export function inHighPriority(cluster: Cluster): Cluster {
  let high = known.get(cluster)
  if (high === undefined)
    known.set(cluster, (high = { ...cluster, limits: cluster.highLimits ?? envoyLimits, priority: 'high' }))
  return high
}

const known = new WeakMap<Cluster, Cluster>()
