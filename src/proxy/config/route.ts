import type { BalancerMetadata } from './cluster.ts'
import type { Descriptor, RouteLimiter } from './external-limit.ts'
import type { Hedging } from './hedging.ts'
import type { InjectedFaults } from './injected-faults.ts'
import type { HeaderMatch, StringMatch } from './matching.ts'
import type { Origin, SettingOrigins } from './origin.ts'
import type { SessionState } from './session.ts'
import type { RateLimit } from './rate-limit.ts'
import type { RouteSpans } from './tracing.ts'
import type { ValuePart } from './value-format.ts'

/** One RouteConfiguration. */
export interface RouteTable {
  readonly name: string
  readonly virtualHosts: readonly VirtualHost[]
  readonly ignorePortInHost: boolean
  /** Of a bootstrap: routes to clusters that are not there are meant. xDS: validate_clusters false. */
  readonly clustersMayBeMissing?: boolean
  readonly origin: Origin | undefined
}

export interface VirtualHost {
  readonly name: string
  /** Exact, `*.suffix`, `prefix.*`, `*`; lower case. */
  readonly domains: readonly string[]
  /** First match wins. */
  readonly routes: readonly Route[]
  /** Who asks in plain text is sent to https first: everybody, or all but those from within. Absent: nobody. xDS: require_tls. */
  readonly requireTls?: 'all' | 'external'
}

export interface Route {
  /** Unique in its table; for records and `explain`. */
  readonly name: string
  /** The name is ours. */
  readonly unnamed?: true
  readonly match: RouteMatch
  readonly action: RouteAction
  /** For answers of this proxy's own, redirects too; those of upstreams are edited by `WeightedCluster.responseEdits`. Absent: none. */
  readonly responseEdits?: readonly HeaderEdit[]
  /** Absent: browsers are told nothing. */
  readonly cors?: CorsPolicy
  /** By the name of the filter, in the place of what it says of sessions; undefined: none. Absent: as it says. */
  readonly sessions?: ReadonlyMap<string, SessionState | undefined>
  /** Absent: none are made. */
  readonly faults?: InjectedFaults
  /** By the name of a listener's filter: what it counts for this route; undefined: nothing. Absent names: what the filter says itself. */
  readonly rateLimits?: ReadonlyMap<string, RateLimit | undefined>
  /** By the name of a listener's filter: that its limiter is asked, and in which words. Absent names: as the filter says itself. */
  readonly limiters?: ReadonlyMap<string, RouteLimiter>
  /** What an external limiter is asked for its calls; absent: nothing. */
  readonly descriptors?: readonly Descriptor[]
  /** Absent: nothing. xDS: tracing, decorator. */
  readonly spans?: RouteSpans
  readonly origin: Origin | undefined
  /** Absent: no policy says anything of it. */
  readonly settings?: SettingOrigins
}

export interface RouteMatch {
  readonly path: PathMatch
  readonly headers: readonly HeaderMatch[]
  readonly queryParameters: readonly HeaderMatch[]
  /** Only calls whose draw, in [0, 1) and one for all routes, is below; absent: all. xDS: runtime_fraction. */
  readonly share?: number
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

/** xDS: HeaderValueOption. */
export interface HeaderOption {
  /** Lower case. */
  readonly name: string
  /** As it is to be written where case is kept. */
  readonly rawName: string
  /** Without escapes; or what is to be found out for each call. */
  readonly value: string | readonly ValuePart[]
  readonly how: 'append' | 'if-absent' | 'overwrite' | 'overwrite-if-present'
}

/** What becomes of a path; the query stays. Values as they go over the wire. */
export type PathChange =
  | { readonly kind: 'full'; readonly value: string }
  /** In place of the first `length` characters. */
  | { readonly kind: 'prefix'; readonly length: number; readonly value: string }
  /** Without the first `length` characters, and with exactly one slash at the beginning. */
  | { readonly kind: 'strip'; readonly length: number }
  /** Every match in place of the pattern (RE2). */
  | { readonly kind: 'regex'; readonly replacement: Replacement }

/** xDS: RegexMatchAndSubstitute; both have been tried. */
export interface Replacement {
  readonly pattern: string
  readonly substitution: string
}

/** What Host says to the upstream. xDS: RouteAction.host_rewrite_*. */
export type AuthorityChange =
  | string
  /** What this header of the request says, if it is there. Lower case. */
  | { readonly kind: 'header'; readonly name: string }
  /** The path without its query, replaced. */
  | { readonly kind: 'path'; readonly replacement: Replacement }
  /** The name of the endpoint that an attempt goes to, if it has one. xDS: auto_host_rewrite. */
  | { readonly kind: 'endpoint' }

export type RouteAction =
  | {
      readonly kind: 'forward'
      /** Weights are relative; the sum is > 0. */
      readonly clusters: readonly WeightedCluster[]
      /** What the upstream sees instead of the path that was asked for; absent: that one. */
      readonly path?: PathChange
      /** What the call is known by where the cluster spreads calls by a hash, in order; absent: by nothing. */
      readonly hashPolicies?: readonly HashPolicy[]
      /** Calls of one hash go to one cluster; those without go by chance. Absent: all do. xDS: use_hash_policy. */
      readonly splitByHash?: true
      /** Who gets copies of the calls; absent: nobody. */
      readonly mirrors?: readonly Mirror[]
      /** Which of the clusters' limits hold; absent: the ordinary ones. xDS: priority. */
      readonly priority?: 'high'
      /** Whole call, ms; 0: none. */
      readonly timeoutMs: number
      /** How long no byte may pass in either direction, ms; 0: for ever. Absent: as the listener says. xDS: idle_timeout. */
      readonly idleTimeoutMs?: number
      /** How long a call, or what goes through an upgrade, may last in all, ms; absent or 0: for ever. xDS: max_stream_duration. */
      readonly streamTimeoutMs?: number
      /** The most that a gRPC caller may ask for by `grpc-timeout`, ms; 0: whatever it asks. Absent: what it asks is the program's business alone. */
      readonly grpcTimeoutMaxMs?: number
      readonly retry: RetryPolicy | undefined
      /** Absent: one attempt at a time. */
      readonly hedging?: Hedging
      /** Answer when the chosen cluster does not exist; absent: 503. xDS: cluster_not_found_response_code. */
      readonly clusterNotFoundStatus?: 404 | 500 | 503
      /** The upstream is told which attempt it gets, counted from 1. xDS: include_request_attempt_count. */
      readonly tellAttempt?: true
      /** The client is told how many attempts it took. xDS: include_attempt_count_in_response. */
      readonly tellAttempts?: true
      /** So much of a request is kept for other attempts, or may a copy fall behind it, bytes; absent: as those say who keep it. xDS: request_body_buffer_limit, per_request_buffer_limit_bytes. */
      readonly bufferLimitBytes?: number
      /** What clients may ask to change to here, lower case, whatever the listener says of it. Absent: as that says. xDS: upgrade_configs. */
      readonly upgrades?: ReadonlyMap<string, boolean>
      /** A CONNECT ends here: its bytes go to the cluster as they are. Absent: there is none. xDS: connect_config. */
      readonly endsConnect?: true
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

/** xDS: RouteAction.HashPolicy. */
export type HashPolicy =
  /** Lower case. */
  (
    | { readonly kind: 'header'; readonly name: string }
    | { readonly kind: 'cookie'; readonly name: string; readonly generate: GeneratedCookie | undefined }
    | { readonly kind: 'source-ip' }
    | { readonly kind: 'query-parameter'; readonly name: string }
  ) & {
    /** When it gives a hash, the ones behind it are not asked. */
    readonly terminal: boolean
  }

/** What a client that brings no such cookie is given. */
export interface GeneratedCookie {
  /** Seconds; 0: until the browser is closed. */
  readonly ttlS: number
  /** "" leaves it out. */
  readonly path: string
  /** "name" or "name=value". */
  readonly attributes: readonly string[]
}

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
  /** Which endpoints of the cluster, where it has subsets; absent: its fallback says. xDS: metadata_match, `envoy.lb`. */
  readonly subset?: BalancerMetadata
  /** Absent: as it was asked. Of the cluster or the route. */
  readonly authority?: AuthorityChange
  /** Where Host is changed, x-forwarded-host tells the one that was asked. xDS: append_x_forwarded_host. */
  readonly tellHost?: boolean
}

/** Statuses of gRPC replies that consist of a head alone. Source: Envoy, `x-envoy-retry-grpc-on`. */
export type GrpcRetryCause = 'cancelled' | 'deadline-exceeded' | 'internal' | 'resource-exhausted' | 'unavailable'

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
  /** 409, as in Envoy. */
  | 'retriable-4xx'
  /** Those of `RetryPolicy.replyHeaders`. */
  | 'retriable-headers'
  /** Replies with `x-envoy-ratelimited`, which nothing else repeats. */
  | 'envoy-ratelimited'
  | GrpcRetryCause

/** xDS: RetryPolicy. */
export interface RetryPolicy {
  /** Further attempts after the first. */
  readonly retries: number
  readonly on: ReadonlySet<RetryCause>
  /** Besides `on`, when the method is idempotent (RFC 9110, section 9.2.2): `weft.dev` metadata `retry_on_if_idempotent`. */
  readonly onIfIdempotent: ReadonlySet<RetryCause>
  /** For `retriable-status-codes`; absent: none. */
  readonly statusCodes?: ReadonlySet<number>
  /** For `retriable-headers`: one is enough; `:status` is known. Absent: none. xDS: retriable_headers. */
  readonly replyHeaders?: readonly HeaderMatch[]
  /** Only requests of which one holds are repeated, whatever failed. Absent: all. xDS: retriable_request_headers. */
  readonly requestHeaders?: readonly HeaderMatch[]
  readonly perTryTimeoutMs: number
  /** No retry comes sooner, jitter or not, even after a safe failure; absent: 0. `weft.dev` metadata `retry_backoff_at_least_ms`. */
  readonly backoffAtLeastMs?: number
  readonly backoffBaseMs: number
  readonly backoffMaxMs: number
  /**
   * A reply that asks to be left alone for a while is: no retry comes sooner, and none at all where the caller does not wait that long. Headers
   * in order, lower case: seconds, or the second since 1970 from which on. Absent: nobody is listened to. xDS: rate_limited_retry_back_off.
   */
  readonly askedWait?: {
    readonly resetHeaders: readonly { readonly name: string; readonly says: 'seconds' | 'time' }[]
    /** Who asks for more is not listened to, ms. */
    readonly mostMs: number
  }
  /** Prefer endpoints that were not tried yet; at most this many further picks. */
  readonly hostSelectionAttempts: number
  /**
   * At every so many attempts that failed, priority levels that were tried by then take no more calls of this one, while others can. Absent:
   * levels share as ever. xDS: retry_priority previous_priorities, update_frequency.
   */
  readonly avoidPrioritiesEvery?: number
}
