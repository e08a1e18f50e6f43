import type { Any } from '@bufbuild/protobuf/wkt'
import {
  GrpcServiceSchema,
  GrpcService_EnvoyGrpcSchema,
  type GrpcService,
} from '../../xds/gen/envoy/config/core/v3/grpc_service_pb.ts'
import { RateLimitServiceConfigSchema } from '../../xds/gen/envoy/config/ratelimit/v3/rls_pb.ts'
import {
  RateLimitPerRouteSchema,
  RateLimitSchema,
  type RateLimit,
} from '../../xds/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.ts'
import type { ExternalLimit, Origin, RouteLimiter } from '../config.ts'
import { decodeDescriptors } from './decode-descriptors.ts'
import { durationMs } from './decode-parts.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

const known = fieldNames(`domain stage request_type timeout failure_mode_deny rate_limited_as_resource_exhausted
  rate_limit_service enable_x_ratelimit_headers disable_x_envoy_ratelimited_header rate_limited_status status_on_error
  stat_prefix rate_limits`)
const serviceFields = fieldNames('grpc_service transport_api_version')
const grpcFields = fieldNames('envoy_grpc timeout')
const envoyGrpcFields = fieldNames('cluster_name authority')

/** The filter, with Envoy's own answers where it says nothing. Source: envoy.extensions.filters.http.ratelimit.v3.RateLimit. */
export function decodeExternalLimit(
  filter: RateLimit,
  origin: Origin | undefined,
  path: string,
  refused: Refusals,
): ExternalLimit {
  knowOnly(RateLimitSchema, filter, known, path, refused)
  const { domain, requestType, rateLimitService: service } = filter
  if (domain === '') refused.add(join(path, 'domain'), 'is empty')
  if (requestType !== '' && requestType !== 'both') refused.add(join(path, 'request_type'), 'only "both" is supported')
  const at = join(path, 'rate_limit_service')
  if (service !== undefined) knowOnly(RateLimitServiceConfigSchema, service, serviceFields, at, refused)
  const status = filter.rateLimitedStatus?.code ?? 0
  const onError = filter.statusOnError?.code ?? 0
  return {
    domain,
    ...decodeService(service?.grpcService, join(at, 'grpc_service'), refused),
    stage: filter.stage,
    descriptors: decodeDescriptors(filter.rateLimits, undefined, join(path, 'rate_limits'), refused),
    timeoutMs: durationMs(filter.timeout, 20, join(path, 'timeout'), refused),
    ...(filter.failureModeDeny ? { statusOnFailure: onError < 100 ? 500 : onError } : {}),
    status: status < 400 ? 429 : status,
    resourceExhausted: filter.rateLimitedAsResourceExhausted,
    marked: !filter.disableXEnvoyRatelimitedHeader,
    tellsAll: filter.enableXRatelimitHeaders !== 0,
    origin,
  }
}

function decodeService(
  service: GrpcService | undefined,
  path: string,
  refused: Refusals,
): Pick<ExternalLimit, 'cluster' | 'authority'> {
  if (service !== undefined) knowOnly(GrpcServiceSchema, service, grpcFields, path, refused)
  const target = service?.targetSpecifier
  if (target?.case !== 'envoyGrpc' || target.value.clusterName === '') {
    refused.add(join(path, 'envoy_grpc'), 'expected cluster_name')
    return { cluster: '' }
  }
  knowOnly(GrpcService_EnvoyGrpcSchema, target.value, envoyGrpcFields, join(path, 'envoy_grpc'), refused)
  const { clusterName: cluster, authority } = target.value
  return authority === '' ? { cluster } : { cluster, authority }
}

const routeFields = fieldNames('rate_limits domain')

/** What `typed_per_filter_config` says of the filter. Source: envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute. */
export function decodeRouteLimiter(any: Any, path: string, refused: Refusals): RouteLimiter | undefined {
  const message = open(any, RateLimitPerRouteSchema, path, refused)
  if (message === undefined) return undefined
  knowOnly(RateLimitPerRouteSchema, message, routeFields, path, refused)
  const { domain, rateLimits } = message
  const descriptors = decodeDescriptors(rateLimits, undefined, join(path, 'rate_limits'), refused)
  return { ...(domain !== '' && { domain }), ...(descriptors.length > 0 && { descriptors }) }
}
