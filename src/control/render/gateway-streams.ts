import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { FilterChainSchema } from '../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import {
  TcpProxy_WeightedClusterSchema,
  type TcpProxy,
} from '../../xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { gatewayNames } from '../../xds/names.ts'
import type { GatewayInstance, StreamBackend, StreamHost, StreamListener } from '../model/model.ts'
import { weft } from './parts.ts'
import { clusterOf, missingBackendCluster } from './backend-cluster.ts'
import { tcpFilters } from './tcp-proxy.ts'
import { renderEdgeTls, tlsTransportSocket } from './tls.ts'

type FilterChain = MessageInitShape<typeof FilterChainSchema>

/** What all chains of a port have in common. */
export interface StreamParts {
  readonly port: number
  readonly authorization: GatewayInstance['authorization']
  readonly accessLog: boolean
}

/**
 * A chain for each TLS server name that a route is for; one for all of TCP. The other names that a listener is for are closed: no
 * wider listener of the port is for them.
 */
export function streamChains(listener: StreamListener, parts: StreamParts): readonly FilterChain[] {
  const { hostname, hosts, protocol } = listener
  const routed = routedChains(listener, parts)
  if (protocol === 'tcp' || hostname === '*' || hosts.some((one) => one.hostname === hostname)) return routed
  return [...routed, closingChain(parts, { name: `${listener.name}/closed`, filterChainMatch: forHost(hostname) })]
}

const routedChains = (listener: StreamListener, parts: StreamParts): readonly FilterChain[] =>
  listener.hosts.map(({ hostname, split }) => {
    const { certificates } = listener
    return {
      name: listener.protocol === 'tls' ? `${listener.name}/${hostname}` : listener.name,
      ...(listener.protocol === 'tls' ? { filterChainMatch: forHost(hostname) } : {}),
      ...(certificates.length === 0
        ? {}
        : {
            transportSocket: {
              name: tlsTransportSocket,
              configType: {
                case: 'typedConfig' as const,
                value: renderEdgeTls(listener, 'tcp'),
              },
            },
          }),
      filters: filtersFor(split.backends, parts),
      metadata: weft(split.origin),
    }
  })

/** For a socket whose listeners have no route yet: it is bound all the same, and closes what comes. */
export const closingChain = (
  parts: StreamParts,
  which: Pick<FilterChain, 'name' | 'filterChainMatch'> = { name: 'closed' },
): FilterChain => ({ ...which, filters: filtersFor([], parts) })

/** TLS that asks for this name; "*": any. */
export const forHost = (hostname: StreamHost['hostname']): NonNullable<FilterChain['filterChainMatch']> => ({
  transportProtocol: 'tls',
  ...(hostname === '*' ? {} : { serverNames: [hostname] }),
})

const filtersFor = (
  backends: readonly StreamBackend[],
  { port, authorization, accessLog }: StreamParts,
): NonNullable<FilterChain['filters']> =>
  tcpFilters(
    { authorization, targetPort: port },
    { statPrefix: `${gatewayNames}${port}`, accessLog, to: splitTo(backends) },
  )

/** A share of the connections for each backend. */
export function splitTo(backends: readonly StreamBackend[]): TcpProxy['clusterSpecifier'] {
  const [first, ...more] = backends
  if (first === undefined || more.length === 0)
    return { case: 'cluster', value: first === undefined ? missingBackendCluster : clusterOf(first) }
  return {
    case: 'weightedClusters',
    value: create(TcpProxy_WeightedClusterSchema, {
      clusters: backends.map((one) => ({ name: clusterOf(one), weight: one.weight })),
    }),
  }
}
