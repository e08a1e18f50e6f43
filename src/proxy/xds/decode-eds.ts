import { fromBinary, type JsonObject } from '@bufbuild/protobuf'
import type { Locality } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import { HealthStatus } from '../../xds/gen/envoy/config/core/v3/health_check_pb.ts'
import {
  Endpoint_AdditionalAddressSchema,
  Endpoint_HealthCheckConfigSchema,
  EndpointSchema,
  LbEndpointSchema,
  LocalityLbEndpointsSchema,
  type Endpoint as XdsEndpoint,
  type LbEndpoint,
  type LocalityLbEndpoints,
} from '../../xds/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts'
import {
  ClusterLoadAssignment_PolicySchema,
  ClusterLoadAssignmentSchema,
  type ClusterLoadAssignment,
} from '../../xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { balancerMetadata, transportSocketMatchMetadata } from '../../xds/names.ts'
import { stringIn } from '../../xds/structs.ts'
import type { Cluster, Endpoint } from '../config.ts'
import { decodeHost } from './decode-destinations.ts'
import { healthStatusName } from './decode-override-host.ts'
import { endpointAddress, namedAddress, shareOf, socketAddress, weftPart } from './decode-parts.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

/** An endpoint whose transport is not chosen yet: that takes the cluster. */
export interface EndpointShape extends Omit<Endpoint, 'transport'> {
  /** `envoy.transport_socket_match` metadata. */
  readonly labels: JsonObject
}
/** The endpoints of a cluster, and what is said of all of them. */
export interface Assignment extends Pick<Cluster, 'overprovisioningPercent' | 'weightedPriorityHealth' | 'drops'> {
  readonly endpoints: readonly EndpointShape[]
}

/** What EDS carries, with the name that it must have. */
export interface NamedAssignment extends Assignment {
  readonly name: string
}

/** One ClusterLoadAssignment. */
export function decodeEds(bytes: Uint8Array, refused: Refusals): NamedAssignment {
  const assignment = fromBinary(ClusterLoadAssignmentSchema, bytes)
  return { name: assignment.clusterName, ...decodeAssignment(assignment, '', refused) }
}

const assignmentFields = fieldNames('cluster_name endpoints policy')
const policyFields = fieldNames('overprovisioning_factor weighted_priority_health drop_overloads')

/** Also for the assignment within a cluster; `names`: hosts may be names. One address twice is refused. */
export function decodeAssignment(
  assignment: ClusterLoadAssignment,
  path: string,
  refused: Refusals,
  { names = false }: { readonly names?: boolean } = {},
): Assignment {
  knowOnly(ClusterLoadAssignmentSchema, assignment, assignmentFields, path, refused)
  const { policy } = assignment
  if (policy !== undefined)
    knowOnly(ClusterLoadAssignment_PolicySchema, policy, policyFields, join(path, 'policy'), refused)
  if (policy?.overprovisioningFactor === 0)
    refused.add(join(path, 'policy.overprovisioning_factor'), 'expected at least 1')
  const endpoints = assignment.endpoints.flatMap((locality, index) =>
    decodeLocality(locality, join(path, `endpoints[${index}]`), names, refused),
  )
  const seen = new Set<string>()
  for (const { address } of endpoints) {
    const key = `${address.host} ${address.port}`
    if (seen.has(key)) refused.add(path, `the endpoint ${key} is there twice`)
    seen.add(key)
  }
  return {
    endpoints,
    ...(policy?.overprovisioningFactor === undefined ? {} : { overprovisioningPercent: policy.overprovisioningFactor }),
    ...(policy !== undefined &&
      policy.dropOverloads.length > 0 && {
        drops: policy.dropOverloads.map(({ category, dropPercentage }) => ({
          category,
          share: shareOf(dropPercentage, 0),
        })),
      }),
    ...(policy?.weightedPriorityHealth === true ? { weightedPriorityHealth: true } : {}),
  }
}

const localityFields = fieldNames('locality metadata lb_endpoints load_balancing_weight priority proximity')
const lbEndpointFields = fieldNames('endpoint health_status metadata load_balancing_weight')
const endpointFields = fieldNames('address additional_addresses hostname health_check_config observability_name')
const additionalFields = fieldNames('address')
const probeFields = fieldNames('port_value hostname disable_active_health_check')

function decodeLocality(group: LocalityLbEndpoints, path: string, names: boolean, refused: Refusals): EndpointShape[] {
  knowOnly(LocalityLbEndpointsSchema, group, localityFields, path, refused)
  const { priority, loadBalancingWeight: weight = 0 } = group
  const place = { locality: localityName(group.locality), priority, ...(weight > 0 && { localityWeight: weight }) }
  return group.lbEndpoints.map((one, index) =>
    decodeEndpoint(one, place, join(path, `lb_endpoints[${index}]`), names, refused),
  )
}

function decodeEndpoint(
  one: LbEndpoint,
  place: Pick<Endpoint, 'locality' | 'priority' | 'localityWeight'>,
  path: string,
  names: boolean,
  refused: Refusals,
): EndpointShape {
  knowOnly(LbEndpointSchema, one, lbEndpointFields, path, refused)
  const endpoint = one.hostIdentifier.case === 'endpoint' ? one.hostIdentifier.value : undefined
  if (endpoint !== undefined) knowOnly(EndpointSchema, endpoint, endpointFields, join(path, 'endpoint'), refused)
  if (one.loadBalancingWeight === 0) refused.add(join(path, 'load_balancing_weight'), 'expected at least 1')
  const known = one.metadata?.filterMetadata[balancerMetadata]
  const hashKey = stringIn(known, 'hash_key')
  return {
    address: (names ? namedAddress : endpointAddress)(endpoint?.address, join(path, 'endpoint.address'), refused),
    ...furtherAddresses(endpoint, join(path, 'endpoint.additional_addresses'), refused),
    weight: one.loadBalancingWeight ?? 1,
    ...place,
    health: healthOf(one.healthStatus),
    healthStatus: healthStatusName(one.healthStatus),
    ...(known !== undefined && { metadata: known }),
    ...(endpoint?.hostname && { hostname: decodeHost(endpoint.hostname, join(path, 'endpoint.hostname'), refused) }),
    ...probed(endpoint, join(path, 'endpoint.health_check_config'), refused),
    ...(hashKey === undefined ? {} : { hashKey }),
    labels: one.metadata?.filterMetadata[transportSocketMatchMetadata] ?? {},
    workload: stringIn(weftPart(one.metadata), 'workload'),
    ...workersOf(weftPart(one.metadata)?.['workers']),
  }
}

/** Addresses of any endpoint are there once; these are of the very same one. */
function furtherAddresses(
  endpoint: XdsEndpoint | undefined,
  path: string,
  refused: Refusals,
): Pick<Endpoint, 'moreAddresses'> {
  const { additionalAddresses: all = [] } = endpoint ?? {}
  if (all.length === 0) return {}
  const moreAddresses = all.map((one, index) => {
    const here = `${path}[${index}]`
    knowOnly(Endpoint_AdditionalAddressSchema, one, additionalFields, here, refused)
    return socketAddress(one.address, join(here, 'address'), refused)
  })
  return { moreAddresses }
}

const workersOf = (said: unknown): Pick<Endpoint, 'workers'> =>
  typeof said === 'number' && Number.isInteger(said) && said > 1 ? { workers: Math.min(said, mostWorkers) } : {}
/** Connections that one endpoint may ask for by it. */
const mostWorkers = 32

/** Where and as whom an endpoint is asked how it is; nothing when that is as it is called. */
function probed(endpoint: XdsEndpoint | undefined, path: string, refused: Refusals): Pick<Endpoint, 'healthCheck'> {
  const config = endpoint?.healthCheckConfig
  if (config !== undefined) knowOnly(Endpoint_HealthCheckConfigSchema, config, probeFields, path, refused)
  const { portValue: port = 0, disableActiveHealthCheck: disabled = false } = config ?? {}
  const host = config?.hostname || endpoint?.hostname
  if (port > 65_535) refused.add(join(path, 'port_value'), 'expected a port number')
  if (port === 0 && !host && !disabled) return {}
  return { healthCheck: { ...(port > 0 && { port }), ...(host && { host }), ...(disabled && { disabled }) } }
}

/** Source: envoy.config.core.v3.HealthStatus; UNKNOWN counts as healthy, TIMEOUT as unhealthy. */
function healthOf(status: HealthStatus): Endpoint['health'] {
  switch (status) {
    case HealthStatus.UNKNOWN:
    case HealthStatus.HEALTHY:
      return 'healthy'
    case HealthStatus.DRAINING:
      return 'draining'
    case HealthStatus.DEGRADED:
      return 'degraded'
    default:
      return 'unhealthy'
  }
}

/** "region/zone/sub-zone" as far as it is said. */
const localityName = (locality: Locality | undefined): string =>
  locality === undefined ? '' : [locality.region, locality.zone, locality.subZone].join('/').replace(/\/+$/, '')
