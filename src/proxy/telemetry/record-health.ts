import type { Metrics } from './metrics.ts'

/** Counts active checks by cluster and result. Made once per process. */
export function createHealthMetrics(
  metrics: Metrics,
): (cluster: string, result: 'passed' | 'degraded' | 'failed') => void {
  const checks = metrics.counter('weft_health_checks_total', 'Active health checks of endpoints.', [
    'cluster',
    'result',
  ])
  return (cluster, result) => checks.of(cluster, result).add(1)
}
