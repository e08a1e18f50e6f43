import type { Problem } from '../../base/problem.ts'
import { keyText } from '../decode/resource.ts'
import type {
  AnyRouteResource as AnyRoute,
  ResourceOf,
  RouteResource as Route,
  StreamRouteResource as StreamRoute,
} from '../decode/resource-types.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { Certificate, Gateway, GatewayListener, StreamListener } from '../model/model.ts'
import { attach } from './attach-routes.ts'
import { readSecret } from './gateway-certificates.ts'
import { isOurGateway } from './gateway-classes.ts'
import { linkAddresses, linkListeners, type Listener } from './gateway-listeners.ts'
import { coversHost } from './hostnames.ts'
import { inOrder, type Attaching } from './link-rules.ts'
import { streamHosts } from './link-streams.ts'
import type { NamedRule } from './named-rule.ts'
import { mergeRecovery } from './merge-settings.ts'
import { conditionAt, originOf, problemAt, type Linked } from './linked.ts'

/** What gateways serve, and with which certificates. */
export interface LinkedGateways {
  readonly gateways: ReadonlyMap<string, Gateway>
  readonly certificates: ReadonlyMap<string, Certificate>
}

/** Every Gateway of our class with its routes; what cannot be served is left out, and is a problem. */
export function linkGateways(attaching: Attaching): Linked<LinkedGateways> {
  const { snapshot, rules, streams } = attaching
  const problems: Problem[] = []
  const listenersOf = new Map<string, readonly Listener[]>()
  const ours = resourcesOf(snapshot, 'Gateway').filter((gateway) => {
    const served = isOurGateway(gateway, snapshot)
    if (served === undefined) {
      const message = `there is no GatewayClass ${gateway.spec.gatewayClassName}, so nobody serves this; write gatewayClassName: weft`
      problems.push(problemAt(gateway, 'spec.gatewayClassName', message))
    }
    return served === true
  })
  for (const gateway of ours) {
    const listeners = linkListeners(gateway, snapshot)
    problems.push(...listeners.problems)
    listenersOf.set(keyOf(gateway), listeners.value)
  }
  const attached = attachRoutes([...rules.keys(), ...streams.keys()], listenersOf, snapshot, problems)
  const gateways = ours.map((gateway) => {
    const linked = linkGateway(gateway, listenersOf.get(keyOf(gateway)) ?? [], attached, attaching)
    problems.push(...linked.problems)
    return linked.value
  })
  const byName = new Map(gateways.map((one) => [`${one.namespace}/${one.name}`, one]))
  return { value: { gateways: byName, certificates: certificatesOf(gateways, snapshot) }, problems }
}

const keyOf = ({ metadata }: ResourceOf<'Gateway'>): string => `${metadata.namespace}/${metadata.name}`

/** The routes at a listener, oldest first, each with the hosts that it has there. */
interface There {
  readonly calls: Map<Route, readonly string[]>
  readonly streams: Map<StreamRoute, readonly string[]>
}
type Attached = ReadonlyMap<Listener, There>

function attachRoutes(
  routes: readonly AnyRoute[],
  listenersOf: ReadonlyMap<string, readonly Listener[]>,
  snapshot: InventorySnapshot,
  problems: Problem[],
): Attached {
  const attached = new Map<Listener, There>()
  for (const route of routes) {
    route.spec.parentRefs.forEach((ref, index) => {
      if (ref.kind !== 'Gateway') return
      const gateway = `${ref.namespace ?? route.metadata.namespace}/${ref.name}`
      const listeners = listenersOf.get(gateway)
      const field = `spec.parentRefs[${index}]`
      const found = listeners && attach(route, { ref, field }, listeners, snapshot)
      if (found === undefined) problems.push(noGateway(route, field, gateway, snapshot))
      else if ('severity' in found) problems.push(found)
      else
        for (const { listener, hostnames } of found) {
          let there = attached.get(listener)
          if (there === undefined) attached.set(listener, (there = { calls: new Map(), streams: new Map() }))
          if (route.kind === 'TLSRoute' || route.kind === 'TCPRoute') there.streams.set(route, hostnames)
          else there.calls.set(route, hostnames)
        }
    })
  }
  return attached
}

function noGateway(route: AnyRoute, field: string, gateway: string, { entries }: InventorySnapshot): Problem {
  const [namespace = '', name = ''] = gateway.split('/')
  const exists = entries.has(keyText({ kind: 'Gateway', namespace, name }))
  const what = exists ? `Gateway ${gateway} is not served by this mesh` : `there is no Gateway ${gateway}`
  const message = `${what}, so the route has no effect there`
  return conditionAt(route, `${field}.name`, { type: 'Accepted', reason: 'NoMatchingParent' }, message)
}

function linkGateway(
  gateway: ResourceOf<'Gateway'>,
  listeners: readonly Listener[],
  attached: Attached,
  attaching: Attaching,
): Linked<Gateway> {
  const addresses = linkAddresses(gateway)
  const problems = [...addresses.problems]
  const { parametersRef } = gateway.spec.infrastructure
  if (parametersRef !== undefined) {
    const invalid = { type: 'Accepted', reason: 'InvalidParameters' }
    const message = `a Gateway has no parameters here, got ${JSON.stringify(parametersRef.kind)}; remove it`
    problems.push(conditionAt(gateway, 'spec.infrastructure.parametersRef', invalid, message))
  }
  const serving = problems.length > 0 ? [] : listeners.filter(({ serves }) => serves)
  const { namespace, name } = gateway.metadata
  const value: Gateway = {
    namespace,
    name,
    addresses: addresses.value,
    listeners: serving.flatMap((one): GatewayListener[] => {
      const { protocol } = one
      if (protocol !== 'http' && protocol !== 'https') return []
      const hosts = hostsOf(one, serving, attached.get(one)?.calls, attaching, problems)
      return [{ ...linkListener(one), protocol, hosts }]
    }),
    streams: serving.flatMap((one): StreamListener[] => {
      const { protocol } = one
      if (protocol !== 'tls' && protocol !== 'tcp') return []
      const narrower = narrowerThan(one, serving).map(({ hostname }) => hostname)
      const hosts = streamHosts(one.spec.name, narrower, attached.get(one)?.streams ?? new Map(), attaching.streams)
      problems.push(...hosts.problems)
      return [{ ...linkListener(one), protocol, hosts: hosts.value }]
    }),
    attachments: new Map(
      listeners.map((one) => [one.spec.name, { kinds: one.kinds, routes: countOf(attached.get(one)) }]),
    ),
    origin: originOf(gateway, 'spec'),
  }
  return { value, problems }
}

const linkListener = ({
  owner,
  spec,
  field,
  hostname,
  certificates,
}: Listener): Omit<GatewayListener, 'protocol' | 'hosts'> => ({
  name: spec.name,
  port: spec.port,
  hostname,
  certificates,
  origin: originOf(owner, field),
})

/** An older route may leave one without effect, but attached it is. */
const countOf = (there: There | undefined): number => (there === undefined ? 0 : there.calls.size + there.streams.size)

/** Of the same port, for some of its hosts. */
const narrowerThan = (listener: Listener, all: readonly Listener[]): readonly Listener[] =>
  all.filter(
    (other) =>
      other !== listener && other.spec.port === listener.spec.port && coversHost(listener.hostname, other.hostname),
  )

/**
 * The routes of a listener by host. What a narrower listener of the same port is for stays with that one, whatever the routes here
 * say. Source: Gateway API, Listener, "Listener isolation".
 */
function hostsOf(
  listener: Listener,
  all: readonly Listener[],
  routes: There['calls'] | undefined,
  { rules, policies, overlaps }: Attaching,
  problems: Problem[],
): GatewayListener['hosts'] {
  const narrower = narrowerThan(listener, all)
  const byHost = new Map<string, NamedRule[]>()
  const wide = policies.ofNamespace(listener.owner.metadata.namespace)
  for (const [route, hostnames] of routes ?? []) {
    const settled = (rules.get(route) ?? []).map((one) => ({
      ...one,
      rule: mergeRecovery(one.rule, [...policies.ofRule(route, one.name), ...wide], policies.ofPort),
    }))
    for (const host of hostnames) {
      if (narrower.some((other) => coversHost(other.hostname, host))) continue
      let there = byHost.get(host)
      if (there === undefined) byHost.set(host, (there = []))
      there.push(...settled)
    }
  }
  return Array.from(byHost, ([hostname, ofHost]) => {
    const sorted = inOrder(ofHost)
    const { namespace, name } = listener.owner.metadata
    problems.push(...overlaps(sorted, `listener ${listener.spec.name} of Gateway ${namespace}/${name} for ${hostname}`))
    return { hostname, rules: sorted.map(({ rule }) => rule) }
  }).toSorted((a, b) => (a.hostname < b.hostname ? -1 : 1))
}

/** Those that listeners use. */
function certificatesOf(
  gateways: readonly Gateway[],
  { entries }: InventorySnapshot,
): ReadonlyMap<string, Certificate> {
  const names = new Set(
    gateways.flatMap(({ listeners, streams }) =>
      [...listeners, ...streams].flatMap(({ certificates }) => certificates),
    ),
  )
  const found = Array.from(names)
    .toSorted()
    .flatMap((name): readonly (readonly [string, Certificate])[] => {
      const [namespace = '', secret = ''] = name.split('/')
      const resource = entries.get(keyText({ kind: 'Secret', namespace, name: secret }))?.resource
      const certificate = resource?.kind === 'Secret' ? readSecret(resource) : undefined
      return certificate === undefined || typeof certificate === 'string' ? [] : [[name, certificate]]
    })
  return new Map(found)
}
