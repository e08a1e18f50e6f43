import type { AppProtocol } from '../../base/app-protocol.ts'
import type { Address } from '../../base/address.ts'
import type { Locality } from '../../base/locality.ts'
import type { StreamHost } from './gateway.ts'
import type { Origin } from './origin.ts'
import type { RouteRule } from './route.ts'
import type { SettingOrigins, Traffic } from './traffic-policy.ts'

/**
 * `peak-ewma`: by latency and calls under way; for raw TCP, which has no answers to time, the same as `least-request`. `ring-hash` and
 * `maglev` send calls of one hash to one endpoint.
 */
export type LoadBalancing = 'peak-ewma' | 'least-request' | 'round-robin' | 'random' | 'ring-hash' | 'maglev'

export interface Service {
  readonly namespace: string
  readonly name: string
  readonly ports: readonly ServicePort[]
  /** Outside of the mesh; absent: it has a name of the mesh, and workloads. */
  readonly external?: External
  readonly origin: Origin
}

/** Known by names of its own, and nobody there can prove an identity. */
export interface External {
  /** Lower case: host names, IP addresses, or "*.suffix" for any labels before it. */
  readonly hosts: readonly string[]
  /** `none`: each connection goes on to where it was going. `dns`: the endpoints' hosts are names, or addresses. */
  readonly resolution: 'static' | 'dns' | 'none'
  /** Who calls the hosts for all others; absent: every proxy does. */
  readonly egress?: Egress
}

/** A Gateway through which alone the mesh calls hosts outside. */
export interface Egress {
  /** `<namespace>/<name>`; "": the one that was named cannot be used. */
  readonly gateway: string
  /** Its instances, where they take the mesh's calls; empty: every call fails. */
  readonly endpoints: readonly Endpoint[]
  /** SPIFFE ID of its instances. */
  readonly identity: string
  readonly origin: Origin
}

export interface ServicePort {
  /** What clients name. */
  readonly port: number
  readonly name: string
  readonly protocol: AppProtocol
  /** Ordered by precedence, first match wins; never empty unless it is raw TCP: without an HTTPRoute one rule that matches all. */
  readonly rules: readonly RouteRule[]
  /** By the caller's namespace: in the place of `rules` for callers from there. Absent: nobody has any. Source: GAMMA, consumer routes. */
  readonly consumerRules?: ReadonlyMap<string, readonly RouteRule[]>
  /** Of raw TCP: by the TLS server name of a connection, else "*". Absent: everything goes to the port's own endpoints. */
  readonly streams?: readonly StreamHost[]
  /** By the caller's namespace: in the place of `streams`. Absent: nobody has any. */
  readonly consumerStreams?: ReadonlyMap<string, readonly StreamHost[]>
  readonly endpoints: readonly Endpoint[]
  /** SPIFFE IDs that an endpoint of this port may have: sorted, unique. */
  readonly identities: readonly string[]
  readonly loadBalancing: LoadBalancing
  /** To endpoints whose programs speak TLS themselves; absent: plain text, or mTLS to those that have a sidecar. */
  readonly tls?: BackendTls
  /** Absent: no policy says anything of it. */
  readonly traffic?: Traffic
  /** What the sidecars of its programs hold callers to, and which policies say so; absent: nothing. */
  readonly enforced?: SettingOrigins
  readonly origin: Origin
}

/** TLS towards programs, which prove themselves by name. */
export interface BackendTls {
  /** What is asked for. */
  readonly sni: string
  /** The certificate must be for one of these; never empty. */
  readonly names: readonly { readonly kind: 'dns' | 'uri'; readonly value: string }[]
  /** `system`: whom the control plane's machine believes; `nobody`: every call fails, and nothing is ever said in plain text. */
  readonly trust: 'system' | 'nobody' | { readonly pem: string }
  /** The policy that says so; absent: the service itself. */
  readonly origin?: Origin
}

/** One instance of a service on one port, as clients reach it: the sidecar's inbound listener. */
export interface Endpoint {
  /** `<namespace>/<name>`; undefined: it is none of the mesh. */
  readonly workload: string | undefined
  readonly address: Address
  /** Clients use mTLS to this one: it has a sidecar. */
  readonly mtls: boolean
  readonly health: 'healthy' | 'unhealthy' | 'draining'
  readonly weight: number
  /** Absent: nobody says. */
  readonly locality?: Locality
  /** Processes of its sidecar that take connections; absent: one. */
  readonly workers?: number
}
