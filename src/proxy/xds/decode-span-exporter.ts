import type { Any } from '@bufbuild/protobuf/wkt'
import {
  GrpcServiceSchema,
  GrpcService_EnvoyGrpcSchema,
  type GrpcService,
} from '../../xds/gen/envoy/config/core/v3/grpc_service_pb.ts'
import { OpenTelemetryConfigSchema } from '../../xds/gen/envoy/config/trace/v3/opentelemetry_pb.ts'
import type { SpanExporter } from '../config.ts'
import { decodeHttpCollector, type CollectorWay } from './decode-http-collector.ts'
import { durationMs } from './decode-parts.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

const known = fieldNames(`grpc_service http_service service_name max_cache_size set_telemetry_sdk_resource_attributes
  set_service_name_resource_attribute set_instrumentation_scope`)
const grpcFields = fieldNames('envoy_grpc timeout')
const envoyGrpcFields = fieldNames('cluster_name authority')

/** Path of `TraceService/Export`. */
const exportPath = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
/** Envoy waits for ever where nothing is said. */
const exportMs = 10_000
const waiting = 1024

const nowhere: CollectorWay = { cluster: '', protocol: 'grpc', authority: '', path: '', timeoutMs: 0, headers: [] }

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
    ? decodeHttpCollector(httpService, join(path, 'http_service'), { defaultMs: exportMs, mayBePath: false }, refused)
    : grpcService && byGrpc(grpcService, join(path, 'grpc_service'), refused)
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

function byGrpc(service: GrpcService, path: string, refused: Refusals): CollectorWay {
  knowOnly(GrpcServiceSchema, service, grpcFields, path, refused)
  const target = service.targetSpecifier
  if (target.case !== 'envoyGrpc' || target.value.clusterName === '') {
    refused.add(join(path, 'envoy_grpc'), 'expected cluster_name')
    return nowhere
  }
  knowOnly(GrpcService_EnvoyGrpcSchema, target.value, envoyGrpcFields, join(path, 'envoy_grpc'), refused)
  const { clusterName: cluster, authority } = target.value
  const timeoutMs = durationMs(service.timeout, exportMs, join(path, 'timeout'), refused)
  return { cluster, protocol: 'grpc', authority: authority || cluster, path: exportPath, timeoutMs, headers: [] }
}
