import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Address } from '../../base/address.ts'
import type { FilterChainSchema } from '../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { TrafficDirection } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import type { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { gatewayNames } from '../../xds/names.ts'
import type { Gateway, GatewayInstance, GatewayListener, RouteRule, StreamListener } from '../model/model.ts'
import { httpAuthorization, policyOrigins } from './authorization-filters.ts'
import { renderDatagrams } from './gateway-datagrams.ts'
import { closingChain, forHost, streamChains } from './gateway-streams.ts'
import { corsByRoute } from './cors.ts'
import { egressChains, type CalledPort } from './egress.ts'
import { limiterSlots, namedExternalLimits } from './external-limit.ts'
import { faultsByRoute } from './faults.ts'
import { sessionsByRoute } from './sessions.ts'
import { gatewayTables, type GatewayTable } from './gateway-routes.ts'
import { renderHttp } from './http-manager.ts'
import { limitSlots } from './rate-limits.ts'
import { limiterOfRule, limitsOfRule } from './routes.ts'
import { socketAddress, weft } from './parts.ts'
import { inspectTls, renderEdgeTls, tlsTransportSocket } from './tls.ts'
import type { CallTracing } from './tracing.ts'

type FilterChain = MessageInitShape<typeof FilterChainSchema>

/** One listening socket of a Gateway's instance: all listeners of a port share it. */
export interface GatewaySocket {
  readonly name: string
  /** As the Gateway says it. */
  readonly port: number
  readonly udp: boolean
  readonly address: Address
}

/** The sockets of an instance: each port on each address of the Gateway, or on the instance's own. */
export function gatewaySockets(
  { listeners, streams, mesh, addresses }: Gateway,
  { host, portMap }: GatewayInstance,
): readonly GatewaySocket[] {
  const all = [...listeners, ...streams, ...mesh.map(({ port }) => ({ port, protocol: 'mesh' }))]
  const hosts = addresses.length === 0 ? [host] : addresses
  const sockets = (udp: boolean): readonly GatewaySocket[] =>
    Array.from(new Set(all.filter((one) => (one.protocol === 'udp') === udp).map(({ port }) => port))).flatMap((port) =>
      hosts.map((one) => ({
        name: `${gatewayNames}${port}${hosts.length === 1 ? '' : `/${one}`}${udp ? '/udp' : ''}`,
        port,
        udp,
        address: { host: one, port: portMap.get(port) ?? port },
      })),
    )
  return [...sockets(false), ...sockets(true)]
}

/** What holds for all of an instance. */
interface InstanceParts extends Pick<GatewayInstance, 'authorization'> {
  readonly accessLog: boolean
  readonly tracing: CallTracing | undefined
  /** What it calls for the mesh. */
  readonly egress: readonly CalledPort[]
}

/** Plain HTTP is told apart by the host that a request names, HTTPS and TLS already by the TLS server name. */
export function renderGatewayListener(
  gateway: Gateway,
  { name, port, udp, address }: GatewaySocket,
  { authorization, accessLog, tracing, egress }: InstanceParts,
): MessageInitShape<typeof ListenerSchema> {
  const { listeners, streams: all } = gateway
  if (udp)
    return renderDatagrams(
      all.filter((one) => isThere(one, port, true)),
      { name, address, authorization, accessLog },
    )
  if (gateway.mesh.some((one) => one.port === port)) {
    const chains = egressChains(egress, { authorization, accessLog, tracing })
    return {
      name,
      address: socketAddress(address),
      // Members of the mesh come here, as they do to a program's sidecar.
      trafficDirection: TrafficDirection.INBOUND,
      ...inspectTls({ limitMs: 10_000, serverMayBeFirst: false }),
      filterChains: chains.length > 0 ? [...chains] : [closingChain({ port, authorization, accessLog })],
      metadata: weft(gateway.origin, policyOrigins(authorization)),
    }
  }
  const tables = gatewayTables(gateway).filter((table) => table.port === port)
  const chains = tables.flatMap((table): readonly FilterChain[] => {
    const [first] = table.listeners
    const filters = [
      renderHttp({
        statPrefix: `${gatewayNames}${port}`,
        accessLog,
        tracing,
        edge: true,
        filters: [
          corsByRoute,
          ...httpAuthorization({ authorization, targetPort: port }),
          ...limitSlots(rulesOf(table).map(limitsOfRule)),
          ...limiterSlots(rulesOf(table).map(limiterOfRule)),
          faultsByRoute,
          sessionsByRoute,
        ],
        routes: table.name,
      }),
    ]
    return first === undefined ? [] : [chainFor(first, filters)]
  })
  const streams = all.filter((one) => isThere(one, port, false))
  const parts = { port, authorization, accessLog }
  const raw = streams.flatMap((one) => streamChains(one, parts))
  const secured = [...listeners, ...streams].some(
    (one) => one.port === port && (one.protocol === 'https' || one.protocol === 'tls'),
  )
  return {
    name,
    address: socketAddress(address),
    ...(secured ? inspectTls({ limitMs: 10_000, serverMayBeFirst: false }) : {}),
    filterChains: chains.length + raw.length > 0 ? [...chains, ...raw] : [closingChain(parts)],
    metadata: weft(
      gateway.origin,
      policyOrigins(authorization, [], namedExternalLimits(tables.flatMap(rulesOf).map(limiterOfRule))),
    ),
  }
}

const rulesOf = ({ listeners }: GatewayTable): readonly RouteRule[] =>
  listeners.flatMap(({ hosts }) => hosts.flatMap(({ rules }) => rules))

const isThere = ({ port, protocol }: StreamListener, wanted: number, udp: boolean): boolean =>
  port === wanted && (protocol === 'udp') === udp

function chainFor(listener: GatewayListener, filters: NonNullable<FilterChain['filters']>): FilterChain {
  const { name, protocol, hostname } = listener
  if (protocol === 'http') return { name: 'http', filters }
  return {
    name,
    filterChainMatch: forHost(hostname),
    transportSocket: {
      name: tlsTransportSocket,
      configType: { case: 'typedConfig', value: renderEdgeTls(listener, 'http') },
    },
    filters,
  }
}
