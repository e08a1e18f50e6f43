import type { Any } from '@bufbuild/protobuf/wkt'
import { typeUrlOf } from '../../xds/any.ts'
import { HttpProtocolOptionsSchema } from '../../xds/gen/envoy/config/core/v3/protocol_pb.ts'
import type { TrafficDirection } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import type { Filter } from '../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { HTTPFaultSchema } from '../../xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import { AdaptiveConcurrencySchema } from '../../xds/gen/envoy/extensions/filters/http/adaptive_concurrency/v3/adaptive_concurrency_pb.ts'
import { RouterSchema } from '../../xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import { StatefulSessionSchema } from '../../xds/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.ts'
import { LocalRateLimitSchema } from '../../xds/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.ts'
import { RateLimitSchema as ExternalLimitSchema } from '../../xds/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.ts'
import { RBACSchema as HttpRbacSchema } from '../../xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import {
  HttpConnectionManager_CodecType as CodecType,
  HttpConnectionManager_ForwardClientCertDetails as ForwardDetails,
  HttpConnectionManager_SetCurrentClientCertDetailsSchema as ClientCertDetailsSchema,
  HttpConnectionManagerSchema,
  type HttpConnectionManager,
  type HttpFilter as XdsHttpFilter,
} from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { RBACSchema as NetworkRbacSchema } from '../../xds/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts'
import { TcpProxySchema } from '../../xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import type {
  Authorization,
  FilterChain,
  ForwardClientCert,
  HttpFilter,
  HttpTerminal,
  NetworkFilter,
  TcpTerminal,
} from '../config.ts'
import { decodeAccessLogs } from './decode-access-log.ts'
import { decodeAdaptiveConcurrency } from './decode-adaptive-concurrency.ts'
import { decodeAuthorization } from './decode-authorization.ts'
import { decodeExternalLimit } from './decode-external-limit.ts'
import { decodeFaults } from './decode-faults.ts'
import { ageOf } from './decode-connections.ts'
import { decodeEdge } from './decode-edge.ts'
import { decodeHttp1Server } from './decode-http1.ts'
import { decodeCallLimits, decodeManners } from './decode-manners.ts'
import { durationMs, mustBeAds, type PolicyOrigin } from './decode-parts.ts'
import { decodeRateLimit } from './decode-rate-limit.ts'
import { decodeRouteTable } from './decode-rds.ts'
import { decodeTcpProxy } from './decode-tcp-proxy.ts'
import { decodeSession } from './decode-session.ts'
import { decodeTracing } from './decode-tracing.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

type Origins = ReadonlyMap<string, PolicyOrigin>
const types = 'type.googleapis.com/'
const httpManager = types + HttpConnectionManagerSchema.typeName
const tcpProxy = types + TcpProxySchema.typeName
const networkRbac = types + NetworkRbacSchema.typeName
const httpRbac = types + HttpRbacSchema.typeName
const webFilter = `${types}envoy.extensions.filters.http.grpc_web.v3.GrpcWeb`
const forwardProxy = `${types}envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig`
const cors = `${types}envoy.extensions.filters.http.cors.v3.Cors`
const router = types + RouterSchema.typeName

const closed: TcpTerminal = {
  kind: 'tcp',
  statPrefix: '',
  clusters: [],
  idleTimeoutMs: 0,
  maxConnectAttempts: 1,
  accessLog: undefined,
}

/** The filters of one chain: RBAC as often as wanted, then one that speaks with the client. */
export function decodeFilters(
  { filters, direction }: { readonly filters: readonly Filter[]; readonly direction: TrafficDirection },
  origins: Origins,
  path: string,
  refused: Refusals,
): Pick<FilterChain, 'networkFilters' | 'terminal'> {
  const networkFilters: NetworkFilter[] = []
  let terminal: FilterChain['terminal'] | undefined
  for (const [index, { name, configType }] of filters.entries()) {
    const at = `${path}[${index}]`
    if (terminal !== undefined) refused.add(at, `${name} stands behind a terminal filter`)
    const any = configType.case === 'typedConfig' ? configType.value : undefined
    if (any?.typeUrl === httpManager) {
      const manager = open(any, HttpConnectionManagerSchema, at, refused)
      terminal = manager && {
        ...decodeHttp(manager, origins, at, refused),
        ...decodeTracing(manager, direction, join(at, 'tracing'), refused),
      }
    } else if (any?.typeUrl === tcpProxy) {
      const proxy = open(any, TcpProxySchema, at, refused)
      terminal = proxy && decodeTcpProxy(proxy, at, refused)
    } else if (any?.typeUrl === networkRbac) {
      const rbac = open(any, NetworkRbacSchema, at, refused)
      if (rbac === undefined) continue
      knowOnly(NetworkRbacSchema, rbac, networkRbacFields, at, refused)
      if (rbac.rules !== undefined) {
        const rules = decodeAuthorization(rbac.rules, origins, join(at, 'rules'), refused)
        networkFilters.push({ kind: 'authorize', rules })
      }
    } else refused.add(at, `${any?.typeUrl ?? name} is not supported`)
  }
  if (terminal === undefined) refused.add(path, 'expected a terminal filter (http_connection_manager or tcp_proxy)')
  return { networkFilters, terminal: terminal ?? closed }
}

const networkRbacFields = fieldNames('rules stat_prefix')

const httpFields = fieldNames(`codec_type stat_prefix rds route_config http_filters common_http_protocol_options
  http2_protocol_options stream_idle_timeout request_headers_timeout access_log forward_client_cert_details
  set_current_client_cert_details upgrade_configs normalize_path merge_slashes generate_request_id
  use_remote_address xff_num_trusted_hops internal_address_config preserve_external_request_id request_id_extension
  path_with_escaped_slashes_action server_header_transformation server_name request_timeout http_protocol_options tracing`)
const httpOptionFields = fieldNames(
  'idle_timeout max_connection_duration max_connection_duration_jitter max_stream_duration headers_with_underscores_action',
)

const hourMs = 3_600_000
/** Envoy waits for ever unless it is told otherwise; who wants that says 0s. */
const headersMs = 10_000

function decodeHttp(manager: HttpConnectionManager, origins: Origins, path: string, refused: Refusals): HttpTerminal {
  knowOnly(HttpConnectionManagerSchema, manager, httpFields, path, refused)
  if (manager.codecType === CodecType.HTTP3) refused.add(join(path, 'codec_type'), 'HTTP3 is not supported')
  const options = manager.commonHttpProtocolOptions
  const optionsPath = join(path, 'common_http_protocol_options')
  if (options !== undefined) knowOnly(HttpProtocolOptionsSchema, options, httpOptionFields, optionsPath, refused)
  return {
    kind: 'http',
    statPrefix: manager.statPrefix,
    routes: decodeRouteSpecifier(manager, path, refused),
    ...decodeHttpFilters(manager.httpFilters, origins, join(path, 'http_filters'), refused),
    ...ageOf(options, optionsPath, refused),
    idleTimeoutMs: durationMs(options?.idleTimeout, hourMs, join(optionsPath, 'idle_timeout'), refused),
    headersTimeoutMs: durationMs(
      manager.requestHeadersTimeout,
      headersMs,
      join(path, 'request_headers_timeout'),
      refused,
    ),
    ...(manager.requestTimeout && {
      requestTimeoutMs: durationMs(manager.requestTimeout, 0, join(path, 'request_timeout'), refused),
    }),
    ...decodeCallLimits(options, optionsPath, refused),
    ...decodeHttp1Server(manager.httpProtocolOptions, join(path, 'http_protocol_options'), refused),
    streamIdleTimeoutMs: durationMs(manager.streamIdleTimeout, 300_000, join(path, 'stream_idle_timeout'), refused),
    ...decodeForward(manager, path, refused),
    generateRequestId: manager.generateRequestId ?? true,
    ...decodeManners(manager, path, refused),
    ...decodeEdge(manager, path, refused),
    accessLog: decodeAccessLogs(manager.accessLog, 'call', join(path, 'access_log'), refused),
  }
}

function decodeRouteSpecifier(
  { routeSpecifier: by }: HttpConnectionManager,
  path: string,
  refused: Refusals,
): HttpTerminal['routes'] {
  if (by.case === 'routeConfig') return { inline: decodeRouteTable(by.value, join(path, 'route_config'), refused) }
  if (by.case === 'rds') {
    if (by.value.routeConfigName === '') refused.add(join(path, 'rds.route_config_name'), 'is empty')
    mustBeAds(by.value.configSource, join(path, 'rds.config_source'), refused)
    return { named: by.value.routeConfigName }
  }
  if (by.case === undefined) refused.add(path, 'expected rds or route_config')
  return { named: '' }
}

const forwardModes: Readonly<Record<ForwardDetails, ForwardClientCert>> = {
  [ForwardDetails.SANITIZE]: 'sanitize',
  [ForwardDetails.FORWARD_ONLY]: 'forward-only',
  [ForwardDetails.APPEND_FORWARD]: 'append-forward',
  [ForwardDetails.SANITIZE_SET]: 'sanitize-set',
  [ForwardDetails.ALWAYS_FORWARD_ONLY]: 'always-forward-only',
}
const certPartFields = fieldNames('subject uri dns')

function decodeForward(
  { forwardClientCertDetails: mode, setCurrentClientCertDetails: set }: HttpConnectionManager,
  path: string,
  refused: Refusals,
): Pick<HttpTerminal, 'forwardClientCert' | 'clientCertParts'> {
  const at = join(path, 'set_current_client_cert_details')
  if (set !== undefined) knowOnly(ClientCertDetailsSchema, set, certPartFields, at, refused)
  const parts = [
    set?.subject === true ? (['subject'] as const) : [],
    set?.uri === true ? (['uri'] as const) : [],
    set?.dns === true ? (['dns'] as const) : [],
  ]
  return { forwardClientCert: forwardModes[mode] ?? 'sanitize', clientCertParts: parts.flat() }
}

const rateLimitFilter = typeUrlOf(LocalRateLimitSchema)
const externalLimitFilter = typeUrlOf(ExternalLimitSchema)
const faultFilter = types + HTTPFaultSchema.typeName
const httpRbacFields = fieldNames('rules rules_stat_prefix track_per_rule_stats')

/** In the order given. A filter that says `is_optional` may be unknown to us; the router is the end of the list and no filter here. */
function decodeHttpFilters(
  filters: readonly XdsHttpFilter[],
  origins: Origins,
  path: string,
  refused: Refusals,
): Pick<HttpTerminal, 'filters' | 'respectDeadline' | 'hideDeadline'> {
  const decoded: HttpFilter[] = []
  let routed: ReturnType<typeof decodeRouter> | undefined
  for (const [index, { name, configType, isOptional, disabled }] of filters.entries()) {
    const at = `${path}[${index}]`
    if (routed !== undefined) refused.add(at, `${name} stands behind the router`)
    const any = configType.case === 'typedConfig' ? configType.value : undefined
    if (disabled && any?.typeUrl !== externalLimitFilter) {
      if (any?.typeUrl === rateLimitFilter) decoded.push({ kind: 'rate-limit', name, limit: undefined })
      continue
    }
    if (any?.typeUrl === router) routed = decodeRouter(any, at, refused)
    else if (any?.typeUrl === httpRbac) {
      const rbac = open(any, HttpRbacSchema, at, refused)
      if (rbac === undefined) continue
      knowOnly(HttpRbacSchema, rbac, httpRbacFields, at, refused)
      const rules: Authorization | undefined =
        rbac.rules && decodeAuthorization(rbac.rules, origins, join(at, 'rules'), refused)
      if (rules !== undefined) decoded.push({ kind: 'authorize', rules })
    } else if (any?.typeUrl === webFilter) decoded.push({ kind: 'grpc-web' })
    else if (any?.typeUrl === cors) continue // what a route says of it is done there
    else if (any?.typeUrl === rateLimitFilter) {
      const limit = open(any, LocalRateLimitSchema, at, refused)
      // Switched off here, a route may switch it on.
      decoded.push({ kind: 'rate-limit', name, limit: limit && decodeRateLimit(limit, origins, at, refused) })
    } else if (any?.typeUrl === externalLimitFilter) {
      const filter = open(any, ExternalLimitSchema, at, refused)
      if (filter === undefined) continue
      const limit = decodeExternalLimit(filter, origins.get(name), at, refused)
      decoded.push({ kind: 'external-limit', name, limit, ...(disabled && { byRoute: true }) })
    } else if (any?.typeUrl === typeUrlOf(AdaptiveConcurrencySchema)) {
      const filter = open(any, AdaptiveConcurrencySchema, at, refused)
      const limit = filter && decodeAdaptiveConcurrency(filter, origins.get(name), at, refused)
      if (limit !== undefined) decoded.push({ kind: 'adaptive-concurrency', limit })
    } else if (any?.typeUrl === typeUrlOf(StatefulSessionSchema)) {
      const filter = open(any, StatefulSessionSchema, at, refused)
      if (filter !== undefined) decoded.push({ kind: 'session', name, state: decodeSession(filter, at, refused) })
    } else if (any?.typeUrl === faultFilter) {
      if (decodeFaults(any, at, refused) !== undefined)
        refused.add(at, 'faults are taken from routes only (typed_per_filter_config)')
    } else if (isOptional && any?.typeUrl === forwardProxy) {
      continue // names are resolved by clusters here
    } else {
      const why = `${name || any?.typeUrl || 'a nameless filter'} is not supported`
      if (isOptional) refused.leave(at, why)
      else refused.add(at, why)
    }
  }
  if (routed === undefined) refused.add(path, 'expected the router at the end')
  return { filters: decoded, ...routed }
}

// Statistics for each cluster are there in any case.
const routerFields = fieldNames('dynamic_stats respect_expected_rq_timeout suppress_envoy_headers')

/** Of the router what is no business of routes: whose deadlines count, and whether they are passed on. */
function decodeRouter(
  any: Any,
  path: string,
  refused: Refusals,
): Pick<HttpTerminal, 'respectDeadline' | 'hideDeadline'> {
  const options = open(any, RouterSchema, path, refused)
  if (options === undefined) return {}
  knowOnly(RouterSchema, options, routerFields, path, refused)
  return {
    ...(options.respectExpectedRqTimeout ? { respectDeadline: true } : {}),
    ...(options.suppressEnvoyHeaders ? { hideDeadline: true } : {}),
  }
}
