import type { MessageInitShape } from '@bufbuild/protobuf'
import type { RouteActionSchema } from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import { servicePortName } from '../../xds/names.ts'
import type { Service, ServicePort, StreamBackend, StreamHost } from '../model/model.ts'
import { weft } from './parts.ts'
import { clusterOf, missingBackendCluster } from './backend-cluster.ts'

/** Whether somebody's bytes for this port go by routes. */
export const hasStreams = ({ streams, consumerStreams }: ServicePort): boolean =>
  streams !== undefined || consumerStreams !== undefined

/** By which routes the raw bytes for a port go, for callers of a namespace; undefined: there are none. */
export const streamsFor = (
  { streams, consumerStreams }: Pick<ServicePort, 'streams' | 'consumerStreams'>,
  callers: string,
): readonly StreamHost[] | undefined => consumerStreams?.get(callers) ?? streams

/** A share for each backend; without any everything is closed. */
export const weightedClusters = (
  backends: readonly StreamBackend[],
): Extract<
  NonNullable<MessageInitShape<typeof RouteActionSchema>['clusterSpecifier']>,
  { case: 'weightedClusters' }
> => ({
  case: 'weightedClusters',
  value: {
    clusters:
      backends.length === 0
        ? [{ name: missingBackendCluster, weight: 1 }]
        : backends.map((one) => ({ name: clusterOf(one), weight: one.weight })),
  },
})

/**
 * Where the raw bytes for a port go, for callers of a namespace. xDS has routes for calls only: here a virtual host's domains are TLS
 * server names ("*": whatever comes), and its only route is a split of connections. Who asks for it knows by the name table that the port
 * is raw.
 */
export function renderStreams(
  { namespace, name }: Service,
  { port, origin, ...routed }: ServicePort,
  callers: string,
): MessageInitShape<typeof RouteConfigurationSchema> {
  const table = servicePortName(namespace, name, port)
  const own: StreamHost = {
    hostname: '*',
    split: { name: 'default', backends: [{ weight: 1, service: `${namespace}/${name}`, port, origin }], origin },
  }
  const hosts = streamsFor(routed, callers) ?? [own]
  return {
    name: table,
    virtualHosts: hosts.map(({ hostname, split }) => ({
      name: hostname,
      domains: [hostname],
      routes: [
        {
          name: split.name,
          match: { pathSpecifier: { case: 'prefix', value: '/' } },
          action: {
            case: 'route',
            value: { clusterSpecifier: weightedClusters(split.backends) },
          },
          metadata: weft(split.origin),
        },
      ],
      metadata: weft(split.origin),
    })),
    validateClusters: false,
    metadata: weft(origin),
  }
}
