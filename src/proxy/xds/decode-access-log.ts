import {
  AccessLogSchema,
  type AccessLog as XdsAccessLog,
} from '../../xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import { FileAccessLogSchema } from '../../xds/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts'
import {
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
} from '../../xds/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.ts'
import { typeUrlOf } from '../../xds/any.ts'
import type { AccessLog } from '../config.ts'
import { decodeLogFilter } from './decode-log-filter.ts'
import { decodeLogFormat } from './decode-log-format.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'
import type { ValuePlace } from './value-commands.ts'

/** Of what a log tells. */
export type LogPlace = Exclude<ValuePlace, 'request' | 'response'>

const logFields = fieldNames('name filter typed_config')

/** Undefined: there are none. Loggers that send their lines to a server are refused. */
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
    default:
      refused.add(path, `${any?.typeUrl || name || 'a log without a type'} is not supported`)
      return undefined
  }
}
