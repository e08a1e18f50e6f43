import type { Address } from '../../base/address.ts'
import type { Origin, SettingOrigins } from './origin.ts'
import type { UpstreamTls } from './tls.ts'

export interface Cluster {
  readonly name: string
  readonly connectTimeoutMs: number
  readonly loadBalancing: LoadBalancing
  readonly discovery: 'eds' | 'static' | 'dynamic-forward'
  readonly endpoints: readonly Endpoint[]
  /** Chosen per endpoint by `Endpoint.transport`: the match name, or "" for the cluster's own socket. */
  readonly transports: ReadonlyMap<string, UpstreamTls | undefined>
  /** Transports (the same keys) that say first who asks. xDS: transport socket upstream_proxy_protocol. */
  readonly proxyHeaders?: ReadonlyMap<string, 'v1' | 'v2'>
  readonly limits: Limits
  readonly upstreamProtocol: 'http/1.1' | 'h2'
  /** Pooled connection unused, ms. */
  readonly idleTimeoutMs: number
  readonly outlierDetection: OutlierDetection | undefined
  /** Below this share of healthy endpoints health is ignored, percent; 0: never. xDS: healthy_panic_threshold. */
  readonly panicThresholdPercent: number
  readonly origin: Origin | undefined
  /** Absent: no policy says anything of it. */
  readonly settings?: SettingOrigins
}

export type LoadBalancing =
  | { readonly kind: 'round-robin' }
  /** With unequal weights an endpoint's is divided by (active calls + 1) to the power of the bias. */
  | { readonly kind: 'least-request'; readonly choices: number; readonly activeRequestBias: number }
  | { readonly kind: 'random' }
  /** Points on the ring; xxHash64. */
  | { readonly kind: 'ring-hash'; readonly minSize: number; readonly maxSize: number }
  /** A prime. */
  | { readonly kind: 'maglev'; readonly tableSize: number }
  /** `weft.dev` metadata on a LEAST_REQUEST cluster, so that a proxy without it has the nearest thing. Times in ms. */
  | { readonly kind: 'peak-ewma'; readonly defaultRttMs: number; readonly decayMs: number }

export interface Limits {
  readonly maxConnections: number
  readonly maxPendingRequests: number
  readonly maxRequests: number
  readonly retryBudgetPercent: number
  readonly minRetryConcurrency: number
}

/** Defaults of Envoy's .proto where absent. */
export interface OutlierDetection {
  readonly consecutive5xx: number
  readonly consecutiveGatewayFailure: number
  readonly baseEjectionMs: number
  readonly maxEjectionMs: number
  readonly maxEjectionPercent: number
  readonly intervalMs: number
}

export interface Endpoint {
  readonly address: Address
  readonly weight: number
  readonly priority: number
  readonly health: 'healthy' | 'unhealthy' | 'draining' | 'degraded'
  readonly locality: string
  /** Key into `Cluster.transports`. */
  readonly transport: string
  /** What its place in ring and table follows from; absent: its address. xDS: metadata `envoy.lb` `hash_key`, or the host name. */
  readonly hashKey?: string
  /** From `weft.dev` metadata: the workload's `<namespace>/<name>`. */
  readonly workload: string | undefined
}
