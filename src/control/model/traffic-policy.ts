import type { Origin } from './origin.ts'

/** Which policy gave which setting, by the policy's field: "outlierDetection.interval". What is not in there is the mesh's own. */
export type SettingOrigins = Readonly<Record<string, Origin>>

/** What policies say of one port of a service; for absent parts the mesh's own values hold (`render` writes them out). */
export interface Traffic {
  readonly balancing?: BalancingParameters
  readonly slowStart?: SlowStart
  readonly limits?: TrafficLimits
  readonly retryBudget?: RetryBudget
  /** False: no endpoint is ever ejected. */
  readonly outlierDetection?: OutlierDetection | false
  /** False, and absent: nobody asks the endpoints how they are. */
  readonly healthChecks?: HealthChecks | false
  /** False, and absent: endpoints are alike wherever they are. */
  readonly locality?: LocalityPreference | false
  /** Who takes calls that too few healthy endpoints are left for; false, and absent: nobody. */
  readonly failover?: Failover | false
  /** Below this share of usable endpoints health is ignored; 0: never. */
  readonly panicThresholdPercent?: number
  /** TCP and TLS handshake together. */
  readonly connectTimeoutMs?: number
  /** Of a pooled connection without a request; 0: never closed for that. */
  readonly idleTimeoutMs?: number
  /** Of an HTTP connection, and so much more by chance; then it takes no more calls. */
  readonly maxAge?: { readonly ms: number; readonly jitterPercent: number }
  /** Probes of the system on idle connections; absent: none. */
  readonly tcpKeepalive?: { readonly idleMs: number; readonly intervalMs: number; readonly probes: number }
  readonly settings: SettingOrigins
}

/** Of the port's algorithm; absent parts are Envoy's. */
export interface BalancingParameters {
  /** Least request: so many are compared. */
  readonly choices?: number
  readonly minRingSize?: number
  readonly maxRingSize?: number
  /** Maglev: a prime. */
  readonly tableSize?: number
}

/** New endpoints get more and more calls. */
export interface SlowStart {
  readonly windowMs: number
  /** 1: evenly; above: quickly at first. */
  readonly aggression: number
  readonly minWeightPercent: number
}

/** What calls are told apart by, so that those of one client find one endpoint. */
export type HashOn =
  /** Clients without it get one that lives `ttlMs` (0: for their session); undefined: they get none. */
  | { readonly kind: 'cookie'; readonly name: string; readonly ttlMs: number | undefined; readonly path: string }
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'query-parameter'; readonly name: string }
  | { readonly kind: 'source-ip' }

/** What one proxy may have open to the port. */
export interface TrafficLimits {
  readonly maxConnections?: number
  readonly maxPendingRequests?: number
  readonly maxRequests?: number
  /** Of an HTTP connection; then it takes no more. */
  readonly maxRequestsPerConnection?: number
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
  /** What fails before anything is answered is counted by itself; 0 in a row: not looked at. Absent: it counts as 5xx. */
  readonly consecutiveLocalOriginFailure?: number
  readonly successRate?: OutlierStatistics & { readonly stdevFactor: number }
  readonly failurePercentage?: OutlierStatistics & { readonly threshold: number }
  readonly intervalMs?: number
  readonly baseEjectionMs?: number
  readonly maxEjectionMs?: number
  /** So much more by chance, at most. */
  readonly maxEjectionJitterMs?: number
  readonly maxEjectionPercent?: number
}

/** Reckoned among at least so many endpoints that had so many requests in an interval. */
export interface OutlierStatistics {
  readonly minimumHosts: number
  readonly requestVolume: number
}

/** How each caller asks the endpoints how they are. */
export interface HealthChecks {
  readonly probe: HealthProbe
  readonly intervalMs: number
  readonly timeoutMs: number
  /** So many failures in a row until an endpoint is left out, so many good answers until it is back. */
  readonly unhealthyThreshold: number
  readonly healthyThreshold: number
}

/** `host` absent: the service's name. Statuses: both ends belong to a range. `send` and `receive`: UTF-8, absent: connecting is enough. */
export type HealthProbe =
  | {
      readonly kind: 'http'
      readonly path: string
      readonly method: 'GET' | 'HEAD' | 'OPTIONS'
      readonly host?: string
      readonly expectedStatuses: readonly { readonly from: number; readonly to: number }[]
    }
  | { readonly kind: 'grpc'; readonly service: string }
  | { readonly kind: 'tcp'; readonly send?: string; readonly receive?: string }

/** How far calls go, by where the caller is: first to its own, then to the next wider place, at last anywhere. */
export interface LocalityPreference {
  readonly prefer: 'region' | 'zone' | 'sub-zone'
  /** While so many of the nearer ones are healthy they take all calls; absent: Envoy's 5/7. */
  readonly minHealthyPercent?: number
}

/** Its endpoints come after all of the port's own. Points at `Model.services`. */
export interface Failover {
  readonly service: string
  readonly port: number
}
