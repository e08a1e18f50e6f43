import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Address } from '../../base/address.ts'
import { isHttp, isUdp } from '../../base/app-protocol.ts'
import { Cluster_DiscoveryType, type ClusterSchema } from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { TrafficDirection } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import type { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import type {
  RouteMatchSchema,
  RouteSchema,
  VirtualHostSchema,
} from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import { passthroughCluster, servicePortName, upstreamFaultHeader } from '../../xds/names.ts'
import type { MeshSettings, Model, Origin, RouteRule, Service, ServicePort, StreamHost } from '../model/model.ts'
import { defaultConnectTimeoutMs } from './traffic.ts'
import { corsByRoute } from './cors.ts'
import { hostsOfServices } from './envoy-names.ts'
import { byMethod } from './envoy-retries.ts'
import { nameSplitName, nameSplitOf, tunnelName } from './envoy-streams.ts'
import { faultsByRoute } from './faults.ts'
import { sessionsByRoute } from './sessions.ts'
import { renderHttp } from './http-manager.ts'
import { outboundListenerName, outside } from './outbound-listener.ts'
import { resolveAuthority } from './resolve-authority.ts'
import { duration, socketAddress, weft } from './parts.ts'
import { calledAs, narrowestLast, renderHost } from './routes.ts'
import { streamsFor, weightedClusters } from './service-streams.ts'
import type { CallTracing } from './tracing.ts'

type Route = MessageInitShape<typeof RouteSchema>
type VirtualHost = MessageInitShape<typeof VirtualHostSchema>

/** The route configuration of an Envoy with all services that its program may call. */
export const envoyTableName: string = outboundListenerName(undefined)

/** Takes the calls of a program beside Envoy, in absolute form and by CONNECT. Its routes are all routes that there are. */
export const renderEnvoyOutbound = (
  address: Address,
  mesh: MeshSettings,
  tracing: CallTracing | undefined,
): MessageInitShape<typeof ListenerSchema> => ({
  name: outboundListenerName(undefined),
  address: socketAddress(address),
  trafficDirection: TrafficDirection.OUTBOUND,
  filterChains: [{ name: 'explicit', filters: [httpOf(outboundListenerName(undefined), { ...mesh, tracing }, true)] }],
  metadata: weft(mesh.origin),
})

/** Speaks HTTP inside of tunnels, of either version. */
export const renderEnvoyTunnel = (
  mesh: MeshSettings,
  tracing: CallTracing | undefined,
): MessageInitShape<typeof ListenerSchema> => ({
  name: tunnelName,
  listenerSpecifier: { case: 'internalListener', value: {} },
  trafficDirection: TrafficDirection.OUTBOUND,
  filterChains: [{ name: 'tunnel', filters: [httpOf(tunnelName, { ...mesh, tracing }, false)] }],
  metadata: weft(mesh.origin),
})

const httpOf = (
  statPrefix: string,
  { accessLog, tracing }: { readonly accessLog: boolean; readonly tracing: CallTracing | undefined },
  tunnels: boolean,
): ReturnType<typeof renderHttp> =>
  renderHttp({
    statPrefix,
    accessLog,
    tracing,
    tunnels,
    filters: [corsByRoute, faultsByRoute, sessionsByRoute, resolveAuthority],
    routes: envoyTableName,
  })

/** The way from a tunnel's end to the listener inside that has the same name. */
export const renderTunnelCluster = (name: string): MessageInitShape<typeof ClusterSchema> => ({
  name,
  clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
  connectTimeout: duration(defaultConnectTimeoutMs),
  loadAssignment: {
    clusterName: name,
    endpoints: [
      {
        lbEndpoints: [
          {
            hostIdentifier: {
              case: 'endpoint',
              value: {
                address: {
                  address: {
                    case: 'envoyInternalAddress',
                    value: { addressNameSpecifier: { case: 'serverListenerName', value: name } },
                  },
                },
              },
            },
          },
        ],
      },
    ],
  },
})

/** One port as callers of a namespace have it. */
export interface NamedPort {
  readonly service: Service
  readonly port: ServicePort
  readonly rules: readonly RouteRule[]
  /** Of raw TCP, where routes are for it. */
  readonly streams: readonly StreamHost[] | undefined
  /** They are looked into for a TLS server name. */
  readonly byServerName: boolean
  /** Without ports; unique in the table. */
  readonly hosts: readonly string[]
}

/** Every port of every service, with its routes for callers of `ownNamespace`. */
export const namedPorts = (model: Model, ownNamespace: string): readonly NamedPort[] =>
  Array.from(hostsOfServices(model, ownNamespace), ([service, hosts]) =>
    service.ports.map((port) => ({
      service,
      port,
      hosts,
      rules: port.consumerRules?.get(ownNamespace) ?? port.rules,
      streams: streamsFor(port, ownNamespace),
      byServerName: nameSplitOf(service, port, ownNamespace) !== undefined,
    })),
  ).flat()

/** The routes of all services by their names and ports, and behind them the rest of the world. */
export function renderEnvoyTable(
  ports: readonly NamedPort[],
  mesh: MeshSettings,
): MessageInitShape<typeof RouteConfigurationSchema> {
  // Datagrams come by no tunnel.
  const connected = ports.filter(({ port }) => !isUdp(port.protocol))
  const hosts = connected.map((one) => ({ ...one, rules: one.rules.flatMap(byMethod) }))
  return {
    name: envoyTableName,
    virtualHosts: [
      ...hosts.map((one) => (isHttp(one.port.protocol) ? httpHost(one) : tcpHost(one))),
      ...Array.from(
        Map.groupBy(ports, ({ service }) => service),
        ([service, own]) => wrongPort(service, own),
      ).flat(),
      { name: 'outside', domains: ['*'], routes: [tunnelOutside(mesh), outside(mesh)] },
    ],
    validateClusters: false,
    ...narrowestLast(hosts),
    metadata: weft(mesh.origin),
  }
}

/** Its names with the port; without it the port that HTTP means. */
const domainsOf = ({ hosts, port: { port } }: NamedPort): string[] =>
  hosts.flatMap((host) => [`${host}:${port}`, ...(port === 80 ? [host] : [])])

function httpHost(one: NamedPort): VirtualHost {
  const { service, port, rules } = one
  const name = servicePortName(service.namespace, service.name, port.port)
  const host = renderHost(
    { name, domains: domainsOf(one), rules, origin: port.origin },
    { ...calledAs(port), bare: true },
  )
  return {
    ...host,
    routes: [tunnelTo(tunnelName), ...host.routes],
    // Between proxies only.
    responseHeadersToRemove: [upstreamFaultHeader],
  }
}

/** Raw bytes go through tunnels only, and by their routes. */
function tcpHost(one: NamedPort): VirtualHost {
  const { service, port, streams, byServerName } = one
  const name = servicePortName(service.namespace, service.name, port.port)
  const sentence = `port ${port.port} of ${service.namespace}/${service.name} speaks raw TCP: ask for a tunnel (CONNECT)`
  const [whole] = streams ?? []
  const tunnel = byServerName
    ? tunnelTo(nameSplitName(service, port))
    : whole === undefined
      ? tunnelTo(name)
      : tunnelTo(weightedClusters(whole.split.backends), whole.split.origin)
  return { name, domains: domainsOf(one), routes: [tunnel, refusal(sentence)], metadata: weft(port.origin) }
}

/** A host of the mesh is never looked for outside because of a port that it lacks; one that is outside is there with all its ports. */
function wrongPort({ namespace, name, external, origin }: Service, ports: readonly NamedPort[]): VirtualHost[] {
  const [first] = ports
  if (external !== undefined || first === undefined) return []
  const offered = ports.filter(({ port }) => !isUdp(port.protocol)).map(({ port }) => port.port)
  const known = offered.length === 0 ? 'it takes datagrams only' : `it has ${offered.join(', ')}`
  const sentence = `service ${namespace}/${name} has no such port; ${known}`
  return [
    {
      name: `${namespace}/${name}/no-such-port`,
      domains: first.hosts.flatMap((host) => [`${host}:*`, ...(offered.includes(80) ? [] : [host])]),
      routes: [refusal(sentence, connect), refusal(sentence)],
      metadata: weft(origin),
    },
  ]
}

type Match = MessageInitShape<typeof RouteMatchSchema>
const connect: Match = { pathSpecifier: { case: 'connectMatcher', value: {} } }
const any: Match = { pathSpecifier: { case: 'prefix', value: '/' } }

const refusal = (sentence: string, match: Match = any): Route => ({
  name: 'refused',
  match,
  action: {
    case: 'directResponse',
    value: { status: 502, body: { specifier: { case: 'inlineString', value: `${sentence}\n` } } },
  },
})

/** Ends the tunnel here: its bytes go to the cluster, or to one of several. */
const tunnelTo = (cluster: string | ReturnType<typeof weightedClusters>, origin?: Origin): Route => ({
  name: 'tunnel',
  match: connect,
  ...(origin && { metadata: weft(origin) }),
  action: {
    case: 'route',
    value: {
      clusterSpecifier: typeof cluster === 'string' ? { case: 'cluster', value: cluster } : cluster,
      timeout: duration(0),
      idleTimeout: duration(0),
      upgradeConfigs: [{ upgradeType: 'CONNECT', connectConfig: {} }],
    },
  },
})

const tunnelOutside = (mesh: MeshSettings): Route =>
  mesh.outboundTraffic === 'allow-any' ? tunnelTo(passthroughCluster) : outside(mesh, connect)
