import type { Origin } from './origin.ts'

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
