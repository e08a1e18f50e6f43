import type { Any } from '@bufbuild/protobuf/wkt'
import { typeUrlOf } from '../../xds/any.ts'
import { TrafficDirection } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import {
  DecoratorSchema,
  TracingSchema as RouteTracingSchema,
  type Route as XdsRoute,
} from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { Tracing_HttpSchema } from '../../xds/gen/envoy/config/trace/v3/http_tracer_pb.ts'
import { OpenTelemetryConfigSchema } from '../../xds/gen/envoy/config/trace/v3/opentelemetry_pb.ts'
import { ZipkinConfigSchema } from '../../xds/gen/envoy/config/trace/v3/zipkin_pb.ts'
import {
  HttpConnectionManager_TracingSchema as ManagerTracingSchema,
  type HttpConnectionManager,
} from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { UuidRequestIdConfigSchema } from '../../xds/gen/envoy/extensions/request_id/uuid/v3/uuid_pb.ts'
import type { FractionalPercent, Percent } from '../../xds/gen/envoy/type/v3/percent_pb.ts'
import type { RequestIds, RouteSpans, SampleShare, Sampling, Tracing } from '../config.ts'
import { decodeCustomTags } from './decode-custom-tags.ts'
import { fractionOf } from './decode-parts.ts'
import { decodeSpanExporter } from './decode-span-exporter.ts'
import { decodeZipkin } from './decode-zipkin.ts'
import { fieldNames, join, knowOnly, open, refusals, type Refusals } from './refusals.ts'

const managerFields = fieldNames(`client_sampling random_sampling overall_sampling max_path_tag_length
  custom_tags provider spawn_upstream_span no_context_propagation`)
const providerFields = fieldNames('name typed_config')

/** What a manager says of spans; absent: there are none. Source: Envoy, `HttpConnectionManagerConfig`, `TracingConnectionManagerConfig`. */
export function decodeTracing(
  manager: HttpConnectionManager,
  direction: TrafficDirection,
  path: string,
  refused: Refusals,
): { readonly tracing?: Tracing } {
  const { tracing } = manager
  if (tracing === undefined) return {}
  knowOnly(ManagerTracingSchema, tracing, managerFields, path, refused)
  const { provider } = tracing
  const at = join(path, 'provider')
  if (provider === undefined) {
    refused.add(at, 'is missing: the bootstrap has no tracer')
    return {}
  }
  knowOnly(Tracing_HttpSchema, provider, providerFields, at, refused)
  const any = provider.configType.value
  if (any === undefined) refused.add(join(at, 'typed_config'), 'is missing')
  const decoded = any && decodeProvider(any, join(at, 'typed_config'), refused)
  if (decoded === undefined) return {}
  return {
    tracing: {
      ...decoded,
      sampling: {
        client: shareOf(tracing.clientSampling, 100),
        random: shareOf(tracing.randomSampling, 10_000),
        overall: shareOf(tracing.overallSampling, 10_000),
      },
      tags: decodeCustomTags(tracing.customTags, join(path, 'custom_tags'), refused),
      maxPathLength: tracing.maxPathTagLength ?? 256,
      attempts: tracing.spawnUpstreamSpan ?? false,
      silent: tracing.noContextPropagation,
      egress: direction === TrafficDirection.OUTBOUND,
      requestIds: requestIdsOf(manager),
    },
  }
}

function decodeProvider(any: Any, path: string, refused: Refusals): Pick<Tracing, 'tracer' | 'exporter'> | undefined {
  switch (any.typeUrl) {
    case typeUrlOf(OpenTelemetryConfigSchema): {
      const exporter = decodeSpanExporter(any, path, refused)
      return exporter && { tracer: { kind: 'opentelemetry' }, exporter }
    }
    case typeUrlOf(ZipkinConfigSchema):
      return decodeZipkin(any, path, refused)
    default:
      refused.add(
        path,
        `${any.typeUrl || 'a nameless type'} is not supported: expected OpenTelemetryConfig or ZipkinConfig`,
      )
      return undefined
  }
}

/** As Envoy rounds it. */
const shareOf = (percent: Percent | undefined, denominator: number): SampleShare => ({
  numerator:
    percent === undefined ? denominator : Math.min(denominator, Math.round((percent.value * denominator) / 100)),
  denominator,
})

/** Whoever decodes the extension refuses what is wrong with it. */
function requestIdsOf({ requestIdExtension }: HttpConnectionManager): RequestIds {
  const any = requestIdExtension?.typedConfig
  const uuid = any && open(any, UuidRequestIdConfigSchema, '', refusals())
  return { packed: uuid?.packTraceReason ?? true, decide: uuid?.useRequestIdForTraceSampling ?? true }
}

const routeFields = fieldNames('client_sampling random_sampling overall_sampling custom_tags')
const decoratorFields = fieldNames('operation propagate')

/** What a route says of the spans of its calls; absent: nothing. Source: envoy Route.tracing, Route.decorator. */
export function decodeRouteSpans(
  { tracing, decorator }: XdsRoute,
  path: string,
  refused: Refusals,
): { readonly spans?: RouteSpans } {
  if (tracing === undefined && decorator === undefined) return {}
  if (tracing !== undefined) knowOnly(RouteTracingSchema, tracing, routeFields, join(path, 'tracing'), refused)
  if (decorator !== undefined) knowOnly(DecoratorSchema, decorator, decoratorFields, join(path, 'decorator'), refused)
  if (decorator?.operation === '') refused.add(join(path, 'decorator.operation'), 'is empty')
  const sampling: Sampling | undefined = tracing && {
    client: fractionIn(tracing.clientSampling),
    random: fractionIn(tracing.randomSampling),
    overall: fractionIn(tracing.overallSampling),
  }
  return {
    spans: {
      ...(sampling && { sampling }),
      ...(tracing && { tags: decodeCustomTags(tracing.customTags, join(path, 'tracing.custom_tags'), refused) }),
      ...(decorator && { operation: decorator.operation, tellsOperation: decorator.propagate ?? true }),
    },
  }
}

const fractionIn = (part: FractionalPercent | undefined): SampleShare =>
  part === undefined ? { numerator: 100, denominator: 100 } : fractionOf(part)
