import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Address } from '../../base/address.ts'
import { TrafficDirection } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import type { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import type { RouteMatchSchema, RouteSchema } from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { passthroughCluster } from '../../xds/names.ts'
import type { MeshSettings, Workload } from '../model/model.ts'
import { corsByRoute } from './cors.ts'
import { faultsByRoute } from './faults.ts'
import { resolveAuthority } from './resolve-authority.ts'
import { renderHttp } from './http-manager.ts'
import { duration, socketAddress, weft } from './parts.ts'
import { sessionsByRoute } from './sessions.ts'
import type { CallTracing } from './tracing.ts'

type Capture = Workload['capture']

/** Name of the listener for outbound calls: one that a program reaches by `HTTP_PROXY`, or one that connections are caught for. */
export const outboundListenerName = (capture: Capture): string =>
  capture === 'namespace' ? 'outbound/captured' : 'outbound/explicit'

/**
 * Takes the program's outbound calls. `routing: names` tells our proxy to look a host up in the name table first and to use the route
 * configuration of that service; the routes here are for hosts that the table lacks. `destination: original` says that a connection was
 * caught, and was for another address: virtual IPs are looked up as names are, and raw bytes go where they were meant to; `datagrams`
 * to outside of the mesh do, too, or are refused.
 */
export const renderOutboundListener = (
  capture: Capture,
  address: Address,
  mesh: MeshSettings,
  tracing: CallTracing | undefined,
): MessageInitShape<typeof ListenerSchema> => ({
  name: outboundListenerName(capture),
  address: socketAddress(address),
  trafficDirection: TrafficDirection.OUTBOUND,
  filterChains: [
    {
      name: capture === 'namespace' ? 'captured' : 'explicit',
      filters: [
        renderHttp({
          statPrefix: outboundListenerName(capture),
          accessLog: mesh.accessLog,
          tracing,
          filters: [corsByRoute, faultsByRoute, sessionsByRoute, resolveAuthority],
          routes: {
            name: outboundListenerName(capture),
            validateClusters: false,
            virtualHosts: [{ name: 'outside', domains: ['*'], routes: [outside(mesh)] }],
            metadata: weft(mesh.origin),
          },
        }),
      ],
    },
  ],
  metadata: weft(mesh.origin, {
    routing: 'names',
    ...(capture === 'namespace' ? { destination: 'original', datagrams: datagrams(mesh) } : {}),
  }),
})

const datagrams = ({ outboundDatagrams, outboundTraffic }: MeshSettings): 'allow' | 'refuse' =>
  outboundDatagrams ?? (outboundTraffic === 'allow-any' ? 'allow' : 'refuse')

/** Where hosts lead that are none of the mesh: `match` says for which requests. */
export function outside(
  { outboundTraffic, origin }: MeshSettings,
  match: MessageInitShape<typeof RouteMatchSchema> = { pathSpecifier: { case: 'prefix', value: '/' } },
): MessageInitShape<typeof RouteSchema> {
  if (outboundTraffic === 'allow-any') {
    return {
      name: 'outside',
      match,
      action: {
        case: 'route',
        value: { clusterSpecifier: { case: 'cluster', value: passthroughCluster }, timeout: duration(0) },
      },
      metadata: weft(origin),
    }
  }
  const sentence = 'this host is no service of the mesh, and the mesh forwards to registered services only\n'
  return {
    name: 'outside',
    match,
    action: {
      case: 'directResponse',
      value: { status: 502, body: { specifier: { case: 'inlineString', value: sentence } } },
    },
    metadata: weft(origin),
  }
}
