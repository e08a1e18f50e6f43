import { fromBinary } from '@bufbuild/protobuf'
import { RoutingPriority, type RuntimeFractionalPercent } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import { RouteConfigurationSchema, type RouteConfiguration } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import {
  DirectResponseActionSchema,
  QueryParameterMatcherSchema,
  RouteActionSchema,
  RouteAction_ClusterNotFoundResponseCode as NotFoundCode,
  RouteMatchSchema,
  RouteSchema,
  VirtualHostSchema,
  VirtualHost_TlsRequirementType as TlsRequirement,
  type DirectResponseAction,
  type QueryParameterMatcher,
  type Route as XdsRoute,
  type RouteAction as XdsRouteAction,
  type RouteMatch as XdsRouteMatch,
  type VirtualHost as XdsVirtualHost,
} from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type {
  HeaderMatch,
  Origin,
  PathChange,
  PathMatch,
  Route,
  RouteAction,
  RouteMatch,
  RouteTable,
  VirtualHost,
} from '../config.ts'
import { decodeBufferLimit } from './decode-buffer-limit.ts'
import { decodeDestinations, inOrder, splitsByHash, type Levels } from './decode-destinations.ts'
import { decodeDescriptors } from './decode-descriptors.ts'
import { decodeFilterConfigs, narrowed, type RouteFilters } from './decode-filter-configs.ts'
import { decodeStreamDuration } from './decode-stream-duration.ts'
import { decodeHashPolicy } from './decode-hash-policy.ts'
import { decodeHedging } from './decode-hedging.ts'
import { decodeHeaderEdits, headerEditFields, type HeaderEdits } from './decode-header-edits.ts'
import { decodeMirror } from './decode-mirror.ts'
import {
  durationMs,
  headerMatch,
  originOf,
  policyOrigins,
  settingsOf,
  shareOf,
  stringMatch,
  weftPart,
} from './decode-parts.ts'
import { decodeRetryPolicy } from './decode-retry.ts'
import { inlineText } from './decode-source.ts'
import { decodeRouteSpans } from './decode-tracing.ts'
import { decodeRouteUpgrades } from './decode-upgrades.ts'
import { decodePrefixRewrite, decodeRedirect, decodeRegexRewrite, sound } from './decode-url-change.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

/** A RouteConfiguration by itself (RDS). */
export const decodeRds = (bytes: Uint8Array, refused: Refusals): RouteTable =>
  decodeRouteTable(fromBinary(RouteConfigurationSchema, bytes), '', refused)

const tableFields = fieldNames(`name virtual_hosts validate_clusters ignore_port_in_host_matching metadata
  most_specific_header_mutations_wins typed_per_filter_config max_direct_response_body_size_bytes ${headerEditFields}`)

/** Also for the route configuration within a listener. */
export function decodeRouteTable(table: RouteConfiguration, path: string, refused: Refusals): RouteTable {
  knowOnly(RouteConfigurationSchema, table, tableFields, path, refused)
  const used = new Set<string>()
  const ofTable = [decodeHeaderEdits(table, path, refused)]
  const { name, typedPerFilterConfig: configs } = table
  const filters = decodeFilterConfigs({ configs, place: name, origins: noOrigins }, path, refused)
  const virtualHosts = table.virtualHosts.map((host, index) =>
    decodeVirtualHost(
      { host, place: name, around: ofTable, filters, narrowerLast: table.mostSpecificHeaderMutationsWins },
      used,
      join(path, `virtual_hosts[${index}]`),
      refused,
    ),
  )
  const domains = new Set<string>()
  for (const host of virtualHosts) {
    for (const domain of host.domains) {
      if (domains.has(domain)) refused.add(path, `the domain ${domain} of virtual host ${host.name} is there already`)
      domains.add(domain)
    }
  }
  return {
    name,
    virtualHosts,
    ignorePortInHost: table.ignorePortInHostMatching,
    ...(table.validateClusters === false ? { clustersMayBeMissing: true } : {}),
    origin: originOf(table.metadata),
  }
}

const hostFields = fieldNames(
  `name domains routes retry_policy hedge_policy rate_limits metadata typed_per_filter_config include_is_timeout_retry_header
    include_request_attempt_count include_attempt_count_in_response require_tls request_body_buffer_limit
    per_request_buffer_limit_bytes ${headerEditFields}`,
)

function decodeVirtualHost(
  { host, place: table, around: ofTable, filters: wide, narrowerLast }: Around,
  used: Set<string>,
  path: string,
  refused: Refusals,
): VirtualHost {
  knowOnly(VirtualHostSchema, host, hostFields, path, refused)
  const around = [decodeHeaderEdits(host, path, refused), ...ofTable]
  const place = `${table}/${host.name}`
  const configs = host.typedPerFilterConfig
  const filters = narrowed(wide, decodeFilterConfigs({ configs, place, origins: noOrigins }, path, refused))
  const context: Around = { host, place, around, filters, narrowerLast }
  if (host.domains.length === 0) refused.add(join(path, 'domains'), 'expected at least one')
  return {
    name: host.name,
    domains: host.domains.map((domain) => domain.toLowerCase()),
    ...requiredTls(host, path, refused),
    routes: host.routes.map((route, index) => {
      const decoded = decodeRoute(route, context, index, join(path, `routes[${index}]`), refused)
      const name = used.has(decoded.name) ? `${decoded.name}#${used.size}` : decoded.name
      used.add(name)
      return name === decoded.name ? decoded : { ...decoded, name }
    }),
  }
}

const tlsWanted: Readonly<Record<number, VirtualHost['requireTls']>> = {
  [TlsRequirement.EXTERNAL_ONLY]: 'external',
  [TlsRequirement.ALL]: 'all',
}

function requiredTls({ requireTls }: XdsVirtualHost, path: string, refused: Refusals): Pick<VirtualHost, 'requireTls'> {
  const wanted = tlsWanted[requireTls]
  if (wanted === undefined && requireTls !== TlsRequirement.NONE)
    refused.add(join(path, 'require_tls'), `${requireTls} is not supported`)
  return wanted === undefined ? {} : { requireTls: wanted }
}

const routeFields = fieldNames(
  `name match route redirect direct_response metadata decorator tracing stat_prefix typed_per_filter_config request_body_buffer_limit
    per_request_buffer_limit_bytes ${headerEditFields}`,
)

/** What the parts around a route say about it. */
interface Around {
  readonly host: XdsVirtualHost
  /** Its name, and those around it. */
  readonly place: string
  /** What they say to single filters. */
  readonly filters: RouteFilters
  /** Changes to headers of the levels around, the narrower first. */
  readonly around: readonly HeaderEdits[]
  /** The narrower has the last word on headers. */
  readonly narrowerLast: boolean
}
interface AroundAction extends Levels {
  readonly host: XdsVirtualHost
  readonly match: RouteMatch
}

function decodeRoute(route: XdsRoute, context: Around, index: number, path: string, refused: Refusals): Route {
  const { host } = context
  knowOnly(RouteSchema, route, routeFields, path, refused)
  if (route.match === undefined) refused.add(join(path, 'match'), 'is missing')
  const match = route.match === undefined ? anything : decodeMatch(route.match, join(path, 'match'), refused)
  const levels = [decodeHeaderEdits(route, path, refused), ...context.around]
  const { narrowerLast } = context
  const { responseEdits } = inOrder({ levels, narrowerLast })
  const weft = weftPart(route.metadata)
  const idleS = weft?.['session_idle_seconds']
  const own = {
    configs: route.typedPerFilterConfig,
    place: `${context.place}/${index}`,
    origins: policyOrigins(weft),
    sessionIdleS: typeof idleS === 'number' ? idleS : undefined,
  }
  return {
    name: route.name || `${host.name}/${index}`,
    ...(route.name === '' && { unnamed: true as const }),
    match,
    action: decodeAction(route, { host, levels, narrowerLast, match }, path, refused),
    ...narrowed(context.filters, decodeFilterConfigs(own, path, refused)),
    ...(responseEdits && { responseEdits }),
    ...descriptorsOf(route, host, path, refused),
    ...decodeRouteSpans(route, path, refused),
    origin: originOf(route.metadata),
    ...settingsOf(route.metadata),
  }
}

/** A virtual host's are asked where the route has none, or wants them too. Source: envoy RouteAction.include_vh_rate_limits. */
function descriptorsOf(
  { action, metadata }: XdsRoute,
  host: XdsVirtualHost,
  path: string,
  refused: Refusals,
): Pick<Route, 'descriptors'> {
  const forward = action.case === 'route' ? action.value : undefined
  const own = decodeDescriptors(forward?.rateLimits ?? [], metadata, join(path, 'route.rate_limits'), refused)
  const wide = own.length === 0 || forward?.includeVhRateLimits === true ? host.rateLimits : []
  const all = [...own, ...decodeDescriptors(wide, metadata, join(path, 'rate_limits'), refused)]
  if (all.some(({ entries }) => entries.some(({ kind }) => kind === 'destination-cluster')))
    if (forward?.clusterSpecifier.case === 'weightedClusters')
      refused.add(join(path, 'route.rate_limits'), 'destination_cluster is not supported beside weighted_clusters')
  return all.length === 0 ? {} : { descriptors: all }
}

const noOrigins: ReadonlyMap<string, Origin> = new Map()

const anything: RouteMatch = {
  path: { kind: 'prefix', value: '/', caseSensitive: true },
  headers: [],
  queryParameters: [],
}

/** The target of a CONNECT is an authority, and no path that a prefix could match. */
const anyConnect: PathMatch = { kind: 'regex', value: '[^/].*', caseSensitive: true }
const isConnect: HeaderMatch = {
  name: ':method',
  match: { kind: 'exact', value: 'CONNECT', ignoreCase: false },
  invert: false,
}

const matchFields = fieldNames(
  'prefix path safe_regex path_separated_prefix connect_matcher case_sensitive headers query_parameters runtime_fraction',
)

function decodeMatch(match: XdsRouteMatch, path: string, refused: Refusals): RouteMatch {
  knowOnly(RouteMatchSchema, match, matchFields, path, refused)
  const headers = match.headers.map((one, index) => headerMatch(one, join(path, `headers[${index}]`), refused))
  return {
    path: decodePath(match, path, refused),
    headers: match.pathSpecifier.case === 'connectMatcher' ? [isConnect, ...headers] : headers,
    queryParameters: match.queryParameters.map((one, index) =>
      decodeQuery(one, join(path, `query_parameters[${index}]`), refused),
    ),
    ...(match.runtimeFraction && shareIn(match.runtimeFraction, join(path, 'runtime_fraction'), refused)),
  }
}

/** There is no runtime here: its default value is the fraction. */
function shareIn(
  { defaultValue }: RuntimeFractionalPercent,
  path: string,
  refused: Refusals,
): Pick<RouteMatch, 'share'> {
  if (defaultValue === undefined) refused.add(join(path, 'default_value'), 'is missing')
  const share = shareOf(defaultValue, 1)
  return share < 1 ? { share } : {}
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
    case 'connectMatcher':
      return anyConnect
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
  include_vh_rate_limits max_stream_duration prefix_rewrite regex_rewrite host_rewrite_literal host_rewrite_header host_rewrite_path_regex auto_host_rewrite append_x_forwarded_host
  request_mirror_policies hash_policy hedge_policy rate_limits metadata_match idle_timeout priority upgrade_configs`)

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
  const weft = weftPart(route.metadata)
  const written = action.retryPolicy ?? around.host.retryPolicy
  const retry = written && decodeRetryPolicy(written, weft, join(path, 'retry_policy'), refused)
  const hedge = action.hedgePolicy ?? around.host.hedgePolicy
  const upgrades = decodeRouteUpgrades(action, path, refused)
  if (around.match.path === anyConnect && upgrades.endsConnect !== true)
    refused.add(join(path, 'upgrade_configs'), 'expected CONNECT with connect_config where connect_matcher matches')
  const change = decodePathChange(action, around.match.path, path, refused)
  return {
    kind: 'forward',
    clusters: decodeDestinations(action, around, path, refused),
    ...(change && { path: change }),
    ...(action.requestMirrorPolicies.length > 0 && {
      mirrors: action.requestMirrorPolicies.map((one, index) =>
        decodeMirror(one, join(path, `request_mirror_policies[${index}]`), refused),
      ),
    }),
    ...(action.priority === RoutingPriority.HIGH && { priority: 'high' }),
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
    ...decodeStreamDuration(action.maxStreamDuration, join(path, 'max_stream_duration'), refused),
    ...decodeHedging(hedge, retry, weft, join(path, 'hedge_policy'), refused),
    ...(around.host.includeRequestAttemptCount && { tellAttempt: true }),
    ...(around.host.includeAttemptCountInResponse && { tellAttempts: true }),
    ...decodeBufferLimit(route, around.host, path, refused),
    ...upgrades,
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

const directFields = fieldNames('status body')

function decodeDirect(action: DirectResponseAction, path: string, refused: Refusals): RouteAction {
  knowOnly(DirectResponseActionSchema, action, directFields, path, refused)
  if (action.status < 200 || action.status > 599)
    refused.add(join(path, 'status'), `expected 200 to 599, got ${action.status}`)
  return { kind: 'direct', status: action.status, body: inlineText(action.body, join(path, 'body'), refused) ?? '' }
}
