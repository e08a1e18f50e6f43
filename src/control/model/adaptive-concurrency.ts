import type { Origin } from './origin.ts'

/** How one port of one instance is kept from overload: calls at once are bounded by what latency tells. Percents, times in ms. */
export interface AdaptiveConcurrency {
  readonly minConcurrency: number
  readonly maxConcurrency: number
  readonly latencyPercentile: number
  readonly updateMs: number
  /** How often, and over how many requests, latency without load is measured. */
  readonly baselineIntervalMs: number
  readonly baselineRequests: number
  /** By so much latency may be greater. */
  readonly tolerancePercent: number
  readonly origin: Origin
}
