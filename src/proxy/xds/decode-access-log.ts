import {
  AccessLogSchema,
  type AccessLog as XdsAccessLog,
} from '../../xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import { FileAccessLogSchema } from '../../xds/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts'
import {
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
} from '../../xds/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.ts'
import {
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from '../../xds/gen/envoy/extensions/access_loggers/grpc/v3/als_pb.ts'
import { OpenTelemetryAccessLogConfigSchema } from '../../xds/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb.ts'
import { typeUrlOf } from '../../xds/any.ts'
import type { AccessLog } from '../config.ts'
import { decodeLogFilter } from './decode-log-filter.ts'
import { decodeLogFormat } from './decode-log-format.ts'
import { decodeHttpServerLog, decodeTcpServerLog } from './decode-log-server.ts'
import { decodeOtlpLog } from './decode-otlp-log.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'
import type { ValuePlace } from './value-commands.ts'

/** Of what a log tells. */
export type LogPlace = Exclude<ValuePlace, 'request' | 'response'>

const logFields = fieldNames('name filter typed_config')

/** Undefined: there are none. */
export function decodeAccessLogs(
  logs: readonly XdsAccessLog[],
  place: LogPlace,
  path: string,
  refused: Refusals,
): readonly AccessLog[] | undefined {
  if (logs.length === 0) return undefined
  return logs.flatMap((log, index) => {
    const at = `${path}[${index}]`
    knowOnly(AccessLogSchema, log, logFields, at, refused)
    const logger = decodeLogger(log, place, join(at, 'typed_config'), refused)
    const filter = log.filter && decodeLogFilter(log.filter, place, join(at, 'filter'), refused)
    return logger === undefined ? [] : [{ ...logger, ...(filter && { filter }) }]
  })
}

const fileFields = fieldNames('path log_format format json_format typed_json_format')
const streamFields = fieldNames('log_format')

function decodeLogger(
  { name, configType: { value: any } }: XdsAccessLog,
  place: LogPlace,
  path: string,
  refused: Refusals,
): AccessLog | undefined {
  switch (any?.typeUrl) {
    case typeUrlOf(StdoutAccessLogSchema): {
      const log = open(any, StdoutAccessLogSchema, path, refused)
      if (log === undefined) return undefined
      knowOnly(StdoutAccessLogSchema, log, streamFields, path, refused)
      return { path: '/dev/stdout', ...decodeLogFormat(log.accessLogFormat, place, path, refused) }
    }
    case typeUrlOf(StderrAccessLogSchema): {
      const log = open(any, StderrAccessLogSchema, path, refused)
      if (log === undefined) return undefined
      knowOnly(StderrAccessLogSchema, log, streamFields, path, refused)
      return { path: '/dev/stderr', ...decodeLogFormat(log.accessLogFormat, place, path, refused) }
    }
    case typeUrlOf(FileAccessLogSchema): {
      const log = open(any, FileAccessLogSchema, path, refused)
      if (log === undefined) return undefined
      knowOnly(FileAccessLogSchema, log, fileFields, path, refused)
      if (log.path === '') refused.add(join(path, 'path'), 'is empty')
      return { path: log.path, ...decodeLogFormat(log.accessLogFormat, place, path, refused) }
    }
    case typeUrlOf(HttpGrpcAccessLogConfigSchema):
    case typeUrlOf(TcpGrpcAccessLogConfigSchema):
      // Source: Envoy, udp_proxy: what there is to tell stands in dynamic metadata.
      if (place === 'session') refused.add(path, 'is not supported: sessions of datagrams have no entries')
      return any.typeUrl === typeUrlOf(HttpGrpcAccessLogConfigSchema)
        ? decodeHttpServerLog(any, path, refused)
        : decodeTcpServerLog(any, path, refused)
    case typeUrlOf(OpenTelemetryAccessLogConfigSchema):
      return decodeOtlpLog(any, place, path, refused)
    default:
      refused.add(path, `${any?.typeUrl || name || 'a log without a type'} is not supported`)
      return undefined
  }
}
