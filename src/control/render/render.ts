import { isHttp } from '../../base/app-protocol.ts'
import { formatLocality } from '../../base/locality.ts'
import { ClusterSchema } from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import { SecretSchema } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { ServiceEntrySchema } from '../../xds/gen/weft/discovery/v1/name_table_pb.ts'
import {
  parseServicePortName,
  passthroughCluster,
  servicePortName,
  systemTrustSecret,
  trustBundleSecret,
} from '../../xds/names.ts'
import type { XdsType } from '../../xds/type-urls.ts'
import type { Locality, Model, Service, ServicePort, Workload } from '../model/model.ts'
import {
  hopOf,
  inboundClusterName,
  parseInboundClusterName,
  renderExternalCluster,
  renderInboundCluster,
  renderPassthroughCluster,
  renderServiceCluster,
} from './clusters.ts'
import { throughEgress, type CalledPort } from './egress.ts'
import { healthyWorkloads, renderEndpoints } from './endpoints.ts'
import { reserveEndpoints, reserveOf, withReserve } from './failover.ts'
import { envoyTableName, namedPorts, renderEnvoyTable, renderTunnelCluster } from './envoy-outbound.ts'
import { findNameSplit, nameSplits, tunnelName } from './envoy-streams.ts'
import { gatewayResources, type GatewayResources } from './gateway-resources.ts'
import { inboundListenerName } from './inbound-listener.ts'
import { renderServiceEntry, serviceEntryName } from './names.ts'
import { outboundListenerName } from './outbound-listener.ts'
import { createResourceCache, type RenderedResource, type ResourceCache } from './resource-cache.ts'
import { renderRoutes } from './routes.ts'
import { hasStreams, renderStreams } from './service-streams.ts'
import { renderTrust } from './secrets.ts'
import { sidecarListener } from './sidecar-listeners.ts'

export type { RenderedResource } from './resource-cache.ts'

/** Who asks. A foreign proxy (Envoy) holds everything that it might use; ours asks for services by name. */
export interface Proxy {
  readonly workload: Workload
  readonly kind: 'weft' | 'foreign'
}

/** All xDS resources that one state of the mesh gives, made when they are first asked for. Good until the next `render`. */
export interface Rendering {
  readonly model: Model
  /** The names that `*` stands for, for this proxy and type: sorted, every one with a resource. */
  wildcard(type: XdsType, proxy: Proxy): readonly string[]
  /** Undefined: there is no such resource for this proxy. */
  resource(type: XdsType, name: string, proxy: Proxy): RenderedResource | undefined
  /** Equal for two renderings whose whole name table is the same: spares every proxy the comparison of every name. */
  namesVersion(): string
}

/** Turns models into resources and remembers the last ones, so that what did not change is not encoded again. */
export interface Renderer {
  render(model: Model, trustBundlePem: string): Rendering
  /** Resources encoded since the start: tells what a change cost. */
  readonly encoded: number
}

/** One for all proxies: what they share is encoded once. `systemTrustPem`: whom this machine believes; asked when a proxy asks. */
export function createRenderer(systemTrustPem: () => string = () => ''): Renderer {
  const cache = createResourceCache()
  return {
    render(model, trustBundlePem) {
      cache.turn()
      return rendering(model, { [trustBundleSecret]: () => trustBundlePem, [systemTrustSecret]: systemTrustPem }, cache)
    },
    get encoded() {
      return cache.encoded
    },
  }
}

/** PEM by the name of the secret. */
type Trust = Readonly<Record<string, () => string>>

function rendering(model: Model, trust: Trust, cache: ResourceCache): Rendering {
  const all = allNames(model)
  const namesVersion = once(() =>
    all
      .services()
      .map((name) => serviceEntry(name, model, cache)?.version)
      .join(' '),
  )
  const gateways = new WeakMap<Workload, GatewayResources>()
  const gatewayOf = ({ workload }: Proxy): GatewayResources => {
    let known = gateways.get(workload)
    if (known === undefined) gateways.set(workload, (known = gatewayResources(workload, model, cache)))
    return known
  }
  return {
    model,
    namesVersion,
    wildcard: (type, proxy) => wildcard(type, proxy, { model, all, gateway: gatewayOf(proxy) }),
    resource(type, name, proxy) {
      switch (type) {
        case 'LDS':
          return gatewayOf(proxy).listener(name) ?? sidecarListener(name, proxy.workload, model, cache)
        case 'CDS':
          return cluster(name, proxy, model, cache)
        case 'RDS':
          return (
            gatewayOf(proxy).table(name) ?? envoyTable(name, proxy, model, cache) ?? routes(name, proxy, model, cache)
          )
        case 'EDS':
          return endpoints(name, proxy, model, cache)
        case 'SDS':
          return trustSecret(name, trust, cache) ?? gatewayOf(proxy).secret(name)
        case 'NDS':
          return serviceEntry(name, model, cache)
      }
    },
  }
}

function trustSecret(name: string, trust: Trust, cache: ResourceCache): RenderedResource | undefined {
  const pem = Object.hasOwn(trust, name) ? trust[name]?.() : undefined
  if (pem === undefined) return undefined
  return cache.get(`SDS ${name}`, name, [pem], SecretSchema, () => renderTrust(name, pem))
}

/** All routes of the callers of one namespace, for an Envoy. */
function envoyTable(
  name: string,
  { workload: { proxy, namespace } }: Proxy,
  model: Model,
  cache: ResourceCache,
): RenderedResource | undefined {
  if (proxy !== 'envoy' || name !== envoyTableName) return undefined
  const ports = namedPorts(model, namespace)
  const inputs = ports.flatMap(({ service, port, rules, streams, hosts }) => [
    rules,
    streams,
    hosts,
    port.port,
    port.protocol,
    port.origin,
    service.external === undefined,
  ])
  return cache.get(`RDS ${name} for ${namespace}`, name, [model.mesh, ...inputs], RouteConfigurationSchema, () =>
    renderEnvoyTable(ports, model.mesh),
  )
}

/** Callers of a namespace that has routes of its own for this port get those. */
function routes(name: string, { workload }: Proxy, model: Model, cache: ResourceCache): RenderedResource | undefined {
  return ofPort(name, model, ({ service, port }) => {
    if (!isHttp(port.protocol)) {
      if (!hasStreams(port)) return undefined
      const callers = port.consumerStreams?.has(workload.namespace) ? workload.namespace : ''
      const { streams, consumerStreams, origin } = port
      return cache.get(
        `RDS ${name} for ${callers}`,
        name,
        [streams, consumerStreams?.get(callers), origin],
        RouteConfigurationSchema,
        () => renderStreams(service, port, callers),
      )
    }
    const own = port.consumerRules?.get(workload.namespace)
    const rules = own ?? port.rules
    const key = own === undefined ? `RDS ${name}` : `RDS ${name} for ${workload.namespace}`
    return cache.get(key, name, [rules, port.protocol, port.origin], RouteConfigurationSchema, () =>
      renderRoutes(service, { ...port, rules }),
    )
  })
}

function endpoints(
  name: string,
  { workload }: Proxy,
  model: Model,
  cache: ResourceCache,
): RenderedResource | undefined {
  return ofPort(name, model, (found) => {
    const { service, port } = throughEgress(found, workload)
    if (byDns(service)) return undefined
    const caller = placeOf(workload, port)
    const reserve = reserveEndpoints(port, reserveOf(port, model))
    return cache.get(
      `EDS ${name}${fromPlace(caller)}${through(found, service)}`,
      name,
      [port.endpoints, port.traffic?.locality, caller, reserve],
      ClusterLoadAssignmentSchema,
      () => renderEndpoints(service, port, caller, reserve),
      () => healthyWorkloads([...port.endpoints, ...reserve]),
    )
  })
}

/** Where the caller is, if endpoints are different from there: callers of one place share what they get. */
const placeOf = ({ locality }: Workload, { traffic }: ServicePort): Locality | undefined =>
  traffic?.locality ? locality : undefined
const fromPlace = (place: Locality | undefined): string => (place === undefined ? '' : ` from ${formatLocality(place)}`)

function cluster(name: string, { workload }: Proxy, model: Model, cache: ResourceCache): RenderedResource | undefined {
  if (name === passthroughCluster) {
    if (model.mesh.outboundTraffic !== 'allow-any') return undefined
    return cache.get(`CDS ${name}`, name, [], ClusterSchema, renderPassthroughCluster)
  }
  if (name === tunnelName || name.startsWith(`${tunnelName}/`)) {
    if (workload.proxy !== 'envoy') return undefined
    if (name !== tunnelName && findNameSplit(name, model, workload.namespace) === undefined) return undefined
    return cache.get(`CDS ${name}`, name, [], ClusterSchema, () => renderTunnelCluster(name))
  }
  const program = parseInboundClusterName(name)
  if (program !== undefined) {
    if (!workload.inbound.some((port) => inboundClusterName(port) === name)) return undefined
    return cache.get(`CDS ${name}`, name, [], ClusterSchema, () => renderInboundCluster(name, program))
  }
  return ofPort(name, model, (found) => {
    const { service, port } = throughEgress(found, workload)
    const place = byDns(service) ? placeOf(workload, port) : undefined
    const shown = port.tls && workload.gateway && model.gateways.get(workload.gateway.gateway)?.clientCertificate
    const caller = { place, shown }
    const whole = withReserve(port, reserveOf(port, model))
    return cache.get(
      `CDS ${name}${fromPlace(place)}${shown === undefined ? '' : ` as ${shown}`}${through(found, service)}`,
      name,
      // Not the endpoints, unless they are in it: they come and go without a change of the cluster, unless the hop becomes another.
      [
        hopOf(whole),
        service.external,
        byDns(service) ? port.endpoints : undefined,
        caller,
        port.tls,
        whole.identities,
        port.loadBalancing,
        port.traffic,
        port.origin,
      ],
      ClusterSchema,
      () =>
        service.external === undefined
          ? renderServiceCluster(service, whole, caller)
          : renderExternalCluster(service, whole, caller),
    )
  })
}

/** Callers through a gateway share what they get, and the gateway has its own. */
const through = (found: CalledPort, service: Service): string => (found.service === service ? '' : ' through a gateway')

/** Its endpoints are in the cluster, by name. */
const byDns = ({ external }: Service): boolean => external?.resolution === 'dns'

function serviceEntry(name: string, model: Model, cache: ResourceCache): RenderedResource | undefined {
  const service = model.services.get(name)
  if (service === undefined || serviceEntryName(service) !== name) return undefined
  const virtualIp = model.virtualIps.get(name)
  const ports = service.ports.flatMap((one) => [one.port, one.protocol, one.name, hasStreams(one)])
  return cache.get(`NDS ${name}`, name, [virtualIp, service.external, ...ports], ServiceEntrySchema, () =>
    renderServiceEntry(service, virtualIp),
  )
}

function findPort(model: Model, name: string): CalledPort | undefined {
  const parsed = parseServicePortName(name)
  const service = parsed && model.services.get(`${parsed.namespace}/${parsed.service}`)
  const port = service?.ports.find((one) => one.port === parsed?.port)
  // Only the name as we write it: "default/web/080" is none of ours.
  if (service === undefined || port === undefined) return undefined
  return servicePortName(service.namespace, service.name, port.port) === name ? { service, port } : undefined
}

const ofPort = (
  name: string,
  model: Model,
  render: (found: CalledPort) => RenderedResource | undefined,
): RenderedResource | undefined => {
  const found = findPort(model, name)
  return found === undefined ? undefined : render(found)
}

function wildcard(
  type: XdsType,
  { workload, kind }: Proxy,
  { model, all, gateway }: { readonly model: Model; readonly all: AllNames; readonly gateway: GatewayResources },
): readonly string[] {
  const foreign = kind === 'foreign'
  switch (type) {
    case 'LDS':
      return [
        ...workload.inbound.map(inboundListenerName),
        ...gateway.listeners,
        ...(workload.outbound === undefined ? [] : [outboundListenerName(workload.capture)]),
        ...tunnels(workload, model),
      ].toSorted()
    case 'CDS': {
      const own = new Set(workload.inbound.map(inboundClusterName))
      if (model.mesh.outboundTraffic === 'allow-any' && workload.gateway === undefined) own.add(passthroughCluster)
      for (const name of tunnels(workload, model)) own.add(name)
      return [...own, ...(foreign ? all.ports() : [])].toSorted()
    }
    case 'RDS':
      // An Envoy of ours has all of them in one.
      if (workload.proxy === 'envoy') return takesTunnels(workload) ? [envoyTableName] : []
      return foreign ? [...gateway.tables, ...all.routed()].toSorted() : []
    case 'EDS':
      return foreign ? all.assignments() : []
    case 'SDS':
      return foreign ? [...gateway.secrets, trustBundleSecret].toSorted() : [trustBundleSecret]
    case 'NDS':
      return all.services()
  }
}

const tunnels = (workload: Workload, model: Model): readonly string[] =>
  takesTunnels(workload) ? [tunnelName, ...nameSplits(model, workload.namespace)] : []

const takesTunnels = ({ proxy, outbound }: Workload): boolean => proxy === 'envoy' && outbound !== undefined

/** Names of everything in a model; each list is made once, when it is first needed. */
interface AllNames {
  services(): readonly string[]
  ports(): readonly string[]
  /** Ports whose endpoints come by EDS. */
  assignments(): readonly string[]
  /** Ports that have a route configuration. */
  routed(): readonly string[]
}

function allNames(model: Model): AllNames {
  const portNames = (wanted: (port: ServicePort, service: Service) => boolean): readonly string[] =>
    [...model.services.values()]
      .flatMap((service) =>
        service.ports
          .filter((port) => wanted(port, service))
          .map(({ port }) => servicePortName(service.namespace, service.name, port)),
      )
      .toSorted()
  return {
    services: once(() => [...model.services.values()].map(serviceEntryName).toSorted()),
    ports: once(() => portNames(() => true)),
    assignments: once(() => portNames((_port, service) => !byDns(service) || service.external?.egress !== undefined)),
    routed: once(() => portNames((port) => isHttp(port.protocol) || hasStreams(port))),
  }
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}
