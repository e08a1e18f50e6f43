import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Address } from '../../base/address.ts'
import type { FilterChainSchema } from '../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { gatewayNames } from '../../xds/names.ts'
import type { Gateway, GatewayInstance, GatewayListener, RouteRule } from '../model/model.ts'
import { httpAuthorization, policyOrigins } from './authorization-filters.ts'
import { closingChain, forHost, streamChains } from './gateway-streams.ts'
import { corsByRoute } from './cors.ts'
import { faultsByRoute } from './faults.ts'
import { gatewayTables, type GatewayTable } from './gateway-routes.ts'
import { renderHttp } from './http-manager.ts'
import { limitSlots } from './rate-limits.ts'
import { limitsOfRule } from './routes.ts'
import { socketAddress, weft } from './parts.ts'
import { inspectTls, renderEdgeTls, tlsTransportSocket } from './tls.ts'

type FilterChain = MessageInitShape<typeof FilterChainSchema>

/** One listening socket of a Gateway's instance: all listeners of a port share it. */
export interface GatewaySocket {
  readonly name: string
  /** As the Gateway says it. */
  readonly port: number
  readonly address: Address
}

/** The sockets of an instance: each port on each address of the Gateway, or on the instance's own. */
export function gatewaySockets(
  { listeners, streams, addresses }: Gateway,
  { host, portMap }: GatewayInstance,
): readonly GatewaySocket[] {
  const ports = Array.from(new Set([...listeners, ...streams].map(({ port }) => port)))
  const hosts = addresses.length === 0 ? [host] : addresses
  return ports.flatMap((port) =>
    hosts.map((one) => ({
      name: `${gatewayNames}${port}${hosts.length === 1 ? '' : `/${one}`}`,
      port,
      address: { host: one, port: portMap.get(port) ?? port },
    })),
  )
}

/** Plain HTTP is told apart by the host that a request names, HTTPS and TLS already by the TLS server name. */
export function renderGatewayListener(
  gateway: Gateway,
  { name, port, address }: GatewaySocket,
  { authorization, accessLog }: Pick<GatewayInstance, 'authorization'> & { readonly accessLog: boolean },
): MessageInitShape<typeof ListenerSchema> {
  const tables = gatewayTables(gateway).filter((table) => table.port === port)
  const chains = tables.flatMap((table): readonly FilterChain[] => {
    const [first] = table.listeners
    const filters = [
      renderHttp({
        statPrefix: `${gatewayNames}${port}`,
        accessLog,
        edge: true,
        filters: [
          corsByRoute,
          ...httpAuthorization({ authorization, targetPort: port }),
          ...limitSlots(rulesOf(table).map(limitsOfRule)),
          faultsByRoute,
        ],
        routes: table.name,
      }),
    ]
    return first === undefined ? [] : [chainFor(first, filters)]
  })
  const streams = gateway.streams.filter((one) => one.port === port)
  const parts = { port, authorization, accessLog }
  const raw = streams.flatMap((one) => streamChains(one, parts))
  const secured = [...gateway.listeners, ...streams].some(
    (one) => one.port === port && (one.protocol === 'https' || one.protocol === 'tls'),
  )
  return {
    name,
    address: socketAddress(address),
    ...(secured ? inspectTls({ limitMs: 10_000, serverMayBeFirst: false }) : {}),
    filterChains: chains.length + raw.length > 0 ? [...chains, ...raw] : [closingChain(parts)],
    metadata: weft(gateway.origin, policyOrigins(authorization)),
  }
}

const rulesOf = ({ listeners }: GatewayTable): readonly RouteRule[] =>
  listeners.flatMap(({ hosts }) => hosts.flatMap(({ rules }) => rules))

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
