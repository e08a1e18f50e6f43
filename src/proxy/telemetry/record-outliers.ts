import type { Metrics } from './metrics.ts'

/** Where ejections are counted: what the balancer's observer is told. */
export interface OutlierMetrics {
  judged(cluster: string, reason: string, outcome: string): void
  ejected(cluster: string, count: number): void
}

/** Made once per process. */
export function createOutlierMetrics(metrics: Metrics): OutlierMetrics {
  const judged = metrics.counter(
    'weft_outlier_detections_total',
    'Endpoints that outlier detection found out; outcome: ejected, not-enforced, or overflow when too many were out.',
    ['cluster', 'reason', 'outcome'],
  )
  const ejected = metrics.gauge('weft_outlier_ejected', 'Endpoints that are ejected now.', ['cluster'], 'most')
  return {
    judged: (cluster, reason, outcome) => judged.of(cluster, reason, outcome).add(1),
    ejected: (cluster, count) => ejected.of(cluster).set(count),
  }
}
