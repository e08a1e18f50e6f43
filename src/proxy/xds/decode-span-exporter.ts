import type { Any } from '@bufbuild/protobuf/wkt'
import { OpenTelemetryConfigSchema } from '../../xds/gen/envoy/config/trace/v3/opentelemetry_pb.ts'
import type { SpanExporter } from '../config.ts'
import { decodeGrpcCollector, nowhere, usualExportMs } from './decode-grpc-collector.ts'
import { decodeHttpCollector } from './decode-http-collector.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

const known = fieldNames(`grpc_service http_service service_name max_cache_size set_telemetry_sdk_resource_attributes
  set_service_name_resource_attribute set_instrumentation_scope`)

/** Path of `TraceService/Export`. */
const exportPath = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
const waiting = 1024

/** Where spans go by OTLP. Source: envoy.config.trace.v3.OpenTelemetryConfig. */
export function decodeSpanExporter(any: Any, path: string, refused: Refusals): SpanExporter | undefined {
  const message = open(any, OpenTelemetryConfigSchema, path, refused)
  if (message === undefined) return undefined
  knowOnly(OpenTelemetryConfigSchema, message, known, path, refused)
  const { grpcService, httpService, serviceName, maxCacheSize = waiting } = message
  if (grpcService !== undefined && httpService !== undefined)
    refused.add(path, 'grpc_service and http_service exclude each other')
  if (grpcService === undefined && httpService === undefined)
    refused.add(path, 'expected grpc_service or http_service: spans would go nowhere')
  const way = httpService
    ? decodeHttpCollector(
        httpService,
        join(path, 'http_service'),
        { defaultMs: usualExportMs, mayBePath: false },
        refused,
      )
    : grpcService && decodeGrpcCollector(grpcService, exportPath, join(path, 'grpc_service'), refused)
  return {
    ...(way ?? nowhere),
    format: {
      kind: 'otlp',
      service: (message.setServiceNameResourceAttribute ?? true) ? serviceName || 'unknown_service:weft' : undefined,
      tellsSdk: message.setTelemetrySdkResourceAttributes ?? true,
      tellsScope: message.setInstrumentationScope ?? true,
    },
    mostWaiting: maxCacheSize === 0 ? waiting : maxCacheSize,
  }
}
