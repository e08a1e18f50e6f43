import { integer, list, object, optional, refine, unsupported, withDefault, type Decoder } from '../../base/decode.ts'
import { hostname } from './hostname.ts'
import { namedRules } from './http-route.ts'
import { subdomain } from './names.ts'
import { parentRef, type ParentRef } from './parent-ref.ts'
import { backendObjectFields, withPort, type BackendObjectRef } from './service-ref.ts'

/** Gateway API TCPRoute and UDPRoute: bytes or datagrams, which nothing tells apart. */
export interface StreamRouteSpec {
  readonly parentRefs: readonly ParentRef[]
  /** Exactly one. */
  readonly rules: readonly StreamRule[]
}

/** Gateway API TLSRoute: told apart by the TLS server name. */
export interface TlsRouteSpec extends StreamRouteSpec {
  /** Empty: those of the listener. */
  readonly hostnames: readonly string[]
}

export interface StreamRule {
  readonly name?: string
  /** At least one. */
  readonly backendRefs: readonly StreamBackendRef[]
}

export interface StreamBackendRef extends BackendObjectRef {
  readonly weight: number
}

const backendRef: Decoder<StreamBackendRef> = refine(
  object<StreamBackendRef>({
    ...backendObjectFields,
    weight: withDefault(integer({ min: 0, max: 1_000_000 }), 1),
  }),
  withPort,
)

const rule: Decoder<StreamRule> = object<StreamRule>({
  name: optional(subdomain),
  backendRefs: list(backendRef, { min: 1, max: 16 }),
})
const rules: Decoder<readonly StreamRule[]> = namedRules(rule, { max: 1 })
const common = { parentRefs: list(parentRef, { min: 1, max: 32 }), rules }
const refused = { useDefaultGateways: unsupported('useDefaultGateways is not supported yet; remove it') }

export const streamRouteSpec: Decoder<StreamRouteSpec> = object<StreamRouteSpec>(common, refused)

export const tlsRouteSpec: Decoder<TlsRouteSpec> = object<TlsRouteSpec>(
  { ...common, hostnames: withDefault(list(hostname, { max: 16 }), []) },
  refused,
)
