import type { MessageInitShape } from '@bufbuild/protobuf'
import { isHttp } from '../../base/app-protocol.ts'
import type { FilterChainSchema } from '../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import { gatewayNames, servicePortName, upstreamFaultHeader } from '../../xds/names.ts'
import type { GatewayInstance, Model, RouteRule, Service, ServicePort, Workload } from '../model/model.ts'
import { httpAuthorization } from './authorization-filters.ts'
import { clusterOf } from './backend-cluster.ts'
import { renderHttp } from './http-manager.ts'
import type { CallTracing } from './tracing.ts'
import { calledAs, renderTable } from './routes.ts'
import { tcpFilters } from './tcp-proxy.ts'
import { forHost } from './gateway-streams.ts'
import { resolveAuthority } from './resolve-authority.ts'
import { weft } from './parts.ts'
import { renderDownstreamTls, tlsTransportSocket } from './tls.ts'

/** A port of a service. */
export interface CalledPort {
  readonly service: Service
  readonly port: ServicePort
}

/** By which TLS server name a gateway is asked for a port of an ExternalService: it is nobody's name outside. */
export const egressServerName = ({ namespace, name }: Service, { port }: Pick<ServicePort, 'port'>): string =>
  `port-${port}.${name}.${namespace}.egress.mesh`

/**
 * Hosts behind an egress gateway are to their callers a service of the mesh, and the gateway's instances are its own. To the gateway
 * itself they are what they are.
 */
export function throughEgress({ service, port }: CalledPort, { gateway }: Workload): CalledPort {
  const { external } = service
  if (external?.egress === undefined || gateway?.gateway === external.egress.gateway) return { service, port }
  const { endpoints, identity, origin } = external.egress
  const { tls: _ofTheGateway, traffic, ...rest } = port
  return {
    service: { ...service, external: { ...external, resolution: 'static' } },
    port: {
      ...rest,
      endpoints,
      identities: [identity],
      traffic: { ...traffic, settings: { ...traffic?.settings, egressGateway: origin } },
    },
  }
}

/** What a Gateway calls for others. */
export const egressPorts = ({ services }: Pick<Model, 'services'>, gateway: string): readonly CalledPort[] =>
  Array.from(services.values()).flatMap((service) =>
    service.external?.egress?.gateway === gateway ? service.ports.map((port) => ({ service, port })) : [],
  )

type FilterChain = MessageInitShape<typeof FilterChainSchema>

/**
 * A chain for each port of each ExternalService, by the name that callers' sidecars ask for. Who calls is proven, and policies for the
 * gateway decide; ports in them are the ExternalService's. Routes have been taken by the caller.
 */
export const egressChains = (
  called: readonly CalledPort[],
  {
    authorization,
    accessLog,
    tracing,
  }: Pick<GatewayInstance, 'authorization'> & {
    readonly accessLog: boolean
    readonly tracing: CallTracing | undefined
  },
): readonly FilterChain[] =>
  called.map(({ service, port }) => {
    const cluster = servicePortName(service.namespace, service.name, port.port)
    const http = isHttp(port.protocol)
    const statPrefix = `${gatewayNames}egress/${cluster}`
    const target = { authorization, targetPort: port.port }
    return {
      name: `egress/${cluster}`,
      filterChainMatch: forHost(egressServerName(service, port)),
      transportSocket: {
        name: tlsTransportSocket,
        configType: { case: 'typedConfig' as const, value: renderDownstreamTls(http ? 'http' : 'tcp') },
      },
      filters: http
        ? [
            renderHttp({
              statPrefix,
              accessLog,
              // A collector outside is called through here, too: a span of each export would be exported in turn.
              tracing: tracing && clusterOf(tracing) === cluster ? undefined : tracing,
              filters: [...httpAuthorization(target), ...(isWherever(service) ? [resolveAuthority] : [])],
              routes: onwards({ service, port }),
            }),
          ]
        : tcpFilters(target, { statPrefix, accessLog, to: { case: 'cluster', value: cluster } }),
      metadata: weft(port.origin),
    }
  })

/** Calls go where they say, and so only where the ExternalService says that they may: its hosts, by this port. */
const isWherever = ({ external }: Service): boolean => external?.resolution === 'none'

const authoritiesOf = ({ external }: Service, { port }: ServicePort): readonly string[] =>
  (external?.hosts ?? []).flatMap((one) => {
    const host = one.includes(':') ? `[${one}]` : one
    return port === 80 ? [host, `${host}:80`] : [`${host}:${port}`]
  })

/** Outside nobody hears which member of the mesh calls, and nobody there speaks for a sidecar. */
function onwards({ service, port }: CalledPort): MessageInitShape<typeof RouteConfigurationSchema> {
  const { origin } = port
  const name = servicePortName(service.namespace, service.name, port.port)
  const rule: RouteRule = {
    name: 'egress',
    match: { path: { kind: 'segments', value: '/' }, method: undefined, headers: [], queryParameters: [] },
    action: {
      kind: 'forward',
      backends: [{ weight: 1, service: `${service.namespace}/${service.name}`, port: port.port, origin }],
    },
    origin,
  }
  const domains = isWherever(service) ? authoritiesOf(service, port) : ['*']
  return {
    ...renderTable(name, [{ name, domains, rules: [rule], origin }], calledAs(port), origin),
    ignorePortInHostMatching: !isWherever(service),
    requestHeadersToRemove: ['x-forwarded-client-cert'],
    responseHeadersToRemove: [upstreamFaultHeader],
  }
}
