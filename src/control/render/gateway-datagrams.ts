import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Address } from '../../base/address.ts'
import { SocketAddress_Protocol } from '../../xds/gen/envoy/config/core/v3/address_pb.ts'
import type { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { UdpProxyConfigSchema } from '../../xds/gen/envoy/extensions/filters/udp/udp_proxy/v3/udp_proxy_pb.ts'
import type { GatewayInstance, StreamBackend, StreamListener } from '../model/model.ts'
import { accessLogs } from './access-log.ts'
import { duration, typed, weft } from './parts.ts'
import { clusterOf, missingBackendCluster } from './backend-cluster.ts'

/** A session without a datagram in either direction ends after so long, ms: Envoy's own default. */
const idleTimeoutMs = 60_000

/**
 * Datagrams by one udp_proxy. It knows one cluster only: the weights of several stand in `weft.dev` metadata, `split`. Nobody can say who
 * sends a datagram, so where a policy lets some in and others not, none is let in.
 */
export function renderDatagrams(
  [listener]: readonly StreamListener[],
  {
    name,
    address,
    authorization: { allowPresent, deny },
    accessLog,
  }: Pick<GatewayInstance, 'authorization'> & {
    readonly name: string
    readonly address: Address
    readonly accessLog: boolean
  },
): MessageInitShape<typeof ListenerSchema> {
  const split = listener?.hosts[0]?.split
  const backends = allowPresent || deny.length > 0 ? [] : (split?.backends ?? [])
  const [first] = backends
  return {
    name,
    address: {
      address: {
        case: 'socketAddress',
        value: {
          protocol: SocketAddress_Protocol.UDP,
          address: address.host,
          portSpecifier: { case: 'portValue', value: address.port },
        },
      },
    },
    listenerFilters: [
      {
        name: 'envoy.filters.udp_listener.udp_proxy',
        configType: {
          case: 'typedConfig',
          value: typed(UdpProxyConfigSchema, {
            statPrefix: name,
            routeSpecifier: { case: 'cluster', value: first === undefined ? missingBackendCluster : clusterOf(first) },
            idleTimeout: duration(idleTimeoutMs),
            accessLog: accessLogs(accessLog),
          }),
        },
      },
    ],
    metadata: weft(split?.origin ?? listener?.origin, backends.length > 1 ? { split: backends.map(weighted) } : {}),
  }
}

const weighted = (backend: StreamBackend): { readonly cluster: string; readonly weight: number } => ({
  cluster: clusterOf(backend),
  weight: backend.weight,
})
