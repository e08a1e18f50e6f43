import {
  invalid,
  list,
  object,
  oneOf,
  optional,
  record,
  refine,
  string,
  unsupported,
  withDefault,
  type Decoder,
  type DefaultedField,
  type Issue,
} from '../../base/decode.ts'
import { gatewayTlsSpec, type GatewayTlsSpec } from './gateway-tls.ts'
import { hostname } from './hostname.ts'
import { labels, portNumber, subdomain } from './names.ts'
import { objectRef, type ObjectRef } from './object-ref.ts'
import { gatewayGroup } from './parent-ref.ts'

/** Gateway API Gateway. What a name or value in it means, and whether it can be served, is found out by link and told in the status. */
export interface GatewaySpec {
  readonly gatewayClassName: string
  readonly listeners: readonly ListenerSpec[]
  readonly addresses: readonly AddressSpec[]
  readonly infrastructure: InfrastructureSpec
  readonly tls?: GatewayTlsSpec
  /** Whose ListenerSets may attach. */
  readonly allowedListeners: AllowedListenersSpec
}

/** Where requests come in. */
export interface ListenerSpec {
  readonly name: string
  /** "*.shop.example" covers any labels in the place of "*"; absent: every host. */
  readonly hostname?: string
  readonly port: number
  /** "HTTP", "HTTPS", "TLS", "TCP", "UDP", or one that nobody here knows. */
  readonly protocol: string
  readonly tls?: ListenerTlsSpec
  readonly allowedRoutes: AllowedRoutesSpec
}

export interface ListenerTlsSpec {
  readonly mode: 'Terminate' | 'Passthrough'
  readonly certificateRefs: readonly ObjectRef[]
}

/** Which routes may attach. */
export interface AllowedRoutesSpec {
  readonly namespaces: NamespacesFrom
  /** Empty: all that fit the protocol. */
  readonly kinds: readonly RouteGroupKind[]
}
export interface RouteGroupKind {
  readonly group: string
  readonly kind: string
}

/** Namespaces by their relation to the Gateway's own, or by their labels. */
export interface NamespacesFrom {
  readonly from: 'All' | 'Same' | 'Selector' | 'None'
  readonly matchLabels: Readonly<Record<string, string>>
}

export interface AllowedListenersSpec {
  readonly namespaces: NamespacesFrom
}

export interface AddressSpec {
  /** "IPAddress", "Hostname", or one that nobody here knows. */
  readonly type: string
  /** Absent: any of this type. */
  readonly value?: string
}

export interface InfrastructureSpec {
  /** For what serves the Gateway: its instances' Workloads. */
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly parametersRef?: ObjectRef
}

const namespacesFrom = (from: DefaultedField<NamespacesFrom['from']>): Decoder<NamespacesFrom> =>
  refine(
    object<{
      readonly from: NamespacesFrom['from']
      readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> }
    }>({
      from,
      selector: optional(
        object<{ readonly matchLabels: Readonly<Record<string, string>> }>(
          { matchLabels: withDefault(labels, {}) },
          { matchExpressions: unsupported('matchExpressions is not supported yet; use matchLabels') },
        ),
      ),
    }),
    ({ from: written, selector }, path, issues) => {
      if ((written === 'Selector') === (selector !== undefined))
        return { from: written, matchLabels: selector?.matchLabels ?? {} }
      const message =
        written === 'Selector'
          ? 'from: Selector needs a selector'
          : `from: ${written} has no selector; write from: Selector, or remove it`
      issues.push({ path: `${path}.selector`, message })
      return invalid
    },
  )

const same: NamespacesFrom = { from: 'Same', matchLabels: {} }
const allowedRoutes = object<AllowedRoutesSpec>({
  namespaces: withDefault(namespacesFrom(withDefault(oneOf('All', 'Same', 'Selector'), 'Same')), same),
  kinds: withDefault(
    list(object<RouteGroupKind>({ group: withDefault(string(), gatewayGroup), kind: string() }), { max: 8 }),
    [],
  ),
})

const nobody: NamespacesFrom = { from: 'None', matchLabels: {} }
const allowedListeners = object<AllowedListenersSpec>({
  namespaces: withDefault(namespacesFrom(withDefault(oneOf('All', 'Same', 'Selector', 'None'), 'None')), nobody),
})

const tls: Decoder<ListenerTlsSpec> = object<ListenerTlsSpec>(
  {
    mode: withDefault(oneOf('Terminate', 'Passthrough'), 'Terminate'),
    certificateRefs: withDefault(list(objectRef('Secret'), { max: 64 }), []),
  },
  { options: unsupported('there are no TLS options here; remove it') },
)

/** What Gateway API's own validation refuses. Source: the CRD's rules on listeners. */
function listenerIssues({ protocol, hostname: host, tls: secured }: ListenerSpec, path: string): readonly Issue[] {
  const found: Issue[] = []
  const tell = (field: string, message: string): void => void found.push({ path: `${path}.${field}`, message })
  if (['HTTP', 'TCP', 'UDP'].includes(protocol) && secured !== undefined)
    tell('tls', `a listener for ${protocol} has no tls; use HTTPS or TLS, or remove it`)
  if (['TCP', 'UDP'].includes(protocol) && host !== undefined) tell('hostname', `${protocol} names no host; remove it`)
  if (['HTTPS', 'TLS'].includes(protocol) && secured === undefined) tell('tls', `a listener for ${protocol} needs tls`)
  if (protocol === 'HTTPS' && secured?.mode === 'Passthrough')
    tell('tls.mode', 'HTTPS is decrypted here; use protocol TLS to pass it through')
  if (secured?.mode === 'Terminate' && secured.certificateRefs.length === 0)
    tell('tls.certificateRefs', 'a certificate is needed to terminate TLS')
  return found
}

const listener: Decoder<ListenerSpec> = refine(
  object<ListenerSpec>({
    name: subdomain,
    hostname: optional(hostname),
    port: portNumber,
    protocol: string({ form: /^[a-zA-Z0-9./-]{1,255}$/, expected: 'a protocol such as "HTTP" or "HTTPS"' }),
    tls: optional(tls),
    allowedRoutes: withDefault(allowedRoutes, { namespaces: same, kinds: [] }),
  }),
  (read, path, issues) => {
    const found = listenerIssues(read, path)
    issues.push(...found)
    return found.length > 0 ? invalid : read
  },
)

/** Those of a Gateway or a ListenerSet: each has a name of its own there, and none is there twice. */
export const listeners: Decoder<readonly ListenerSpec[]> = refine(
  list(listener, { min: 1, max: 64 }),
  (all, path, issues) => {
    const before = issues.length
    const repeated = (same: (a: ListenerSpec, b: ListenerSpec) => boolean): number =>
      all.findIndex((one, index) => all.findIndex((other) => same(one, other)) !== index)
    const name = repeated((a, b) => a.name === b.name)
    if (name >= 0)
      issues.push({ path: `${path}[${name}].name`, message: `${JSON.stringify(all[name]?.name)} is there twice` })
    const place = repeated((a, b) => a.port === b.port && a.protocol === b.protocol && a.hostname === b.hostname)
    if (place >= 0)
      issues.push({ path: `${path}[${place}]`, message: 'another listener has the same port, protocol and hostname' })
    return issues.length > before ? invalid : all
  },
)

const infrastructure = object<InfrastructureSpec>({
  labels: withDefault(labels, {}),
  annotations: withDefault(record(string()), {}),
  parametersRef: optional(objectRef('')),
})

export const gatewaySpec: Decoder<GatewaySpec> = object<GatewaySpec>(
  {
    gatewayClassName: subdomain,
    listeners,
    addresses: withDefault(
      list(object<AddressSpec>({ type: withDefault(string(), 'IPAddress'), value: optional(string()) }), { max: 16 }),
      [],
    ),
    infrastructure: withDefault(infrastructure, { labels: {}, annotations: {} }),
    tls: optional(gatewayTlsSpec),
    allowedListeners: withDefault(allowedListeners, { namespaces: nobody }),
  },
  {
    defaultScope: unsupported('default Gateways are not supported; name the Gateway in parentRefs'),
  },
)
