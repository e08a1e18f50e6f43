import type { AppProtocol } from '../../base/app-protocol.ts'
import type { Address } from '../../base/address.ts'
import type { Locality } from '../../base/locality.ts'
import type { AdaptiveConcurrency } from './adaptive-concurrency.ts'
import type { PortAuthorization } from './authorization.ts'
import type { Origin } from './origin.ts'
import type { ExternalLimit, RateLimit } from './rate-limit.ts'
import type { RouteMatch } from './route.ts'

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
  /** Which proxy stands beside it; absent: Weft's own. */
  readonly proxy?: 'envoy'
  /** It serves the listeners of a Gateway; undefined: it is beside a program. */
  readonly gateway: GatewayInstance | undefined
  /** Absent: nobody says. */
  readonly locality?: Locality
  readonly origin: Origin
}

export interface GatewayInstance {
  /** `<namespace>/<name>` of the Gateway, which need not be there. */
  readonly gateway: string
  /** IP address that its listeners are bound to, unless the Gateway names its own. */
  readonly host: string
  /** IP address by which others reach them. */
  readonly address: string
  /** By a listener's port: the one that is bound instead. */
  readonly portMap: ReadonlyMap<number, number>
  readonly authorization: PortAuthorization
}

export interface InboundPort {
  readonly name: string
  /** Of the sidecar: bound by the agent. */
  readonly address: Address
  /** Of the program, on loopback. */
  readonly targetPort: number
  readonly protocol: AppProtocol
  /** PERMISSIVE takes plain text too, and counts it. */
  readonly mtls: 'strict' | 'permissive' | 'disable'
  readonly mtlsOrigin: Origin | undefined
  readonly authorization: PortAuthorization
  /** A request has to keep them all; absent: none. */
  readonly rateLimits?: readonly RateLimit[]
  /** First match wins; `rateLimits` and `externalLimit` hold where none matches. Absent: no route says anything of limits. */
  readonly rules?: readonly InboundRule[]
  /** Absent: nobody is asked. */
  readonly externalLimit?: ExternalLimit
  /** Absent: calls are taken as they come. */
  readonly adaptiveConcurrency?: AdaptiveConcurrency
}

/** Calls as they arrive by a rule of a route, whoever sends them. */
export interface InboundRule {
  /** That of the rule. */
  readonly name: string
  readonly match: RouteMatch
  /** Only those of callers from this namespace; absent: all. */
  readonly callers?: string
  /** Those of the port do not hold besides. */
  readonly rateLimits: readonly RateLimit[]
  /** In the place of the port's; absent: nobody is asked. */
  readonly externalLimit?: ExternalLimit
  readonly origin: Origin
}
