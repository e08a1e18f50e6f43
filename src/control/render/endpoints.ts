import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf'
import { HealthStatus } from '../../xds/gen/envoy/config/core/v3/health_check_pb.ts'
import type { ClusterLoadAssignmentSchema } from '../../xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import type { LbEndpointSchema } from '../../xds/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts'
import { mtlsTransport, servicePortName, transportSocketMatchMetadata, weftMetadata } from '../../xds/names.ts'
import type { Endpoint, Locality, LocalityPreference, Service, ServicePort } from '../model/model.ts'
import { groupEndpoints } from './localities.ts'
import { socketAddress } from './parts.ts'

/** Endpoint metadata that chooses mTLS; under Envoy's key `envoy.transport_socket_match`. */
export const meshEndpointMatch: JsonObject = { weft: mtlsTransport }

const healthStatus = {
  healthy: HealthStatus.HEALTHY,
  unhealthy: HealthStatus.UNHEALTHY,
  draining: HealthStatus.DRAINING,
} as const

/**
 * All instances behind one port of a service, the unhealthy ones too: they are known, not used. Each locality has a weight, since
 * proxyless gRPC silently drops one without; it is what its endpoints weigh together, so that it changes nothing between them.
 */
export function renderEndpoints(
  service: Service,
  port: ServicePort,
  caller: Locality | undefined,
  reserve: readonly Endpoint[] = [],
): MessageInitShape<typeof ClusterLoadAssignmentSchema> {
  const preference = port.traffic?.locality || undefined
  return {
    clusterName: servicePortName(service.namespace, service.name, port.port),
    ...renderPolicy(preference),
    endpoints: groupEndpoints(port.endpoints, preference, caller, reserve).map(({ locality, priority, endpoints }) => ({
      locality,
      priority,
      loadBalancingWeight: endpoints.reduce((sum, endpoint) => sum + weightOf(endpoint), 0),
      lbEndpoints: endpoints.map(renderEndpoint),
    })),
  }
}

/** A level whose healthy share times the factor is 100 % or more takes all calls. */
const renderPolicy = ({ minHealthyPercent }: Partial<LocalityPreference> = {}): Pick<
  MessageInitShape<typeof ClusterLoadAssignmentSchema>,
  'policy'
> =>
  minHealthyPercent === undefined ? {} : { policy: { overprovisioningFactor: Math.ceil(10_000 / minHealthyPercent) } }

const weightOf = ({ weight }: Endpoint): number => Math.max(1, weight)

const renderEndpoint = (endpoint: Endpoint): MessageInitShape<typeof LbEndpointSchema> => ({
  hostIdentifier: { case: 'endpoint', value: { address: socketAddress(endpoint.address) } },
  healthStatus: healthStatus[endpoint.health],
  loadBalancingWeight: weightOf(endpoint),
  metadata: {
    filterMetadata: {
      ...(endpoint.mtls ? { [transportSocketMatchMetadata]: meshEndpointMatch } : {}),
      ...(endpoint.workload === undefined
        ? {}
        : {
            [weftMetadata]: {
              workload: endpoint.workload,
              ...(endpoint.workers === undefined ? {} : { workers: endpoint.workers }),
            },
          }),
    },
  },
})

/** The workloads (`<namespace>/<name>`) that a client with these endpoints may call. */
export const healthyWorkloads = (endpoints: readonly Endpoint[]): ReadonlySet<string> =>
  new Set(
    endpoints.flatMap(({ health, workload }) => (health === 'healthy' && workload !== undefined ? [workload] : [])),
  )
