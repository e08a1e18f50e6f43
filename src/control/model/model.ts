import type { Address } from '../../base/address.ts'

/**
 * THE WAIST of the control plane: policy on one side, protocol on the other. Plain read-only data, all references resolved, all
 * defaults and conflicts settled. `link` makes it, `render` reads it; neither sees the other. Imports nothing but `base`.
 */
export interface Model {
  /** Grows with every inventory change; the same inventory gives the same model otherwise. */
  readonly revision: number
  readonly trustDomain: string
  /** By `<namespace>/<name>`. */
  readonly services: ReadonlyMap<string, Service>
  /** By `<namespace>/<name>`: every registered instance with a sidecar, ready or not. */
  readonly workloads: ReadonlyMap<string, Workload>
  /** Addresses of services in the mesh's DNS, by `<namespace>/<name>`; there may be more of them than services. */
  readonly virtualIps: ReadonlyMap<string, string>
  readonly mesh: MeshSettings
}

/** Which resource and field caused a part of the configuration. `revision` is that resource's own resourceVersion. */
export interface Origin {
  /** "HTTPRoute default/reviews". */
  readonly resource: string
  /** "spec.rules[0]". */
  readonly field: string
  readonly revision: string
}

export interface MeshSettings {
  /** Hosts that are no service of the mesh: forwarded, or refused with 502. */
  readonly outboundTraffic: 'allow-any' | 'registered-only'
  readonly accessLog: boolean
  readonly loadBalancing: LoadBalancing
  readonly origin: Origin | undefined
}

/** `peak-ewma`: by latency and calls under way; for raw TCP, which has no answers to time, the same as `least-request`. */
export type LoadBalancing = 'peak-ewma' | 'least-request' | 'round-robin'
export type Protocol = 'http' | 'tcp'

export interface Service {
  readonly namespace: string
  readonly name: string
  readonly ports: readonly ServicePort[]
  readonly origin: Origin
}

export interface ServicePort {
  /** What clients name. */
  readonly port: number
  readonly name: string
  readonly protocol: Protocol
  /** Ordered by precedence, first match wins; never empty for HTTP: without an HTTPRoute one rule that matches all. */
  readonly rules: readonly RouteRule[]
  /** By the caller's namespace: in the place of `rules` for callers from there. Absent: nobody has any. Source: GAMMA, consumer routes. */
  readonly consumerRules?: ReadonlyMap<string, readonly RouteRule[]>
  readonly endpoints: readonly Endpoint[]
  /** SPIFFE IDs that an endpoint of this port may have: sorted, unique. */
  readonly identities: readonly string[]
  readonly loadBalancing: LoadBalancing
  readonly origin: Origin
}

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
  /** Gateway API: no valid backend → 500. */
  | { readonly kind: 'fail'; readonly status: 500; readonly reason: string }
export interface Forward {
  readonly kind: 'forward'
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
/** In ms; 0: none. */
export interface Timeouts {
  /** The whole call, retries included. */
  readonly requestMs: number
  /** One request to one backend. */
  readonly backendRequestMs: number
}
/** Besides failed connections, which any of these repeats. Source: Gateway API, HTTPRouteRetry. */
export interface Retry {
  /** Statuses that are tried again: ascending, unique. */
  readonly codes: readonly number[]
  /** Further attempts after the first. */
  readonly attempts: number
  /** The shortest wait before a retry, ms; undefined: no lower bound. */
  readonly backoffMs: number | undefined
}
/** Points at `Model.services`; a backend that does not exist has `service: undefined` and answers 500 for its share. */
export interface Backend extends HeaderEdits {
  readonly weight: number
  readonly service: string | undefined
  readonly port: number
  readonly origin: Origin
}

/** One instance of a service on one port, as clients reach it: the sidecar's inbound listener. */
export interface Endpoint {
  readonly workload: string
  readonly address: Address
  /** Clients use mTLS to this one: it has a sidecar. */
  readonly mtls: boolean
  readonly health: 'healthy' | 'unhealthy' | 'draining'
  readonly weight: number
}

export interface Workload {
  readonly namespace: string
  readonly name: string
  /** The service it was registered for. */
  readonly service: string
  readonly identity: string
  readonly inbound: readonly InboundPort[]
  /** Takes the program's outbound calls. */
  readonly outbound: Address | undefined
  /** Connections are caught there with the destination that they were for; undefined: the program names the listener as its proxy. */
  readonly capture: 'namespace' | undefined
  readonly origin: Origin
}

export interface InboundPort {
  readonly name: string
  /** Of the sidecar: bound by the agent. */
  readonly address: Address
  /** Of the program, on loopback. */
  readonly targetPort: number
  readonly protocol: Protocol
  /** PERMISSIVE takes plain text too, and counts it. */
  readonly mtls: 'strict' | 'permissive' | 'disable'
  readonly mtlsOrigin: Origin | undefined
  readonly authorization: PortAuthorization
}

/** Order of evaluation: any `deny` → refused; any `allow` policy exists and none matches → refused. Source: Istio AuthorizationPolicy. */
export interface PortAuthorization {
  readonly deny: readonly AuthorizationRule[]
  readonly allow: readonly AuthorizationRule[]
  /** At least one ALLOW policy selects this port: without a match the call is refused (an ALLOW policy without rules allows nothing). */
  readonly allowPresent: boolean
  /** AUDIT: counted, never refused. */
  readonly audit: readonly AuthorizationRule[]
}

/** One `rules[]` entry: all of the given lists must match; a list matches if one of its items does. An absent list matches anything. */
export interface AuthorizationRule {
  /** "default/catalog-viewers/rule-0". */
  readonly name: string
  readonly from: readonly AuthorizationSource[]
  readonly to: readonly AuthorizationOperation[]
  readonly when: readonly AuthorizationCondition[]
  readonly origin: Origin
}
/** Each given field must match; `not*` must not. Values as in Istio: exact, `prefix*`, `*suffix`, `*`. */
export interface AuthorizationSource {
  readonly principals: readonly string[]
  readonly notPrincipals: readonly string[]
  readonly namespaces: readonly string[]
  readonly notNamespaces: readonly string[]
  readonly ipBlocks: readonly string[]
  readonly notIpBlocks: readonly string[]
}
export interface AuthorizationOperation {
  readonly hosts: readonly string[]
  readonly notHosts: readonly string[]
  readonly ports: readonly string[]
  readonly notPorts: readonly string[]
  readonly methods: readonly string[]
  readonly notMethods: readonly string[]
  readonly paths: readonly string[]
  readonly notPaths: readonly string[]
}
export interface AuthorizationCondition {
  /** "request.headers[x-user]", "source.principal", "source.namespace", "source.ip", "destination.port". */
  readonly key: string
  readonly values: readonly string[]
  readonly notValues: readonly string[]
}
