import { fromBinary } from '@bufbuild/protobuf'
import {
  ClusterSchema,
  Cluster_DiscoveryType as DiscoveryType,
  type Cluster,
} from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import {
  EndpointSchema,
  LbEndpointSchema,
  LocalityLbEndpointsSchema,
  type Endpoint,
} from '../../xds/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts'
import { PipeSchema } from '../../xds/gen/envoy/config/core/v3/address_pb.ts'
import { decodeConnections } from './decode-connections.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

/** A server of configuration on this machine. */
export interface PipeCluster {
  readonly name: string
  /** Of its Unix socket. */
  readonly path: string
}

const endpointsOf = ({ loadAssignment }: Cluster): Endpoint[] =>
  (loadAssignment?.endpoints ?? []).flatMap(({ lbEndpoints }) =>
    lbEndpoints.flatMap(({ hostIdentifier: by }) => (by.case === 'endpoint' ? [by.value] : [])),
  )

/** Whether a cluster leads to a Unix socket. */
export const isPipeCluster = (cluster: Cluster): boolean =>
  endpointsOf(cluster).some(({ address }) => address?.address.case === 'pipe')

// How long to wait for a socket of this machine, and which of one endpoint to choose, changes nothing.
const clusterFields = fieldNames(`name type connect_timeout lb_policy load_assignment http2_protocol_options
  typed_extension_protocol_options`)
const assignmentFields = fieldNames('cluster_name endpoints')
const localityFields = fieldNames('lb_endpoints')
const hostFields = fieldNames('endpoint')
const endpointFields = fieldNames('address')
const pipeFields = fieldNames('path')

/** A cluster of one endpoint, a Unix socket, which gRPC is spoken with. Calls do not go there. */
export function decodePipeCluster(bytes: Uint8Array, refused: Refusals): PipeCluster {
  const cluster = fromBinary(ClusterSchema, bytes)
  knowOnly(ClusterSchema, cluster, clusterFields, '', refused)
  const kind = cluster.clusterDiscoveryType
  if (kind.case === 'type' && kind.value !== DiscoveryType.STATIC)
    refused.add('type', 'expected STATIC for an endpoint with a pipe')
  if (decodeConnections(cluster, refused).upstreamProtocol !== 'h2')
    refused.add('', 'a cluster with a pipe is for gRPC alone, and needs http2_protocol_options')
  return { name: cluster.name, path: pathOf(cluster, 'load_assignment', refused) }
}

function pathOf(cluster: Cluster, path: string, refused: Refusals): string {
  const { loadAssignment: assignment } = cluster
  if (assignment !== undefined) knowOnly(ClusterLoadAssignmentSchema, assignment, assignmentFields, path, refused)
  for (const [index, locality] of (assignment?.endpoints ?? []).entries()) {
    const at = join(path, `endpoints[${index}]`)
    knowOnly(LocalityLbEndpointsSchema, locality, localityFields, at, refused)
    for (const [inner, host] of locality.lbEndpoints.entries())
      knowOnly(LbEndpointSchema, host, hostFields, join(at, `lb_endpoints[${inner}]`), refused)
  }
  const [endpoint, ...more] = endpointsOf(cluster)
  const at = join(path, 'endpoints[0].lb_endpoints[0].endpoint')
  if (more.length > 0) refused.add(join(path, 'endpoints'), 'expected one endpoint where one has a pipe')
  if (endpoint !== undefined) knowOnly(EndpointSchema, endpoint, endpointFields, at, refused)
  const pipe = endpoint?.address?.address.case === 'pipe' ? endpoint.address.address.value : undefined
  if (pipe !== undefined) knowOnly(PipeSchema, pipe, pipeFields, join(at, 'address.pipe'), refused)
  const socket = pipe?.path ?? ''
  if (!/^[^@]/.test(socket))
    refused.add(join(at, 'address.pipe.path'), `expected the path of a socket, got "${socket}"`)
  return socket
}
