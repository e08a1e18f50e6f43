import type { Origin } from './origin.ts'

/** Which policy gave which setting, by the policy's field: "outlierDetection.interval". What is not in there is the mesh's own. */
export type SettingOrigins = Readonly<Record<string, Origin>>

/** What policies say of one port of a service; for absent parts the mesh's own values hold (`render` writes them out). */
export interface Traffic {
  readonly limits?: TrafficLimits
  readonly retryBudget?: RetryBudget
  /** False: no endpoint is ever ejected. */
  readonly outlierDetection?: OutlierDetection | false
  /** Below this share of usable endpoints health is ignored; 0: never. */
  readonly panicThresholdPercent?: number
  /** TCP and TLS handshake together. */
  readonly connectTimeoutMs?: number
  /** Of a pooled connection without a request; 0: never closed for that. */
  readonly idleTimeoutMs?: number
  readonly settings: SettingOrigins
}

/** What one proxy may have open to the port. */
export interface TrafficLimits {
  readonly maxConnections?: number
  readonly maxPendingRequests?: number
  readonly maxRequests?: number
}

/** Retries that may be under way at once: a share of the requests under way, and so many in any case. */
export interface RetryBudget {
  readonly percent: number
  readonly minConcurrent: number
}

/** Counts of 0: not looked at. */
export interface OutlierDetection {
  readonly consecutive5xx?: number
  readonly consecutiveGatewayFailure?: number
  readonly intervalMs?: number
  readonly baseEjectionMs?: number
  readonly maxEjectionMs?: number
  readonly maxEjectionPercent?: number
}
