import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf'
import { HealthStatus } from '../../xds/gen/envoy/config/core/v3/health_check_pb.ts'
import type { ClusterLoadAssignmentSchema } from '../../xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import type { LbEndpointSchema } from '../../xds/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts'
import { mtlsTransport, servicePortName, transportSocketMatchMetadata, weftMetadata } from '../../xds/names.ts'
import type { Endpoint, Service, ServicePort } from '../model/model.ts'
import { socketAddress } from './parts.ts'

/** Endpoint metadata that chooses mTLS; under Envoy's key `envoy.transport_socket_match`. */
export const meshEndpointMatch: JsonObject = { weft: mtlsTransport }

const healthStatus = {
  healthy: HealthStatus.HEALTHY,
  unhealthy: HealthStatus.UNHEALTHY,
  draining: HealthStatus.DRAINING,
} as const

/**
 * All instances behind one port of a service, the unhealthy ones too: they are known, not used. One locality, which is said and has
 * a weight, since proxyless gRPC silently drops a locality without one.
 */
export const renderEndpoints = (
  service: Service,
  port: ServicePort,
): MessageInitShape<typeof ClusterLoadAssignmentSchema> => ({
  clusterName: servicePortName(service.namespace, service.name, port.port),
  endpoints:
    port.endpoints.length === 0
      ? []
      : [{ locality: {}, loadBalancingWeight: 1, lbEndpoints: port.endpoints.map(renderEndpoint) }],
})

const renderEndpoint = (endpoint: Endpoint): MessageInitShape<typeof LbEndpointSchema> => ({
  hostIdentifier: { case: 'endpoint', value: { address: socketAddress(endpoint.address) } },
  healthStatus: healthStatus[endpoint.health],
  loadBalancingWeight: Math.max(1, endpoint.weight),
  metadata: {
    filterMetadata: {
      ...(endpoint.mtls ? { [transportSocketMatchMetadata]: meshEndpointMatch } : {}),
      ...(endpoint.workload === undefined ? {} : { [weftMetadata]: { workload: endpoint.workload } }),
    },
  },
})

/** The workloads (`<namespace>/<name>`) that a client with these endpoints may call. */
export const healthyWorkloads = (port: ServicePort): ReadonlySet<string> =>
  new Set(
    port.endpoints.flatMap(({ health, workload }) =>
      health === 'healthy' && workload !== undefined ? [workload] : [],
    ),
  )
