import type { Problem } from '../../base/problem.ts'
import { namesListeners } from '../decode/parent-ref.ts'
import { formatKey, keyText, type ResourceKey } from '../decode/resource.ts'
import type {
  AnyRouteResource as AnyRoute,
  ResourceOf,
  RouteResource as Route,
  StreamRouteResource as StreamRoute,
} from '../decode/resource-types.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { Certificate, Gateway, GatewayListener, StreamListener } from '../model/model.ts'
import { attach } from './attach-routes.ts'
import { datagramProblems } from './datagram-policies.ts'
import { clientCertificate, readSecret } from './gateway-certificates.ts'
import { isOurGateway } from './gateway-classes.ts'
import { isAt, linkAddresses, linkListeners, type Listener } from './gateway-listeners.ts'
import { coversHost } from './hostnames.ts'
import { withLimits } from './link-rate-limits.ts'
import { inOrder, type Attaching } from './link-rules.ts'
import { streamHosts } from './link-streams.ts'
import type { NamedRule } from './named-rule.ts'
import { mergeRecovery } from './merge-settings.ts'
import { linkListenerSets, parentRefused } from './listener-sets.ts'
import { conditionAt, nameOf, originOf, problemAt, type Linked } from './linked.ts'

/** What gateways serve, and with which certificates. */
export interface LinkedGateways {
  readonly gateways: ReadonlyMap<string, Gateway>
  readonly certificates: ReadonlyMap<string, Certificate>
}

/** Every Gateway of our class with its routes; what cannot be served is left out, and is a problem. */
export function linkGateways(attaching: Attaching): Linked<LinkedGateways> {
  const { snapshot, rules, streams } = attaching
  const problems: Problem[] = []
  const listenersOf = new Map<ResourceOf<'Gateway'>, readonly Listener[]>()
  const sets = linkListenerSets(snapshot)
  problems.push(...sets.problems)
  const ours = resourcesOf(snapshot, 'Gateway').filter((gateway) => {
    const served = isOurGateway(gateway, snapshot)
    if (served === undefined) {
      const message = `there is no GatewayClass ${gateway.spec.gatewayClassName}, so nobody serves this; write gatewayClassName: weft`
      problems.push(problemAt(gateway, 'spec.gatewayClassName', message))
    }
    return served === true
  })
  for (const gateway of ours) {
    const listeners = linkListeners(gateway, sets.value.get(gateway) ?? [], snapshot)
    problems.push(...listeners.problems)
    listenersOf.set(gateway, listeners.value)
  }
  const byOwner = Map.groupBy([...listenersOf.values()].flat(), ({ owner }) => nameOf(owner))
  const attached = attachRoutes([...rules.keys(), ...streams.keys()], byOwner, snapshot, problems)
  const gateways = ours.map((gateway) => {
    const there = { listeners: listenersOf.get(gateway) ?? [], sets: sets.value.get(gateway) ?? [] }
    const linked = linkGateway(gateway, there, attached, attaching)
    problems.push(...linked.problems)
    return linked.value
  })
  const byName = new Map(gateways.map((one) => [`${one.namespace}/${one.name}`, one]))
  problems.push(...datagramProblems(byName, snapshot))
  return { value: { gateways: byName, certificates: certificatesOf(gateways, snapshot) }, problems }
}

/** The routes at a listener, oldest first, each with the hosts that it has there. */
interface There {
  readonly calls: Map<Route, readonly string[]>
  readonly streams: Map<StreamRoute, readonly string[]>
}
type Attached = ReadonlyMap<Listener, There>

function attachRoutes(
  routes: readonly AnyRoute[],
  byOwner: ReadonlyMap<string, readonly Listener[]>,
  snapshot: InventorySnapshot,
  problems: Problem[],
): Attached {
  const attached = new Map<Listener, There>()
  for (const route of routes) {
    route.spec.parentRefs.forEach((ref, index) => {
      const { kind, namespace = route.metadata.namespace, name } = ref
      if (!namesListeners(kind)) return
      const listeners = byOwner.get(formatKey({ kind, namespace, name }))
      const field = `spec.parentRefs[${index}]`
      const found = listeners && attach(route, { ref, field }, listeners, snapshot)
      if (found === undefined) problems.push(notServed(route, field, { kind, namespace, name }, snapshot))
      else if ('severity' in found) problems.push(found)
      else
        for (const { listener, hostnames } of found) {
          let there = attached.get(listener)
          if (there === undefined) attached.set(listener, (there = { calls: new Map(), streams: new Map() }))
          if (route.kind === 'HTTPRoute' || route.kind === 'GRPCRoute') there.calls.set(route, hostnames)
          else there.streams.set(route, hostnames)
        }
    })
  }
  return attached
}

function notServed(route: AnyRoute, field: string, parent: ResourceKey, { entries }: InventorySnapshot): Problem {
  const said = formatKey(parent)
  const what = entries.has(keyText(parent)) ? `${said} is not served by this mesh` : `there is no ${said}`
  const message = `${what}, so the route has no effect there`
  return conditionAt(route, `${field}.name`, { type: 'Accepted', reason: 'NoMatchingParent' }, message)
}

function linkGateway(
  gateway: ResourceOf<'Gateway'>,
  { listeners, sets }: { readonly listeners: readonly Listener[]; readonly sets: readonly ResourceOf<'ListenerSet'>[] },
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
  if (problems.length > 0) problems.push(...sets.map((set) => parentRefused(set, gateway)))
  const serving = problems.length > 0 ? [] : listeners.filter(({ serves }) => serves)
  const { namespace, name } = gateway.metadata
  const shown = clientCertificate(gateway, attaching.snapshot)
  problems.push(...shown.problems)
  const value: Gateway = {
    namespace,
    name,
    addresses: addresses.value,
    ...(shown.value !== undefined && { clientCertificate: shown.value }),
    listeners: serving.flatMap((one): GatewayListener[] => {
      const { protocol } = one
      if (protocol !== 'http' && protocol !== 'https') return []
      const hosts = hostsOf(one, { gateway, all: serving }, attached.get(one)?.calls, attaching, problems)
      return [{ ...linkListener(one), protocol, hosts }]
    }),
    streams: serving.flatMap((one): StreamListener[] => {
      const { protocol } = one
      if (protocol !== 'tls' && protocol !== 'tcp' && protocol !== 'udp') return []
      const narrower = narrowerThan(one, serving).map(({ hostname }) => hostname)
      const hosts = streamHosts(
        `listener ${one.name}`,
        narrower,
        attached.get(one)?.streams ?? new Map(),
        attaching.streams,
      )
      problems.push(...hosts.problems)
      return [{ ...linkListener(one), protocol, hosts: hosts.value }]
    }),
    mesh: serving
      .filter(({ protocol }) => protocol === 'mesh')
      .map(({ name, spec, owner, field }) => ({ name, port: spec.port, origin: originOf(owner, field) })),
    attachments: new Map(listeners.map((one) => [one.name, { kinds: one.kinds, routes: countOf(attached.get(one)) }])),
    listenerSets: sets
      .filter((set) => serving.some(({ owner }) => owner === set))
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
    origin: originOf(gateway, 'spec'),
  }
  return { value, problems }
}

const linkListener = ({
  name,
  owner,
  spec,
  field,
  hostname,
  certificates,
  clients,
}: Listener): Omit<GatewayListener, 'protocol' | 'hosts'> => ({
  name,
  port: spec.port,
  hostname,
  certificates,
  ...(typeof clients === 'object' && { clients }),
  origin: originOf(owner, field),
})

/** An older route may leave one without effect, but attached it is. */
const countOf = (there: There | undefined): number => (there === undefined ? 0 : there.calls.size + there.streams.size)

/** Of the same port, for some of its hosts. */
const narrowerThan = (listener: Listener, all: readonly Listener[]): readonly Listener[] =>
  all.filter(
    (other) =>
      other !== listener &&
      isAt(other, { port: listener.spec.port, udp: listener.protocol === 'udp' }) &&
      coversHost(listener.hostname, other.hostname),
  )

/**
 * The routes of a listener by host. What a narrower listener of the same port is for stays with that one, whatever the routes here
 * say. Source: Gateway API, Listener, "Listener isolation".
 */
function hostsOf(
  listener: Listener,
  { gateway, all }: { readonly gateway: ResourceOf<'Gateway'>; readonly all: readonly Listener[] },
  routes: There['calls'] | undefined,
  { rules, policies, limiters, overlaps }: Attaching,
  problems: Problem[],
): GatewayListener['hosts'] {
  const narrower = narrowerThan(listener, all)
  const byHost = new Map<string, NamedRule[]>()
  const ofGateway = policies.ofGateway(gateway, listener.owner === gateway ? listener.spec.name : undefined)
  const wide = [...ofGateway, ...policies.ofNamespace(listener.owner.metadata.namespace)]
  for (const [route, hostnames] of routes ?? []) {
    const settled = (rules.get(route) ?? []).map((one) => {
      const ofRule = policies.ofRule(route, one.name)
      const rule = mergeRecovery(one.rule, [...ofRule, ...wide], policies.ofPort)
      return { ...one, rule: withLimits(rule, [...ofRule, ...ofGateway], limiters) }
    })
    for (const host of hostnames) {
      if (narrower.some((other) => coversHost(other.hostname, host))) continue
      let there = byHost.get(host)
      if (there === undefined) byHost.set(host, (there = []))
      there.push(...settled)
    }
  }
  return Array.from(byHost, ([hostname, ofHost]) => {
    const sorted = inOrder(ofHost)
    problems.push(...overlaps(sorted, `listener ${listener.spec.name} of ${nameOf(listener.owner)} for ${hostname}`))
    return { hostname, rules: sorted.map(({ rule }) => rule) }
  }).toSorted((a, b) => (a.hostname < b.hostname ? -1 : 1))
}

/** Those that gateways show, to clients and to backends. */
function certificatesOf(
  gateways: readonly Gateway[],
  { entries }: InventorySnapshot,
): ReadonlyMap<string, Certificate> {
  const names = new Set(
    gateways.flatMap(({ listeners, streams, clientCertificate: shown = [] }) => [
      ...[...listeners, ...streams].flatMap(({ certificates }) => certificates),
      ...[shown].flat(),
    ]),
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
