import { fromBinary, type JsonObject } from '@bufbuild/protobuf'
import { balancerMetadata } from '../../xds/names.ts'
import type { DataSource, Metadata } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import { RouteConfigurationSchema, type RouteConfiguration } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import {
  DirectResponseActionSchema,
  QueryParameterMatcherSchema,
  RouteActionSchema,
  RouteAction_ClusterNotFoundResponseCode as NotFoundCode,
  RouteMatchSchema,
  RouteSchema,
  VirtualHostSchema,
  WeightedClusterSchema,
  WeightedCluster_ClusterWeightSchema,
  type DirectResponseAction,
  type QueryParameterMatcher,
  type Route as XdsRoute,
  type RouteAction as XdsRouteAction,
  type RouteMatch as XdsRouteMatch,
  type VirtualHost as XdsVirtualHost,
} from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type {
  HeaderMatch,
  PathChange,
  PathMatch,
  Route,
  RouteAction,
  RouteMatch,
  RouteTable,
  VirtualHost,
  WeightedCluster,
} from '../config.ts'
import { decodeFilterConfigs } from './decode-filter-configs.ts'
import { decodeGrpcTimeout } from './decode-grpc.ts'
import { decodeHashPolicy } from './decode-hash-policy.ts'
import { decodeHeaderEdits, headerEditFields, type HeaderEdits } from './decode-header-edits.ts'
import { decodeMirror } from './decode-mirror.ts'
import { durationMs, headerMatch, originOf, settingsOf, stringMatch, weftPart } from './decode-parts.ts'
import { decodeRetryPolicy } from './decode-retry.ts'
import { decodePrefixRewrite, decodeRedirect, decodeRegexRewrite, sound } from './decode-url-change.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

/** A RouteConfiguration by itself (RDS). */
export const decodeRds = (bytes: Uint8Array, refused: Refusals): RouteTable =>
  decodeRouteTable(fromBinary(RouteConfigurationSchema, bytes), '', refused)

const tableFields = fieldNames(`name virtual_hosts validate_clusters ignore_port_in_host_matching metadata
  most_specific_header_mutations_wins max_direct_response_body_size_bytes`)

/** Also for the route configuration within a listener. */
export function decodeRouteTable(table: RouteConfiguration, path: string, refused: Refusals): RouteTable {
  knowOnly(RouteConfigurationSchema, table, tableFields, path, refused)
  const used = new Set<string>()
  const virtualHosts = table.virtualHosts.map((host, index) =>
    decodeVirtualHost(
      { host, narrowerLast: table.mostSpecificHeaderMutationsWins },
      used,
      join(path, `virtual_hosts[${index}]`),
      refused,
    ),
  )
  const domains = new Set<string>()
  for (const { name, domains: own } of virtualHosts) {
    for (const domain of own) {
      if (domains.has(domain)) refused.add(path, `the domain ${domain} of virtual host ${name} is there already`)
      domains.add(domain)
    }
  }
  return {
    name: table.name,
    virtualHosts,
    ignorePortInHost: table.ignorePortInHostMatching,
    ...(table.validateClusters === false ? { clustersMayBeMissing: true } : {}),
    origin: originOf(table.metadata),
  }
}

const hostFields = fieldNames('name domains routes retry_policy metadata include_is_timeout_retry_header')

function decodeVirtualHost(
  { host, narrowerLast }: Around,
  used: Set<string>,
  path: string,
  refused: Refusals,
): VirtualHost {
  knowOnly(VirtualHostSchema, host, hostFields, path, refused)
  if (host.domains.length === 0) refused.add(join(path, 'domains'), 'expected at least one')
  return {
    name: host.name,
    domains: host.domains.map((domain) => domain.toLowerCase()),
    routes: host.routes.map((route, index) => {
      const decoded = decodeRoute(route, { host, narrowerLast }, index, join(path, `routes[${index}]`), refused)
      const name = used.has(decoded.name) ? `${decoded.name}#${used.size}` : decoded.name
      used.add(name)
      return name === decoded.name ? decoded : { ...decoded, name }
    }),
  }
}

const routeFields = fieldNames(
  `name match route redirect direct_response metadata decorator stat_prefix typed_per_filter_config ${headerEditFields}`,
)

/** What the parts around an action say about it. */
interface Around {
  readonly host: XdsVirtualHost
  /** The narrower has the last word on headers. */
  readonly narrowerLast: boolean
}
interface AroundAction extends Around {
  readonly match: RouteMatch
  readonly edits: HeaderEdits
}

function decodeRoute(route: XdsRoute, context: Around, index: number, path: string, refused: Refusals): Route {
  const { host } = context
  knowOnly(RouteSchema, route, routeFields, path, refused)
  if (route.match === undefined) refused.add(join(path, 'match'), 'is missing')
  const match = route.match === undefined ? anything : decodeMatch(route.match, join(path, 'match'), refused)
  const edits = decodeHeaderEdits(route, path, refused)
  return {
    name: route.name || `${host.name}/${index}`,
    match,
    action: decodeAction(route, { ...context, match, edits }, path, refused),
    ...decodeFilterConfigs(route.typedPerFilterConfig, path, refused),
    ...(edits.response.length === 0 ? {} : { responseEdits: edits.response }),
    origin: originOf(route.metadata),
    ...settingsOf(route.metadata),
  }
}

const anything: RouteMatch = {
  path: { kind: 'prefix', value: '/', caseSensitive: true },
  headers: [],
  queryParameters: [],
}

const matchFields = fieldNames('prefix path safe_regex path_separated_prefix case_sensitive headers query_parameters')

function decodeMatch(match: XdsRouteMatch, path: string, refused: Refusals): RouteMatch {
  knowOnly(RouteMatchSchema, match, matchFields, path, refused)
  return {
    path: decodePath(match, path, refused),
    headers: match.headers.map((one, index) => headerMatch(one, join(path, `headers[${index}]`), refused)),
    queryParameters: match.queryParameters.map((one, index) =>
      decodeQuery(one, join(path, `query_parameters[${index}]`), refused),
    ),
  }
}

function decodePath(
  { pathSpecifier, caseSensitive = true }: XdsRouteMatch,
  path: string,
  refused: Refusals,
): PathMatch {
  switch (pathSpecifier.case) {
    case 'prefix':
      return { kind: 'prefix', value: pathSpecifier.value, caseSensitive }
    case 'path':
      return { kind: 'exact', value: pathSpecifier.value, caseSensitive }
    case 'pathSeparatedPrefix':
      if (!/^\/.*[^/]$/.test(pathSpecifier.value))
        refused.add(join(path, 'path_separated_prefix'), 'must begin with a slash and not end with one')
      return { kind: 'segments', value: pathSpecifier.value, caseSensitive }
    case 'safeRegex':
      return { kind: 'regex', value: pathSpecifier.value.regex, caseSensitive }
    case undefined:
      refused.add(path, 'expected prefix, path, path_separated_prefix or safe_regex')
      return anything.path
    default:
      return anything.path // refused by knowOnly
  }
}

const queryFields = fieldNames('name string_match present_match')

function decodeQuery(matcher: QueryParameterMatcher, path: string, refused: Refusals): HeaderMatch {
  knowOnly(QueryParameterMatcherSchema, matcher, queryFields, path, refused)
  const { name, queryParameterMatchSpecifier: by } = matcher
  if (by.case === 'stringMatch')
    return { name, match: stringMatch(by.value, join(path, 'string_match'), refused), invert: false }
  return { name, match: undefined, invert: by.case === 'presentMatch' && !by.value }
}

function decodeAction(route: XdsRoute, around: AroundAction, path: string, refused: Refusals): RouteAction {
  const { action } = route
  switch (action.case) {
    case 'route':
      return decodeForward(route, action.value, around, join(path, 'route'), refused)
    case 'redirect':
      return decodeRedirect(action.value, around.match.path, join(path, 'redirect'), refused)
    case 'directResponse':
      return decodeDirect(action.value, join(path, 'direct_response'), refused)
    case undefined:
      refused.add(path, 'expected route, redirect or direct_response')
      return nothing
    default:
      return nothing // refused by knowOnly
  }
}
const nothing: RouteAction = { kind: 'direct', status: 500, body: '' }

const forwardFields = fieldNames(`cluster weighted_clusters cluster_not_found_response_code timeout retry_policy
  include_vh_rate_limits max_stream_duration prefix_rewrite regex_rewrite host_rewrite_literal
  request_mirror_policies hash_policy metadata_match idle_timeout`)

const notFoundStatus: Readonly<Record<number, 404 | 500 | 503>> = {
  [NotFoundCode.SERVICE_UNAVAILABLE]: 503,
  [NotFoundCode.NOT_FOUND]: 404,
  [NotFoundCode.INTERNAL_SERVER_ERROR]: 500,
}

function decodeForward(
  route: XdsRoute,
  action: XdsRouteAction,
  around: AroundAction,
  path: string,
  refused: Refusals,
): RouteAction {
  knowOnly(RouteActionSchema, action, forwardFields, path, refused)
  const retry = action.retryPolicy ?? around.host.retryPolicy
  const change = decodePathChange(action, around.match.path, path, refused)
  return {
    kind: 'forward',
    clusters: decodeClusters(action, around, path, refused),
    ...(change && { path: change }),
    ...(action.requestMirrorPolicies.length > 0 && {
      mirrors: action.requestMirrorPolicies.map((one, index) =>
        decodeMirror(one, join(path, `request_mirror_policies[${index}]`), refused),
      ),
    }),
    ...(splitsByHash(action, path, refused) && { splitByHash: true }),
    ...(action.hashPolicy.length > 0 && {
      hashPolicies: action.hashPolicy.map((one, index) =>
        decodeHashPolicy(one, join(path, `hash_policy[${index}]`), refused),
      ),
    }),
    timeoutMs: durationMs(action.timeout, 15_000, join(path, 'timeout'), refused),
    ...(action.idleTimeout && {
      idleTimeoutMs: durationMs(action.idleTimeout, 0, join(path, 'idle_timeout'), refused),
    }),
    ...decodeGrpcTimeout(action.maxStreamDuration, join(path, 'max_stream_duration'), refused),
    retry: retry && decodeRetryPolicy(retry, weftPart(route.metadata), join(path, 'retry_policy'), refused),
    clusterNotFoundStatus: notFoundStatus[action.clusterNotFoundResponseCode] ?? 503,
  }
}

function decodePathChange(
  { prefixRewrite, regexRewrite }: XdsRouteAction,
  matched: PathMatch,
  path: string,
  refused: Refusals,
): PathChange | undefined {
  if (regexRewrite !== undefined) {
    if (prefixRewrite !== '') refused.add(path, 'prefix_rewrite and regex_rewrite exclude each other')
    return decodeRegexRewrite(regexRewrite, join(path, 'regex_rewrite'), refused)
  }
  if (prefixRewrite === '') return undefined
  return decodePrefixRewrite(sound(prefixRewrite, join(path, 'prefix_rewrite'), refused), matched)
}

const weightedFields = fieldNames('clusters total_weight runtime_key_prefix use_hash_policy')
const weightFields = fieldNames(`name weight metadata_match host_rewrite_literal ${headerEditFields}`)

/** Clusters by the hash of a call. Larger weights than these could not be told apart exactly. */
const maxHashedWeight = 2 ** 26

function splitsByHash({ clusterSpecifier: by }: XdsRouteAction, path: string, refused: Refusals): boolean {
  if (by.case !== 'weightedClusters' || by.value.randomValueSpecifier.case !== 'useHashPolicy') return false
  const total = by.value.clusters.reduce((sum, { weight = 0 }) => sum + weight, 0)
  if (total > maxHashedWeight)
    refused.add(join(path, 'weighted_clusters'), `with use_hash_policy weights may add up to ${maxHashedWeight}`)
  return by.value.randomValueSpecifier.value.value
}

function decodeClusters(
  { clusterSpecifier: by, hostRewriteSpecifier: host, metadataMatch }: XdsRouteAction,
  around: AroundAction,
  path: string,
  refused: Refusals,
): WeightedCluster[] {
  const ofRoute = hostLiteral(host, path, refused)
  if (by.case === 'cluster') {
    if (by.value === '') refused.add(join(path, 'cluster'), 'is empty')
    return [{ cluster: by.value, weight: 1, ...subsetIn(metadataMatch), ...changes(ofRoute, around, noEdits) }]
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
    const authority = hostLiteral(one.hostRewriteSpecifier, here, refused) ?? ofRoute
    const edits = decodeHeaderEdits(one, here, refused)
    const subset = subsetIn(metadataMatch, one.metadataMatch)
    return { cluster: one.name, weight: one.weight ?? 0, ...subset, ...changes(authority, around, edits) }
  })
  if (clusters.every(({ weight }) => weight === 0)) refused.add(at, 'the weights add up to 0')
  return clusters
}

/** Which endpoints are meant: the narrower has the last word on each key; absent where neither says anything. */
function subsetIn(...matches: readonly (Metadata | undefined)[]): Pick<WeightedCluster, 'subset'> {
  const parts = matches.flatMap((one) => one?.filterMetadata[balancerMetadata] ?? [])
  return parts.length === 0 ? {} : { subset: Object.assign({}, ...parts) as JsonObject }
}

const noEdits: HeaderEdits = { request: [], response: [] }

/** What the route and the cluster change, in the order that the table wants; absent where nothing is. */
function changes(
  authority: string | undefined,
  { edits: ofRoute, narrowerLast }: AroundAction,
  ofCluster: HeaderEdits,
): Omit<WeightedCluster, 'cluster' | 'weight'> {
  const [first, second] = narrowerLast ? [ofRoute, ofCluster] : [ofCluster, ofRoute]
  const requestEdits = [...first.request, ...second.request]
  const responseEdits = [...first.response, ...second.response]
  return {
    ...(requestEdits.length === 0 ? {} : { requestEdits }),
    ...(responseEdits.length === 0 ? {} : { responseEdits }),
    ...(authority === undefined ? {} : { authority }),
  }
}

/** Undefined: as it was asked. Other kinds are refused by `knowOnly`. */
function hostLiteral(
  by: { readonly case?: string | undefined; readonly value?: unknown },
  path: string,
  refused: Refusals,
): string | undefined {
  if (by.case !== 'hostRewriteLiteral' || typeof by.value !== 'string' || by.value === '') return undefined
  if (!/^[A-Za-z0-9\-._~:[\]]+$/.test(by.value)) refused.add(join(path, 'host_rewrite_literal'), 'is no host')
  return by.value.toLowerCase()
}

const directFields = fieldNames('status body')

function decodeDirect(action: DirectResponseAction, path: string, refused: Refusals): RouteAction {
  knowOnly(DirectResponseActionSchema, action, directFields, path, refused)
  if (action.status < 200 || action.status > 599)
    refused.add(join(path, 'status'), `expected 200 to 599, got ${action.status}`)
  return { kind: 'direct', status: action.status, body: inlineText(action.body, join(path, 'body'), refused) ?? '' }
}

/** Text that stands in the resource itself; undefined when the field is absent. Files and variables of this machine are refused. */
export function inlineText(source: DataSource | undefined, path: string, refused: Refusals): string | undefined {
  const by = source?.specifier
  if (by === undefined) return undefined
  switch (by.case) {
    case undefined:
      return undefined
    case 'inlineString':
      return by.value
    case 'inlineBytes':
      return Buffer.from(by.value).toString()
    default:
      refused.add(path, `${by.case} is not supported, expected inline_string or inline_bytes`)
      return undefined
  }
}
