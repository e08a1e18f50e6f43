import type { JsonObject } from '@bufbuild/protobuf'
import type { Metadata } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import {
  WeightedClusterSchema,
  WeightedCluster_ClusterWeightSchema,
  type RouteAction as XdsRouteAction,
} from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { balancerMetadata } from '../../xds/names.ts'
import type { AuthorityChange, WeightedCluster } from '../config.ts'
import { decodeHeaderEdits, headerEditFields, type HeaderEdits } from './decode-header-edits.ts'
import { decodeReplacement } from './decode-url-change.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const weightedFields = fieldNames('clusters total_weight runtime_key_prefix use_hash_policy')
const weightFields = fieldNames(`name weight metadata_match host_rewrite_literal ${headerEditFields}`)

/** Where a route leads, with all that is changed on the way. */
export function decodeDestinations(
  { clusterSpecifier: by, hostRewriteSpecifier: host, metadataMatch, appendXForwardedHost }: XdsRouteAction,
  around: Levels,
  path: string,
  refused: Refusals,
): WeightedCluster[] {
  const ofRoute = decodeAuthority(host, path, refused)
  const tellHost = appendXForwardedHost ? { tellHost: true } : {}
  if (by.case === 'cluster') {
    if (by.value === '') refused.add(join(path, 'cluster'), 'is empty')
    return [
      {
        cluster: by.value,
        weight: 1,
        ...subsetIn(metadataMatch),
        ...(ofRoute === undefined ? {} : { authority: ofRoute }),
        ...tellHost,
        ...inOrder(around),
      },
    ]
  }
  if (by.case !== 'weightedClusters') {
    if (by.case === undefined) refused.add(path, 'expected cluster or weighted_clusters')
    return []
  }
  const at = join(path, 'weighted_clusters')
  knowOnly(WeightedClusterSchema, by.value, weightedFields, at, refused)
  const clusters = by.value.clusters.map((one, index) => {
    const here = join(at, `clusters[${index}]`)
    knowOnly(WeightedCluster_ClusterWeightSchema, one, weightFields, here, refused)
    const authority = decodeAuthority(one.hostRewriteSpecifier, here, refused) ?? ofRoute
    const edits = decodeHeaderEdits(one, here, refused)
    const subset = subsetIn(metadataMatch, one.metadataMatch)
    return {
      cluster: one.name,
      weight: one.weight ?? 0,
      ...subset,
      ...(authority === undefined ? {} : { authority }),
      ...tellHost,
      ...inOrder({ ...around, levels: [edits, ...around.levels] }),
    }
  })
  if (clusters.every(({ weight }) => weight === 0)) refused.add(at, 'the weights add up to 0')
  return clusters
}

/** Which endpoints are meant: the narrower has the last word on each key; absent where neither says anything. */
export function subsetIn(...matches: readonly (Metadata | undefined)[]): Pick<WeightedCluster, 'subset'> {
  const parts = matches.flatMap((one) => one?.filterMetadata[balancerMetadata] ?? [])
  return parts.length === 0 ? {} : { subset: Object.assign({}, ...parts) as JsonObject }
}

/** Changes to headers, the narrower level first. */
export interface Levels {
  readonly levels: readonly HeaderEdits[]
  /** The narrower has the last word. */
  readonly narrowerLast: boolean
}

/** In the order of their effect; absent where nothing is changed. */
export function inOrder({ levels, narrowerLast }: Levels): Pick<WeightedCluster, 'requestEdits' | 'responseEdits'> {
  const ordered = narrowerLast ? levels.toReversed() : levels
  const requestEdits = ordered.flatMap(({ request }) => request)
  const responseEdits = ordered.flatMap(({ response }) => response)
  return {
    ...(requestEdits.length === 0 ? {} : { requestEdits }),
    ...(responseEdits.length === 0 ? {} : { responseEdits }),
  }
}

type HostRewrite = Pick<XdsRouteAction, 'hostRewriteSpecifier'>['hostRewriteSpecifier']

/** What may stand in Host. */
const hostForm = /^[A-Za-z0-9\-._~:[\]]+$/

/** A host as it is to be said; refused where it is none. */
export function decodeHost(host: string, path: string, refused: Refusals): string {
  if (!hostForm.test(host)) refused.add(path, 'is no host')
  return host.toLowerCase()
}

/** Undefined: as it was asked. Other kinds are refused by `knowOnly`. */
function decodeAuthority(by: HostRewrite, path: string, refused: Refusals): AuthorityChange | undefined {
  switch (by.case) {
    case 'hostRewriteLiteral':
      if (by.value === '') return undefined
      return decodeHost(by.value, join(path, 'host_rewrite_literal'), refused)
    case 'autoHostRewrite':
      return by.value.value ? { kind: 'endpoint' } : undefined
    case 'hostRewriteHeader':
      return { kind: 'header', name: by.value.toLowerCase() }
    case 'hostRewritePathRegex': {
      const at = join(path, 'host_rewrite_path_regex')
      const { pattern, substitution } = by.value
      return { kind: 'path', replacement: decodeReplacement(pattern?.regex ?? '', substitution, at, refused) }
    }
    default:
      return undefined
  }
}

/** Clusters by the hash of a call. Larger weights than these could not be told apart exactly. */
const maxHashedWeight = 2 ** 26

/** Whether the same hash finds the same cluster. xDS: use_hash_policy. */
export function splitsByHash({ clusterSpecifier: by }: XdsRouteAction, path: string, refused: Refusals): boolean {
  if (by.case !== 'weightedClusters' || by.value.randomValueSpecifier.case !== 'useHashPolicy') return false
  const total = by.value.clusters.reduce((sum, { weight = 0 }) => sum + weight, 0)
  if (total > maxHashedWeight)
    refused.add(join(path, 'weighted_clusters'), `with use_hash_policy weights may add up to ${maxHashedWeight}`)
  return by.value.randomValueSpecifier.value.value
}
