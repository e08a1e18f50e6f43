import type { Any } from '@bufbuild/protobuf/wkt'
import {
  CommonGrpcAccessLogConfigSchema,
  type CommonGrpcAccessLogConfig,
} from '../../xds/gen/envoy/extensions/access_loggers/grpc/v3/als_pb.ts'
import {
  OpenTelemetryAccessLogConfigSchema,
  type OpenTelemetryAccessLogConfig,
} from '../../xds/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb.ts'
import type { AnyValue, KeyValueList } from '../../xds/gen/opentelemetry/proto/common/v1/common_pb.ts'
import type { Collector, JsonFields, JsonFormat, ResourceField, ResourceValue, ServerLog } from '../config.ts'
import { decodeCustomTags } from './decode-custom-tags.ts'
import { decodeGrpcCollector, nowhere, usualExportMs } from './decode-grpc-collector.ts'
import { decodeHttpCollector } from './decode-http-collector.ts'
import { partsOf } from './decode-log-format.ts'
import { checkVersion, usualFlush } from './decode-log-server.ts'
import { durationMs } from './decode-parts.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'
import type { ValuePlace } from './value-commands.ts'

const exportPath = '/opentelemetry.proto.collector.logs.v1.LogsService/Export'

const known = fieldNames(`common_config http_service grpc_service disable_builtin_labels resource_attributes body
  attributes stat_prefix log_name buffer_flush_interval buffer_size_bytes custom_tags`)
// The others are not looked at by Envoy here: they stand in the logger itself.
const commonFields = fieldNames('log_name grpc_service transport_api_version')

/** Records of OTLP. Source: envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig. */
export function decodeOtlpLog(any: Any, place: ValuePlace, path: string, refused: Refusals): ServerLog | undefined {
  const log = open(any, OpenTelemetryAccessLogConfigSchema, path, refused)
  if (log === undefined) return undefined
  knowOnly(OpenTelemetryAccessLogConfigSchema, log, known, path, refused)
  const common: CommonGrpcAccessLogConfig | undefined = log.commonConfig
  const commonAt = join(path, 'common_config')
  if (common !== undefined) {
    knowOnly(CommonGrpcAccessLogConfigSchema, common, commonFields, commonAt, refused)
    checkVersion(common, commonAt, refused)
  }
  return {
    server: {
      kind: 'otlp',
      collector: collectorOf(log, common, path, refused),
      name: log.logName || (common?.logName ?? ''),
      batchBytes: log.bufferSizeBytes ?? usualFlush.bytes,
      flushMs: durationMs(log.bufferFlushInterval, usualFlush.intervalMs, join(path, 'buffer_flush_interval'), refused),
      tellsNode: !log.disableBuiltinLabels,
      resource: resourceFields(log.resourceAttributes, join(path, 'resource_attributes'), refused),
    },
    entry: {
      kind: 'otlp',
      ...(log.body?.value.case !== undefined && { body: formatOf(log.body, place, join(path, 'body'), refused) }),
      attributes: fieldsOf(log.attributes, place, join(path, 'attributes'), refused),
      tags: decodeCustomTags(log.customTags, join(path, 'custom_tags'), refused),
    },
  }
}

function collectorOf(
  { httpService, grpcService }: OpenTelemetryAccessLogConfig,
  common: CommonGrpcAccessLogConfig | undefined,
  path: string,
  refused: Refusals,
): Collector {
  const commonService = common?.grpcService
  const count = [httpService, grpcService, commonService].filter((one) => one !== undefined).length
  if (count !== 1) refused.add(path, 'expected one of grpc_service, http_service and common_config.grpc_service')
  if (httpService !== undefined)
    return decodeHttpCollector(
      httpService,
      join(path, 'http_service'),
      { defaultMs: usualExportMs, mayBePath: false },
      refused,
    )
  if (grpcService !== undefined)
    return decodeGrpcCollector(grpcService, exportPath, join(path, 'grpc_service'), refused)
  const at = join(path, 'common_config.grpc_service')
  return commonService === undefined ? nowhere : decodeGrpcCollector(commonService, exportPath, at, refused)
}

/** Every text may have commands. Source: Envoy, `OpenTelemetryFormatter`. */
function formatOf({ value }: AnyValue, place: ValuePlace, path: string, refused: Refusals): JsonFormat {
  switch (value.case) {
    case 'stringValue':
      return { kind: 'value', parts: partsOf(value.value, place, join(path, 'string_value'), refused) }
    case 'kvlistValue':
      return { kind: 'object', fields: fieldsOf(value.value, place, join(path, 'kvlist_value'), refused) }
    case 'arrayValue': {
      const at = join(path, 'array_value')
      const items = value.value.values.map((one, index) => formatOf(one, place, `${at}.values[${index}]`, refused))
      return { kind: 'list', items }
    }
    default:
      refused.add(path, 'expected string_value, kvlist_value or array_value')
      return { kind: 'constant', value: null }
  }
}

function fieldsOf(list: KeyValueList | undefined, place: ValuePlace, path: string, refused: Refusals): JsonFields {
  return (list?.values ?? []).map(({ key, value }, index) => {
    const at = `${path}.values[${index}].value`
    if (value === undefined) refused.add(at, 'is missing')
    return [key, value === undefined ? { kind: 'constant', value: null } : formatOf(value, place, at, refused)] as const
  })
}

function resourceFields(list: KeyValueList | undefined, path: string, refused: Refusals): readonly ResourceField[] {
  return (list?.values ?? []).map(
    ({ key, value }, index) => [key, resourceValue(value, `${path}.values[${index}].value`, refused)] as const,
  )
}

function resourceValue(any: AnyValue | undefined, path: string, refused: Refusals): ResourceValue {
  const value = any?.value
  switch (value?.case) {
    case 'stringValue':
      return { kind: 'text', value: value.value }
    case 'boolValue':
      return { kind: 'truth', value: value.value }
    case 'intValue':
      if (!Number.isSafeInteger(Number(value.value))) refused.add(join(path, 'int_value'), 'is over 2^53')
      return { kind: 'whole', value: Number(value.value) }
    case 'doubleValue':
      return { kind: 'number', value: value.value }
    case 'arrayValue': {
      const at = join(path, 'array_value')
      const items = value.value.values.map((one, index) => resourceValue(one, `${at}.values[${index}]`, refused))
      return { kind: 'list', items }
    }
    case 'kvlistValue':
      return { kind: 'object', fields: resourceFields(value.value, join(path, 'kvlist_value'), refused) }
    default:
      refused.add(path, 'expected a text, a truth value, a number, a list or an object')
      return { kind: 'text', value: '' }
  }
}
