import type { Origin } from './origin.ts'

/** How latency bounds the number of calls at once. Shares in [0, 1]. xDS: AdaptiveConcurrency, GradientControllerConfig. */
export interface AdaptiveConcurrency {
  /** Which latency of all in a window counts. xDS: sample_aggregate_percentile. */
  readonly percentile: number
  readonly maxConcurrency: number
  /** Also while the baseline is measured. xDS: min_concurrency, min_concurrency_limit. */
  readonly minConcurrency: number
  /** The limit is reckoned anew so often. xDS: concurrency_update_interval. */
  readonly updateMs: number
  /** How it is found out how fast the program can be. xDS: min_rtt_calc_params. */
  readonly baseline: {
    readonly intervalMs: number
    /** Calls that are timed for it. */
    readonly requests: number
    /** Put off by up to this share of the interval, so that instances do not measure all at once. */
    readonly jitter: number
    /** By this share latency may be greater before the limit goes down. */
    readonly buffer: number
  }
  /** Of the refusal. */
  readonly status: number
  readonly origin: Origin | undefined
}
