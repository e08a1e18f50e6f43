import type { Address } from '../base/address.ts'

/**
 * THE SECOND WAIST: all that a proxy knows, decoded from xDS. Plain read-only data; no protobuf beyond `proxy/xds/`. A new value
 * replaces the old one whole; parts that did not change are the same objects, so that `===` tells what changed.
 * An absent xDS field has been filled with what Envoy's .proto says; every default of Weft was written out by the control plane.
 */
export interface ProxyConfig {
  readonly listeners: ReadonlyMap<string, Listener>
  /** By name: `<namespace>/<service>/<port>`. Only what this proxy uses. */
  readonly routes: ReadonlyMap<string, RouteTable>
  /** Complete with their endpoints: an EDS cluster appears here only once its endpoints have come (it is warm). */
  readonly clusters: ReadonlyMap<string, Cluster>
  /** Every service of the mesh by `<namespace>/<service>`. */
  readonly names: ReadonlyMap<string, NamedService>
  /** Trust bundles by secret name (PEM, one or more certificates). */
  readonly trust: ReadonlyMap<string, string>
}

/** Which resource of the user made this; `weft.dev` metadata. Absent under a foreign control plane. */
export interface Origin {
  /** "HTTPRoute default/reviews". */
  readonly resource: string
  /** "spec.rules[0]". */
  readonly field: string
  readonly revision: string
}

/** One entry of the name table. */
export interface NamedService {
  readonly namespace: string
  readonly name: string
  readonly ports: readonly { readonly port: number; readonly protocol: 'http' | 'tcp' }[]
  /** The IPv4 address that DNS answers with, the same everywhere; absent: none has been given. */
  readonly virtualIp?: string
}

export interface Listener {
  readonly name: string
  readonly address: Address
  readonly direction: 'inbound' | 'outbound' | 'unspecified'
  /** Peek at the first bytes for TLS, server name and ALPN before a chain is chosen. xDS: listener filter tls_inspector. */
  readonly inspectTls: boolean
  /** How long the peek may wait, in ms; 0 waits for ever. xDS: listener_filters_timeout. */
  readonly inspectTimeoutMs: number
  /** After that time go on as if plain text had come (the server may speak first); absent or false: close. xDS: continue_on_listener_filters_timeout. */
  readonly continueOnInspectTimeout?: boolean
  readonly filterChains: readonly FilterChain[]
  /** None and no match: the connection is closed. */
  readonly defaultFilterChain: FilterChain | undefined
  /** Explicit mode: absolute-form requests and CONNECT, routed by the name table first (`weft.dev` metadata `routing: names`). */
  readonly routeByName: boolean
  /** Connections were redirected here: where they were for decides (`weft.dev` metadata `destination: original`). */
  readonly originalDestination?: boolean
}

export interface FilterChain {
  readonly name: string
  readonly match: FilterChainMatch
  readonly tls: DownstreamTls | undefined
  /** Checked once per connection, in order, before the terminal filter. */
  readonly networkFilters: readonly NetworkFilter[]
  readonly terminal: HttpTerminal | TcpTerminal
}

/** Absent: matches anything. Order of criteria as in Envoy's FilterChainMatch. */
export interface FilterChainMatch {
  readonly destinationPort: number | undefined
  /** Lower case; `*.suffix` allowed. */
  readonly serverNames: readonly string[]
  readonly transportProtocol: 'tls' | 'raw_buffer' | undefined
  /** ALPN protocols offered by the client; one in common is a match. */
  readonly applicationProtocols: readonly string[]
}

/** Whose certificate: `own` is the workload's, which the agent handed over (SDS from cluster `weft-agent`). */
export interface DownstreamTls {
  readonly certificate: 'own'
  /** Name of the trust bundle in `ProxyConfig.trust`; undefined: client certificates are not asked for. */
  readonly trust: string | undefined
  readonly requireClientCertificate: boolean
  readonly alpn: readonly string[]
}

export interface UpstreamTls {
  readonly certificate: 'own' | undefined
  readonly trust: string
  /** The peer's URI SAN must be one of these, exactly. Empty: any identity that the bundle vouches for. */
  readonly subjectAltNames: readonly string[]
  readonly sni: string
  readonly alpn: readonly string[]
}

export interface HttpTerminal {
  readonly kind: 'http'
  readonly statPrefix: string
  /** Inline, or by name from `ProxyConfig.routes`. With `routeByName` the fallback for hosts that the name table lacks. */
  readonly routes: { readonly inline: RouteTable } | { readonly named: string }
  /** In the order given, the router left out. */
  readonly filters: readonly HttpFilter[]
  /** Downstream connection without a request, ms; 0: never. xDS: common_http_protocol_options.idle_timeout. */
  readonly idleTimeoutMs: number
  /** Head must be complete in this time, ms; 0: never. xDS: request_headers_timeout. */
  readonly headersTimeoutMs: number
  /** No byte in either direction of a call, ms; 0: never. xDS: stream_idle_timeout. */
  readonly streamIdleTimeoutMs: number
  /** xDS: forward_client_cert_details; sets `x-forwarded-client-cert` from the proven identity. */
  readonly forwardClientCert: 'sanitize' | 'sanitize-set'
  readonly generateRequestId: boolean
  /** Undefined: off. */
  readonly accessLog: AccessLog | undefined
}

export interface TcpTerminal {
  readonly kind: 'tcp'
  readonly statPrefix: string
  readonly clusters: readonly WeightedCluster[]
  readonly idleTimeoutMs: number
  readonly accessLog: AccessLog | undefined
}

export interface AccessLog {
  /** "/dev/stdout" and "/dev/stderr" go through the agent. One JSON object a line. */
  readonly path: string
}

export type NetworkFilter = { readonly kind: 'authorize'; readonly rules: Authorization }
export type HttpFilter = { readonly kind: 'authorize'; readonly rules: Authorization }

/**
 * Envoy's RBAC: `allow`: at least one policy must match; `deny`: none may; `log`: never refuses, counts only (AUDIT).
 */
export interface Authorization {
  readonly action: 'allow' | 'deny' | 'log'
  readonly policies: readonly AuthorizationRule[]
}
export interface AuthorizationRule {
  /** "default/catalog-viewers/rule-0": what a refusal names. */
  readonly name: string
  readonly permission: Condition
  readonly principal: Condition
  readonly origin: Origin | undefined
}

/** A question to a call; pure. Something undecidable never counts as a match for ALLOW and always for DENY. */
export type Condition =
  | { readonly kind: 'any' }
  | { readonly kind: 'and'; readonly all: readonly Condition[] }
  | { readonly kind: 'or'; readonly any: readonly Condition[] }
  | { readonly kind: 'not'; readonly not: Condition }
  | { readonly kind: 'header'; readonly match: HeaderMatch }
  /** The path without the query. */
  | { readonly kind: 'path'; readonly match: StringMatch }
  | { readonly kind: 'destination-port'; readonly port: number }
  /** The proven SPIFFE ID; plain text has none and never matches. */
  | { readonly kind: 'principal'; readonly match: StringMatch | undefined }
  | { readonly kind: 'source-ip'; readonly prefix: string; readonly bits: number }

export type StringMatch = (
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'prefix'; readonly value: string }
  | { readonly kind: 'suffix'; readonly value: string }
  | { readonly kind: 'contains'; readonly value: string }
  /** RE2 syntax, must match the whole string. */
  | { readonly kind: 'regex'; readonly value: string }
) & { readonly ignoreCase: boolean }

/** Also for query parameters. `match` undefined: present. `:method` and `:authority` are names too. */
export interface HeaderMatch {
  readonly name: string
  readonly match: StringMatch | undefined
  readonly invert: boolean
}

/** One RouteConfiguration. */
export interface RouteTable {
  readonly name: string
  readonly virtualHosts: readonly VirtualHost[]
  readonly ignorePortInHost: boolean
  readonly origin: Origin | undefined
}
export interface VirtualHost {
  readonly name: string
  /** Exact, `*.suffix`, `prefix.*`, `*`; lower case. */
  readonly domains: readonly string[]
  /** First match wins. */
  readonly routes: readonly Route[]
}
export interface Route {
  /** Unique in its table; for records and `explain`. */
  readonly name: string
  readonly match: RouteMatch
  readonly action: RouteAction
  /** For answers of this proxy's own, redirects too; those of upstreams are edited by `WeightedCluster.responseEdits`. Absent: none. */
  readonly responseEdits?: readonly HeaderEdit[]
  /** Absent: browsers are told nothing. */
  readonly cors?: CorsPolicy
  readonly origin: Origin | undefined
}
export interface RouteMatch {
  readonly path: PathMatch
  readonly headers: readonly HeaderMatch[]
  readonly queryParameters: readonly HeaderMatch[]
}
export type PathMatch = (
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'prefix'; readonly value: string }
  /** Whole segments: "/a" matches "/a" and "/a/b", not "/ab". */
  | { readonly kind: 'segments'; readonly value: string }
  | { readonly kind: 'regex'; readonly value: string }
) & { readonly caseSensitive: boolean }

/** xDS: CorsPolicy; texts as they stand in headers, "" left out. */
export interface CorsPolicy {
  readonly allowOrigins: readonly StringMatch[]
  readonly allowMethods: string
  readonly allowHeaders: string
  readonly exposeHeaders: string
  readonly maxAge: string
  readonly allowCredentials: boolean
  /** Preflights of other origins go to the upstream; else they are answered here, without permission. */
  readonly forwardUnmatchedPreflights: boolean
}

/** Changes to a header list: the removals first, then what overwrites, then what is added. xDS: `*_headers_to_remove`, `*_headers_to_add`. */
export interface HeaderEdit {
  /** Lower case. */
  readonly remove: readonly string[]
  readonly options: readonly HeaderOption[]
}
/** xDS: HeaderValueOption, its value without escapes. */
export interface HeaderOption {
  /** Lower case. */
  readonly name: string
  /** As it is to be written where case is kept. */
  readonly rawName: string
  readonly value: string
  readonly how: 'append' | 'if-absent' | 'overwrite' | 'overwrite-if-present'
}

/** What becomes of a path; the query stays. Values as they go over the wire. */
export type PathChange =
  | { readonly kind: 'full'; readonly value: string }
  /** In place of the first `length` characters. */
  | { readonly kind: 'prefix'; readonly length: number; readonly value: string }
  /** Without the first `length` characters, and with exactly one slash at the beginning. */
  | { readonly kind: 'strip'; readonly length: number }

export type RouteAction =
  | {
      readonly kind: 'forward'
      /** Weights are relative; the sum is > 0. */
      readonly clusters: readonly WeightedCluster[]
      /** What the upstream sees instead of the path that was asked for; absent: that one. */
      readonly path?: PathChange
      /** Who gets copies of the calls; absent: nobody. */
      readonly mirrors?: readonly Mirror[]
      /** Whole call, ms; 0: none. */
      readonly timeoutMs: number
      readonly retry: RetryPolicy | undefined
      /** Answer when the chosen cluster does not exist; absent: 503. xDS: cluster_not_found_response_code. */
      readonly clusterNotFoundStatus?: 404 | 500 | 503
    }
  /** Absent parts are those of the request. xDS: RedirectAction. */
  | {
      readonly kind: 'redirect'
      readonly status: 301 | 302 | 303 | 307 | 308
      readonly scheme: string | undefined
      readonly host: string | undefined
      readonly port: number | undefined
      readonly path: PathChange | undefined
      readonly stripQuery: boolean
    }
  | { readonly kind: 'direct'; readonly status: number; readonly body: string }

/** xDS: RequestMirrorPolicy. */
export interface Mirror {
  readonly cluster: string
  /** In [0, 1]. */
  readonly share: number
  /** `-shadow` is put behind the host's name. */
  readonly markHost: boolean
}

export interface WeightedCluster {
  readonly cluster: string
  readonly weight: number
  /** Of the route and the cluster, in the order of their effect; absent: none. */
  readonly requestEdits?: readonly HeaderEdit[]
  readonly responseEdits?: readonly HeaderEdit[]
  /** What Host says to the upstream; absent: as it was asked. xDS: host_rewrite_literal of the cluster or the route. */
  readonly authority?: string
}

/** Names as in Envoy's `retry_on`. */
export type RetryCause =
  | 'connect-failure'
  | 'refused-stream'
  | 'reset-before-request'
  | 'reset'
  | '5xx'
  | 'gateway-error'
  /** Those of `RetryPolicy.statusCodes`. */
  | 'retriable-status-codes'

/** xDS: RetryPolicy. */
export interface RetryPolicy {
  /** Further attempts after the first. */
  readonly retries: number
  readonly on: ReadonlySet<RetryCause>
  /** Besides `on`, when the method is idempotent (RFC 9110, section 9.2.2): `weft.dev` metadata `retry_on_if_idempotent`. */
  readonly onIfIdempotent: ReadonlySet<RetryCause>
  /** For `retriable-status-codes`; absent: none. */
  readonly statusCodes?: ReadonlySet<number>
  readonly perTryTimeoutMs: number
  /** No retry comes sooner, jitter or not, even after a safe failure; absent: 0. `weft.dev` metadata `retry_backoff_at_least_ms`. */
  readonly backoffAtLeastMs?: number
  readonly backoffBaseMs: number
  readonly backoffMaxMs: number
  /** Prefer endpoints that were not tried yet; at most this many further picks. */
  readonly hostSelectionAttempts: number
}

export interface Cluster {
  readonly name: string
  readonly connectTimeoutMs: number
  readonly loadBalancing: LoadBalancing
  readonly discovery: 'eds' | 'static' | 'dynamic-forward'
  readonly endpoints: readonly Endpoint[]
  /** Chosen per endpoint by `Endpoint.transport`: the match name, or "" for the cluster's own socket. */
  readonly transports: ReadonlyMap<string, UpstreamTls | undefined>
  readonly limits: Limits
  readonly upstreamProtocol: 'http/1.1' | 'h2'
  /** Pooled connection unused, ms. */
  readonly idleTimeoutMs: number
  readonly outlierDetection: OutlierDetection | undefined
  /** Below this share of healthy endpoints health is ignored, percent; 0: never. xDS: healthy_panic_threshold. */
  readonly panicThresholdPercent: number
  readonly origin: Origin | undefined
}

export type LoadBalancing =
  | { readonly kind: 'round-robin' }
  | { readonly kind: 'least-request'; readonly choices: number }
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
  /** From `weft.dev` metadata: the workload's `<namespace>/<name>`. */
  readonly workload: string | undefined
}
