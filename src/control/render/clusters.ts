import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { isHttp, isHttp2 } from '../../base/app-protocol.ts'
import {
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  Cluster_LbPolicy,
  type Cluster_TransportSocketMatchSchema,
  type ClusterSchema,
} from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterConfigSchema } from '../../xds/gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.ts'
import { HttpProtocolOptionsSchema } from '../../xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import { RawBufferSchema } from '../../xds/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts'
import { mtlsTransport, passthroughCluster, programClusters, servicePortName } from '../../xds/names.ts'
import type { InboundPort, Locality, Service, ServicePort, SettingOrigins, Traffic } from '../model/model.ts'
import { egressServerName } from './egress.ts'
import { meshEndpointMatch, renderEndpoints } from './endpoints.ts'
import { duration, overAds, settingsJson, socketAddress, typed, weft } from './parts.ts'
import { dnsCache } from './resolve-authority.ts'
import { renderHealthCheck } from './health-checks.ts'
import { renderLoadBalancing } from './load-balancing.ts'
import { defaultConnectTimeoutMs, renderConnections, renderTraffic } from './traffic.ts'
import { renderBackendTls, renderUpstreamTls, tlsTransportSocket, type Hop } from './tls.ts'

type Cluster = MessageInitShape<typeof ClusterSchema>
type TransportMatch = MessageInitShape<typeof Cluster_TransportSocketMatchSchema>

/**
 * HTTP/2 where the programs speak it, and where every endpoint has a sidecar, so that a few connections carry all calls. Else, with
 * an endpoint outside the mesh, the program's own HTTP/1.1: one cluster speaks one protocol (Envoy refuses `auto_config` beside plain
 * text).
 */
export function hopOf({ protocol, endpoints, tls }: ServicePort): Hop {
  if (!isHttp(protocol)) return 'tcp'
  return isHttp2(protocol) || (tls === undefined && endpoints.every(({ mtls }) => mtls)) ? 'h2' : 'http/1.1'
}

/** How the hop is spoken, and how long it may lie idle; nothing where Envoy's own defaults hold. */
function renderHop(http2: boolean, traffic: Partial<Traffic> = {}): Pick<Cluster, 'typedExtensionProtocolOptions'> {
  const common = renderConnections(traffic)
  if (!http2 && common === undefined) return {}
  const options: MessageInitShape<typeof HttpProtocolOptionsSchema> = {
    ...(common && { commonHttpProtocolOptions: common }),
    upstreamProtocolOptions: {
      case: 'explicitHttpConfig',
      value: {
        protocolConfig: http2
          ? // Extended CONNECT carries WebSockets (RFC 8441).
            { case: 'http2ProtocolOptions', value: { allowConnect: true } }
          : { case: 'httpProtocolOptions', value: {} },
      },
    },
  }
  return {
    typedExtensionProtocolOptions: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': typed(HttpProtocolOptionsSchema, options),
    },
  }
}

/** What a cluster has of who calls. */
export interface Caller {
  /** Where endpoints are nearer or farther. */
  readonly place: Locality | undefined
  /** Of a Gateway: its certificate for backends that ask for one. */
  readonly shown: string | undefined
}

/** One port of a service as its clients see it; the endpoints come by EDS under the same name. */
export const renderServiceCluster = (service: Service, port: ServicePort, caller: Caller): Cluster =>
  balancedCluster(service, port, {
    ...caller,
    source: byEds(servicePortName(service.namespace, service.name, port.port)),
    transports: [meshTransport(service, port)],
  })

/** One port of a service outside of the mesh: to its endpoints, by address or by name, or to where the call was going. */
export function renderExternalCluster(service: Service, port: ServicePort, caller: Caller): Cluster {
  const name = servicePortName(service.namespace, service.name, port.port)
  // A policy that wants TLS there is a mistake; until it is mended nothing is said in plain text.
  if (service.external?.resolution === 'none' && port.tls === undefined) return forwardCluster(name, port)
  return balancedCluster(service, port, {
    ...caller,
    source: service.external?.resolution === 'dns' ? byName(service, port, caller.place) : byEds(name),
    // With those of the mesh in reserve.
    transports: port.identities.length === 0 ? [] : [meshTransport(service, port)],
  })
}

/** Where a cluster's endpoints come from. */
type Source = Pick<Cluster, 'clusterDiscoveryType' | 'edsClusterConfig' | 'dnsLookupFamily' | 'loadAssignment'>

function balancedCluster(
  service: Service,
  port: ServicePort,
  { source, transports, shown }: Caller & { readonly source: Source; readonly transports: TransportMatch[] },
): Cluster {
  const name = servicePortName(service.namespace, service.name, port.port)
  const { healthChecks } = port.traffic ?? {}
  const byLatency = port.loadBalancing === 'peak-ewma' && isHttp(port.protocol)
  return {
    name,
    ...source,
    ...renderLoadBalancing(port.loadBalancing, port.traffic),
    ...renderTraffic(port.traffic),
    ...renderHop(hopOf(port) === 'h2', port.traffic),
    ...(healthChecks && {
      healthChecks: [renderHealthCheck(healthChecks, { host: hostOf(service), http2: hopOf(port) === 'h2' })],
    }),
    transportSocketMatches: transports,
    transportSocket: port.tls === undefined ? plainText : tlsSocket(renderBackendTls(hopOf(port), port.tls, shown)),
    metadata: weft(port.origin, {
      ...(byLatency ? { load_balancing: 'peak-ewma' } : {}),
      ...settingsJson(settingsOf(port)),
    }),
  }
}

/** Which policies made it so; undefined: none. */
const settingsOf = ({ traffic, tls }: ServicePort): SettingOrigins | undefined =>
  tls?.origin === undefined ? traffic?.settings : { ...traffic?.settings, tls: tls.origin }

/** A name under which the service is called. */
const hostOf = ({ name, namespace, external }: Service): string =>
  external?.hosts.find((host) => !host.startsWith('*')) ?? `${name}.${namespace}.svc.cluster.local`

const byEds = (name: string): Source => ({
  clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
  edsClusterConfig: { edsConfig: overAds, serviceName: name },
})

/** `caller`: who asks, where endpoints are nearer or farther. */
const byName = (service: Service, port: ServicePort, caller: Locality | undefined): Source => ({
  clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STRICT_DNS },
  dnsLookupFamily: Cluster_DnsLookupFamily.V4_PREFERRED,
  loadAssignment: renderEndpoints(service, port, caller),
})

/** Sidecars do not ask for it; egress gateways tell by it whom a connection is for. */
const meshServerName = (service: Service, port: ServicePort): string =>
  service.external?.egress === undefined ? hostOf(service) : egressServerName(service, port)

const meshTransport = (service: Service, port: ServicePort): TransportMatch => ({
  name: mtlsTransport,
  match: meshEndpointMatch,
  transportSocket: tlsSocket(renderUpstreamTls(hopOf(port), meshServerName(service, port), port.identities)),
})

const tlsSocket = (value: Any): NonNullable<Cluster['transportSocket']> => ({
  name: tlsTransportSocket,
  configType: { case: 'typedConfig', value },
})

const plainText = {
  name: 'envoy.transport_sockets.raw_buffer',
  configType: { case: 'typedConfig' as const, value: typed(RawBufferSchema, {}) },
}

/** A program as its own proxy asks it. */
interface Program {
  readonly targetPort: number
  readonly http2: boolean
}

/** The program behind one inbound port: `inbound/8080`, `inbound/8080/http2`. The name says all that is in it, so that it is the same for every proxy. */
export const inboundClusterName = ({ targetPort, protocol }: Pick<InboundPort, 'targetPort' | 'protocol'>): string =>
  `${programClusters}${targetPort}${isHttp2(protocol) ? '/http2' : ''}`

/** The opposite; undefined for a name of another form. */
export function parseInboundClusterName(name: string): Program | undefined {
  const [, port, http2] = /^inbound\/(\d{1,5})(\/http2)?$/.exec(name) ?? []
  return port === undefined ? undefined : { targetPort: Number(port), http2: http2 !== undefined }
}

/** Plain text to the program on loopback. Limits are the program's own business. */
export function renderInboundCluster(name: string, { targetPort, http2 }: Program): Cluster {
  const unlimited = 2 ** 32 - 1
  return {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: duration(defaultConnectTimeoutMs),
    ...renderHop(http2),
    loadAssignment: {
      clusterName: name,
      endpoints: [
        {
          lbEndpoints: [
            {
              hostIdentifier: {
                case: 'endpoint',
                value: { address: socketAddress({ host: '127.0.0.1', port: targetPort }) },
              },
            },
          ],
        },
      ],
    },
    circuitBreakers: {
      thresholds: [
        { maxConnections: unlimited, maxPendingRequests: unlimited, maxRequests: unlimited, maxRetries: unlimited },
      ],
    },
  }
}

/** Hosts that nobody registered. */
export const renderPassthroughCluster = (): Cluster => forwardCluster(passthroughCluster, undefined)

/** Limits hold for such a cluster too; with nothing to choose from, nothing is ejected. */
function forwardSettings(port: ServicePort): Pick<Cluster, 'circuitBreakers' | 'connectTimeout' | 'metadata'> {
  const { circuitBreakers, connectTimeout } = renderTraffic(port.traffic)
  return {
    circuitBreakers,
    connectTimeout,
    ...renderHop(isHttp2(port.protocol), port.traffic),
    metadata: weft(port.origin, settingsJson(port.traffic?.settings)),
  }
}

/** Wherever the connection was going or the request's authority points. */
const forwardCluster = (name: string, port: ServicePort | undefined): Cluster => ({
  name,
  clusterDiscoveryType: {
    case: 'clusterType',
    value: {
      name: 'envoy.clusters.dynamic_forward_proxy',
      typedConfig: typed(ClusterConfigSchema, {
        clusterImplementationSpecifier: { case: 'dnsCacheConfig', value: dnsCache },
        // To choose a version of HTTP Envoy wants checks of certificates; there is no TLS here.
        ...(port && isHttp2(port.protocol) ? { allowInsecureClusterOptions: true } : {}),
      }),
    },
  },
  connectTimeout: duration(defaultConnectTimeoutMs),
  ...(port && forwardSettings(port)),
  lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
})
