import type { Origin } from './origin.ts'
import type { ExternalLimit, RateLimit } from './rate-limit.ts'
import type { HashOn, SettingOrigins } from './traffic-policy.ts'

/** One HTTPRoute rule attached to one service port, one entry per match. */
export interface RouteRule extends HeaderEdits {
  /** Unique within the port: "default/reviews/rule-0/match-1", or "default" for the rule of a service without routes. */
  readonly name: string
  readonly match: RouteMatch
  /** Absent: browsers are told nothing. */
  readonly cors?: CorsPolicy
  readonly action: RouteAction
  readonly origin: Origin
}

export interface RouteMatch {
  readonly path: { readonly kind: 'exact' | 'segments' | 'regex'; readonly value: string }
  readonly method: string | undefined
  readonly headers: readonly ValueMatch[]
  readonly queryParameters: readonly ValueMatch[]
}

export interface ValueMatch {
  readonly name: string
  readonly kind: 'exact' | 'regex'
  readonly value: string
}

/** What is changed in headers on the way; absent: nothing. Those of a backend come after those of its rule. */
export interface HeaderEdits {
  readonly requestHeaders?: HeaderEdit
  readonly responseHeaders?: HeaderEdit
}

/** In this order: remove, set, add. Names in any case. */
export interface HeaderEdit {
  readonly remove: readonly string[]
  /** Takes the place of all values that there are. */
  readonly set: readonly { readonly name: string; readonly value: string }[]
  /** Comes behind the values that there are. */
  readonly add: readonly { readonly name: string; readonly value: string }[]
}

/** Which other origins' pages may read the replies. In each list "*" stands alone and means all. */
export interface CorsPolicy {
  /** "https://shop.example", "https://*.shop.example": any labels, "*". */
  readonly allowOrigins: readonly string[]
  readonly allowMethods: readonly string[]
  readonly allowHeaders: readonly string[]
  readonly exposeHeaders: readonly string[]
  readonly allowCredentials: boolean
  readonly maxAgeSeconds: number
}

export type RouteAction =
  | Forward
  | Redirect
  /**
   * Gateway API: no valid backend → 500; for a GRPCRoute UNAVAILABLE, which is what 503 is to callers of gRPC. HTTP: a connection for
   * another host → 421.
   */
  | { readonly kind: 'fail'; readonly status: 421 | 500 | 503; readonly reason: string }

export interface Forward {
  readonly kind: 'forward'
  /** What is said for backends that do not exist; absent: 500. */
  readonly missingStatus?: 503
  /** Those with weight 0 are left out. */
  readonly backends: readonly Backend[]
  /** Absent: the URL stays. */
  readonly rewrite?: Rewrite
  /** Who gets copies; absent: nobody. */
  readonly mirrors?: readonly Mirror[]
  /** Absent: the mesh sets no limit. */
  readonly timeouts?: Timeouts
  /** Absent: the mesh's own, which repeats only what is safe. */
  readonly retry?: Retry
  /** Calls of one hash go to one backend, and there to one endpoint where its balancing goes by hashes. Absent: none is told apart. */
  readonly hashOn?: readonly HashOn[]
  /** Absent: one attempt at a time. */
  readonly hedging?: Hedging
  /** Calls of one session stay at one endpoint; absent: none is told apart. */
  readonly session?: Session
  /** Failures made on purpose; absent: none. */
  readonly faults?: Faults
  /** How many calls may come, counted at a gateway; elsewhere the sidecars of the backends count. Absent: no policy for the route says. */
  readonly rateLimits?: readonly RateLimit[]
  /** Who is asked about each call, by a gateway; elsewhere the sidecars of the backends ask. False: nobody. Absent: no policy for the route says. */
  readonly externalLimit?: ExternalLimit | false
  /** What of these came from policies, and from which; absent: nothing. */
  readonly settings?: SettingOrigins
}

export interface Rewrite {
  /** What Host says from here on. */
  readonly host: string | undefined
  readonly path: PathChange | undefined
}

/** The query stays in any case. */
export interface PathChange {
  /** The whole path, or the part that the rule's path prefix matched: whole segments. */
  readonly kind: 'full' | 'prefix'
  /** Begins with "/"; for a prefix also "". */
  readonly value: string
}

/** Absent parts are those of the request. */
export interface Redirect {
  readonly kind: 'redirect'
  readonly status: 301 | 302 | 303 | 307 | 308
  readonly scheme: 'http' | 'https' | undefined
  readonly host: string | undefined
  /** Undefined: the service port that was called. */
  readonly port: number | undefined
  readonly path: PathChange | undefined
}

/** Copies of requests, whose answers nobody waits for. Points at `Model.services`. */
export interface Mirror {
  readonly service: string
  readonly port: number
  /** In (0, 1]: of all requests of the rule. */
  readonly share: number
  readonly origin: Origin
}

/** In ms; 0 or absent: none. */
export interface Timeouts {
  /** The whole call, retries included. */
  readonly requestMs?: number
  /** One request to one backend; of the whole call where there is no `retry`. Source: Gateway API, HTTPRouteTimeouts. */
  readonly backendRequestMs?: number
  /** One attempt, from a policy; where there is `backendRequestMs` that one holds. */
  readonly perTryMs?: number
  /** No byte in either direction; absent: as long as the listener waits, or for ever where streams may be silent. */
  readonly idleMs?: number
  /** From a call's head to its last byte either way, what goes through an upgrade included; 0: no limit. */
  readonly streamMs?: number
}

/** Besides failed connections, which any of these repeats. Source: Gateway API, HTTPRouteRetry. */
export interface Retry {
  /** Statuses that are tried again: ascending, unique. */
  readonly codes: readonly number[]
  /** Further causes, as Envoy's `retry_on` names them. */
  readonly on?: readonly string[]
  /** Further attempts after the first; absent: the mesh's own number. */
  readonly attempts?: number
  /** The shortest wait before a retry, ms; absent: no lower bound. */
  readonly backoffMs?: number
  /** Full jitter between 0 and `baseMs` · 2ⁿ, at most `maxMs`; absent: the mesh's own. */
  readonly backoff?: { readonly baseMs: number; readonly maxMs: number }
}

/** Another attempt elsewhere when a reply does not begin in time; the first good reply counts. */
export interface Hedging {
  /** The time in which this share of attempts had their reply of late, in (0, 1); or so many ms. */
  readonly after: { readonly quantile: number } | { readonly ms: number }
  /** The first one included. */
  readonly maxAttempts: number
  /** Not only of idempotent methods. */
  readonly anyMethod: boolean
}

/**
 * How a session is known: by a cookie that lives so long (0: as long as the browser's session) and that is told anew with each reply where it
 * ends once nobody has called for `idleMs`; or by a header (lower case).
 */
export type Session =
  | { readonly kind: 'cookie'; readonly name: string; readonly ttlMs: number; readonly idleMs?: number }
  | { readonly kind: 'header'; readonly name: string }

/** First the delay, then the abort or a slow reply, each by its own chance; shares in [0, 1]. */
export interface Faults {
  readonly delay?: { readonly ms: number; readonly share: number }
  /** In the place of a call; `grpc`: the status is one of gRPC. */
  readonly abort?: { readonly status: number; readonly grpc: boolean; readonly share: number }
  /** Of the reply's body. */
  readonly bandwidth?: { readonly kibPerSecond: number; readonly share: number }
  /** Only requests with all of these. */
  readonly headers: readonly ValueMatch[]
}

/** Points at `Model.services`; a backend that does not exist has `service: undefined` and answers 500 for its share. */
export interface Backend extends HeaderEdits {
  readonly weight: number
  readonly service: string | undefined
  readonly port: number
  /** In the place of what the rule says, part by part; absent: as the rule says. */
  readonly rewrite?: Rewrite
  /** Its share of the calls is sent elsewhere; absent: it gets them. */
  readonly redirect?: Redirect
  readonly origin: Origin
}
