import type { HeaderCase } from './header-case.ts'
import type { Address } from '../../base/address.ts'
import type { HealthCheck } from './health-check.ts'
import type { Origin, SettingOrigins } from './origin.ts'
import type { UpstreamTls } from './tls.ts'

export interface Cluster {
  readonly name: string
  /** What spans call it besides; absent: its name. xDS: alt_stat_name. */
  readonly observedAs?: string
  readonly connectTimeoutMs: number
  readonly loadBalancing: LoadBalancing
  readonly discovery: 'eds' | 'static' | 'dns' | 'dynamic-forward' | 'original-destination' | 'aggregate'
  /** With discovery `aggregate`: clusters, in order, whose priority levels are its own, one behind the other. xDS: clusters.aggregate. */
  readonly members?: readonly string[]
  /** With discovery `original-destination`; absent: where the connection was for. */
  readonly originalDestination?: OriginalDestination
  /** With discovery `dns`: how the names that stand for hosts in `endpoints` become addresses. */
  readonly dns?: DnsRules
  readonly endpoints: readonly Endpoint[]
  /** Chosen per endpoint by `Endpoint.transport`: the match name, or "" for the cluster's own socket. */
  readonly transports: ReadonlyMap<string, UpstreamTls | undefined>
  /** Transports (the same keys) that say first who asks. xDS: transport socket upstream_proxy_protocol. */
  readonly proxyHeaders?: ReadonlyMap<string, 'v1' | 'v2'>
  /** Connections come from the first of these that is of the other end's family, else from the first; absent: as the kernel has it. Port 0: any. xDS: upstream_bind_config. */
  readonly sourceAddresses?: readonly Address[]
  /** Of calls so many are refused to spare the cluster, each category by itself. Absent: none. xDS: drop_overloads of the assignment. */
  readonly drops?: readonly { readonly category: string; readonly share: number }[]
  readonly limits: Limits
  /** Of calls of high priority, which are counted apart. Absent: those that Envoy has where nothing is said. */
  readonly highLimits?: Limits
  /** Set while it is called with high priority: its `limits` are those then. See priority.ts. */
  readonly priority?: 'high'
  readonly upstreamProtocol: 'http/1.1' | 'h2'
  /**
   * Who chooses the protocol of calls instead: the caller, by its own, or the server, by ALPN, which takes TLS. Absent: nobody. xDS:
   * use_downstream_protocol_config, auto_config.
   */
  readonly protocolBy?: 'downstream' | 'alpn'
  /** How names of requests' fields are written over HTTP/1; absent: as they came. xDS: http_protocol_options.header_key_format. */
  readonly headerCase?: HeaderCase
  /** Absent: they live as long as they are used. */
  readonly connections?: ConnectionRules
  /** Pooled connection unused, ms. */
  readonly idleTimeoutMs: number
  readonly outlierDetection: OutlierDetection | undefined
  /** Absent: endpoints are not asked how they are. */
  readonly healthCheck?: HealthCheck
  /** Below this share of healthy endpoints health is ignored, percent; 0: never. xDS: healthy_panic_threshold. */
  readonly panicThresholdPercent: number
  /** What a priority level holds beyond what it needs, percent; absent: 140. xDS: overprovisioning_factor of the assignment. */
  readonly overprovisioningPercent?: number
  /** A level's health is reckoned by weights, not heads; absent: no. */
  readonly weightedPriorityHealth?: boolean
  /** Calls are spread over localities by their weights first; absent: no. xDS: locality_weighted_lb_config. */
  readonly localityWeighted?: boolean
  /** How the proxy's own locality is preferred, where it knows of one and of its peers (`ProxyConfig.place`); absent: as Envoy does where nothing is said. */
  readonly zoneAware?: ZoneAware
  /** Headers of calls that say which endpoints shall take them, in order; lower case. Absent: none. xDS: override_host. */
  readonly overrideHeaders?: readonly string[]
  /** Endpoints in one of these states may be asked for by name (sessions, `overrideHeaders`); absent: all that are well. xDS: override_host_status. */
  readonly overrideStatuses?: ReadonlySet<HealthStatus>
  /** Absent: routes' `subset` means nothing here. */
  readonly subsets?: Subsets
  readonly origin: Origin | undefined
  /** Absent: no policy says anything of it. */
  readonly settings?: SettingOrigins
}

/** Where calls go that go on to where they were going. xDS: OriginalDstLbConfig. */
export interface OriginalDestination {
  /** A header that says it instead, as address and port; lower case. */
  readonly header?: string
  /** In place of the port that they were for. */
  readonly port?: number
}

/** How names are asked for; times in ms. xDS: STRICT_DNS, LOGICAL_DNS. */
export interface DnsRules {
  /** Every address of a name is an endpoint; or the first one, and the others are further ways to it. */
  readonly use: 'all' | 'first'
  /** `auto`: IPv6 where there is any, else IPv4. xDS: dns_lookup_family. */
  readonly family: 'auto' | 'v4' | 'v6' | 'v4-preferred' | 'all'
  readonly refreshMs: number
  /** What the name's server says about that comes first, where it says more than 0. xDS: respect_dns_ttl. */
  readonly respectTtl?: true
  /** After the first failure; doubled for each further one up to `mostFailureMs`. xDS: dns_failure_refresh_rate. */
  readonly failureMs: number
  readonly mostFailureMs: number
  /** At random so much on top of a refresh. */
  readonly jitterMs: number
}

export type LoadBalancing =
  | { readonly kind: 'round-robin'; readonly slowStart?: SlowStart }
  /** With unequal weights an endpoint's is divided by (active calls + 1) to the power of the bias. */
  | {
      readonly kind: 'least-request'
      readonly choices: number
      readonly activeRequestBias: number
      readonly slowStart?: SlowStart
    }
  | { readonly kind: 'random' }
  /** Points on the ring; xxHash64. */
  | { readonly kind: 'ring-hash'; readonly minSize: number; readonly maxSize: number }
  | ClientSideWeights
  /** A prime. */
  | { readonly kind: 'maglev'; readonly tableSize: number }
  /** `weft.dev` metadata on a LEAST_REQUEST cluster, so that a proxy without it has the nearest thing. Times in ms. */
  | {
      readonly kind: 'peak-ewma'
      readonly defaultRttMs: number
      readonly decayMs: number
      readonly slowStart?: SlowStart
    }

/** Endpoints say by their replies how much they can take. Times in ms. xDS: ClientSideWeightedRoundRobin. */
export interface ClientSideWeights {
  readonly kind: 'client-side-weights'
  /** Reports count from so long after the first one. */
  readonly blackoutMs: number
  /** The last one counts for so long. */
  readonly expirationMs: number
  /** How often weights are reckoned anew. */
  readonly updateMs: number
  /** How much a failure counts as load. */
  readonly errorPenalty: number
  /** Of these the largest is the load; names as in reports, ".*" at the end: all such. Empty: the program's own figure, or its CPU. */
  readonly metrics: readonly string[]
  readonly slowStart?: SlowStart
}

/** Calls stay in the proxy's own locality as far as that has room. xDS: ZoneAwareLbConfig. */
export interface ZoneAware {
  /** Of so many calls in a hundred. */
  readonly enabledPercent: number
  /** With fewer healthy ones at the first level it is not done. */
  readonly minEndpoints: number
  /** With so many healthy ones in the own locality all calls stay there, room or not; absent: never. xDS: force_local_zone. */
  readonly forceFrom?: number
  /** Room is reckoned by weights; absent: by heads. xDS: locality_basis. */
  readonly byWeight?: true
}

/** New endpoints get more and more calls during a window of at least 1 ms. xDS: SlowStartConfig. */
export interface SlowStart {
  readonly windowMs: number
  /** > 0; 1: the share grows evenly, above: quickly at first. */
  readonly aggression: number
  readonly minWeightPercent: number
}

/** What load balancing knows of an endpoint, or a route asks for. xDS: metadata `envoy.lb`. */
export type BalancerMetadata = Readonly<Record<string, unknown>>

/** Who takes a call for which there is no subset: nobody, anybody, those of the default subset. */
export type SubsetFallback = 'none' | 'any' | 'default'

/** xDS: LbSubsetConfig. */
export interface Subsets {
  readonly fallback: SubsetFallback
  readonly defaultSubset: BalancerMetadata
  readonly selectors: readonly {
    readonly keys: readonly string[]
    /** Absent: as the cluster's. */
    readonly fallback?: SubsetFallback
    /** Instead of a fallback, ask again with these of the keys only. */
    readonly fallbackKeys?: readonly string[]
  }[]
  /** An endpoint whose value is a list has each value of it. */
  readonly listAsAny: boolean
  /** Localities keep their weights within a subset. */
  readonly localityWeightAware: boolean
}

/** How long connections live; what is absent does not hold. */
export interface ConnectionRules {
  /** xDS: max_requests_per_connection. */
  readonly maxCalls?: number
  /** Then it takes no more calls, ms. xDS: max_connection_duration. */
  readonly maxAgeMs?: number
  /** A random part of so much of the age comes on top. */
  readonly ageJitterPercent?: number
  /** The kernel asks a peer that has been silent for so long whether it is there, so many times, ms. xDS: tcp_keepalive. */
  readonly keepAlive?: { readonly idleMs: number; readonly intervalMs: number; readonly probes: number }
  /**
   * Over HTTP/2 a peer that has been silent for `silentMs` is asked (PING), and given up `answerMs` later, whether calls are under way or not. Absent: 30 s and 10 s, while
   * any are. xDS: connection_keepalive.
   */
  readonly ping?: { readonly silentMs: number; readonly answerMs: number }
}

export interface Limits {
  readonly maxConnections: number
  /** An endpoint may have one in any case; absent: as many as the cluster. xDS: per_host_thresholds. */
  readonly maxConnectionsPerEndpoint?: number
  readonly maxPendingRequests: number
  readonly maxRequests: number
  readonly retryBudgetPercent: number
  readonly minRetryConcurrency: number
  /** Calls count for the budget for so long after they began, and as long as they last; absent: as they last. xDS: budget_interval. */
  readonly retryBudgetIntervalMs?: number
}

/** Defaults of Envoy's .proto where absent. */
export interface OutlierDetection {
  /** Failures of any kind in a row. */
  readonly consecutive5xx: ConsecutiveRule
  /** 502, 503, 504 and answers that did not come. */
  readonly consecutiveGatewayFailure: ConsecutiveRule
  /** Answers that did not come; only with `split`. */
  readonly consecutiveLocalOriginFailure: ConsecutiveRule
  /** Answers that did not come are counted for themselves. xDS: split_external_local_origin_errors. */
  readonly split: boolean
  /** How long answers are counted for statistics; and how long an endpoint does well until an ejection is forgotten. */
  readonly intervalMs: number
  /** > 0. */
  readonly baseEjectionMs: number
  readonly maxEjectionMs: number
  readonly jitterMs: number
  readonly maxEjectionPercent: number
  /** An endpoint that passes an active check comes back at once. xDS: successful_active_health_check_uneject_host. */
  readonly passedCheckReturns: boolean
  /** One may be ejected even if that is a larger share. */
  readonly alwaysEjectOne: boolean
  /** Absent: endpoints are not compared with each other. */
  readonly statistics?: OutlierStatistics
}

/** So many in a row; when that happens, it ejects with this chance. */
export interface ConsecutiveRule {
  readonly limit: number
  readonly enforcingPercent: number
}

/** Endpoints with at least so many calls in an interval are compared, if there are so many of them. */
export interface OutlierStatistics {
  readonly successRate: StatisticRule & { readonly stdevFactor: number }
  readonly failurePercentage: StatisticRule & { readonly threshold: number }
}
interface StatisticRule {
  readonly minimumHosts: number
  readonly requestVolume: number
  /** 0: off. */
  readonly enforcingPercent: number
  /** The same for answers that did not come; 0 without `split`. */
  readonly enforcingLocalPercent: number
}

/** What discovery can say of an endpoint. xDS: HealthStatus. */
export type HealthStatus = 'unknown' | 'healthy' | 'unhealthy' | 'draining' | 'timeout' | 'degraded'

export interface Endpoint {
  readonly address: Address
  /** The same endpoint, by other ways: the first one that can be reached is taken. xDS: additional_addresses. */
  readonly moreAddresses?: readonly Address[]
  readonly weight: number
  readonly priority: number
  readonly health: 'healthy' | 'unhealthy' | 'draining' | 'degraded'
  /** The word that discovery uses for it, where `Cluster.overrideStatuses` must know. */
  readonly healthStatus?: HealthStatus
  readonly locality: string
  /** Of its locality at its priority, > 0; absent: none, and no calls where localities are weighted. */
  readonly localityWeight?: number
  /** What subsets go by; absent: nothing. */
  readonly metadata?: BalancerMetadata
  /** Where and as whom it is checked; absent: as it is called. xDS: health_check_config. */
  readonly healthCheck?: { readonly port?: number; readonly host?: string; readonly disabled?: boolean }
  /** As it is called, for routes that let Host say that; lower case. Absent: it has no name. xDS: hostname, or the name that DNS was asked for. */
  readonly hostname?: string
  /** Key into `Cluster.transports`. */
  readonly transport: string
  /** What its place in ring and table follows from; absent: its address. xDS: metadata `envoy.lb` `hash_key`, or the host name. */
  readonly hashKey?: string
  /** From `weft.dev` metadata: the workload's `<namespace>/<name>`. */
  readonly workload: string | undefined
  /** From `weft.dev` metadata: processes of its sidecar, each of which takes connections; absent: one. */
  readonly workers?: number
}
