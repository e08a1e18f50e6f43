import type { JsonObject } from '@bufbuild/protobuf'
import { isDeepStrictEqual } from 'node:util'
import { formatAddress } from '../../base/address.ts'
import type { Cluster, Endpoint } from '../config.ts'
import type { ClusterShape } from './decode-cds.ts'
import type { Assignment, EndpointShape } from './decode-eds.ts'

/** A cluster with its endpoints; those equal to one of `before` are the same objects. */
export function buildCluster(shape: ClusterShape, assignment: Assignment, before: Cluster | undefined): Cluster {
  const known = new Map(before?.endpoints.map((one) => [formatAddress(one.address), one]))
  const { endpoints: shapes, overprovisioningPercent, weightedPriorityHealth, drops } = assignment
  const endpoints = shapes.map((one): Endpoint => {
    const next = ofCluster(one, shape)
    const old = known.get(formatAddress(one.address))
    return old !== undefined && isDeepStrictEqual(old, next) ? old : next
  })
  const {
    edsName: _edsName,
    inline: _inline,
    transportMatches: _matches,
    hashHostnames: _hostnames,
    ...cluster
  } = shape
  return {
    ...cluster,
    endpoints,
    ...(overprovisioningPercent !== undefined && { overprovisioningPercent }),
    ...(drops !== undefined && { drops }),
    ...(weightedPriorityHealth !== undefined && { weightedPriorityHealth }),
  }
}

function ofCluster({ labels, healthStatus, ...endpoint }: EndpointShape, shape: ClusterShape): Endpoint {
  const match = shape.transportMatches.find((one) => hasLabels(labels, one.labels))
  const { hostname } = endpoint
  const hashed = shape.hashHostnames && hostname !== undefined ? { hashKey: hostname } : {}
  const said = shape.overrideStatuses && healthStatus !== undefined ? { healthStatus } : {}
  return { ...hashed, ...endpoint, ...said, transport: match?.transport ?? '' }
}

/** Every label that is wanted, with its value. Source: Cluster.TransportSocketMatch.match; an empty one fits all. */
const hasLabels = (labels: JsonObject, wanted: JsonObject): boolean =>
  Object.entries(wanted).every(([key, value]) => Object.hasOwn(labels, key) && isDeepStrictEqual(labels[key], value))
