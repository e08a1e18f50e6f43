import {
  AccessLogSchema,
  type AccessLog as XdsAccessLog,
} from '../../xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import { FileAccessLogSchema } from '../../xds/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts'
import type { AccessLog } from '../config.ts'
import { fieldNames, knowOnly, open, type Refusals } from './refusals.ts'

const types = 'type.googleapis.com/'
const fileLog = types + FileAccessLogSchema.typeName
const stdoutLog = `${types}envoy.extensions.access_loggers.stream.v3.StdoutAccessLog`
const stderrLog = `${types}envoy.extensions.access_loggers.stream.v3.StderrAccessLog`

const logFields = fieldNames('name typed_config')
const fileFields = fieldNames('path')

/** One log, in our own format: a foreign format would be promised and not kept. */
export function decodeAccessLog(logs: readonly XdsAccessLog[], path: string, refused: Refusals): AccessLog | undefined {
  const [log, ...more] = logs
  if (log === undefined) return undefined
  if (more.length > 0) refused.add(`${path}[1]`, 'a second log is not supported')
  const at = `${path}[0]`
  knowOnly(AccessLogSchema, log, logFields, at, refused)
  const any = log.configType.value
  if (any?.typeUrl === stdoutLog) return { path: '/dev/stdout' }
  if (any?.typeUrl === stderrLog) return { path: '/dev/stderr' }
  if (any?.typeUrl === fileLog) {
    const file = open(any, FileAccessLogSchema, at, refused)
    if (file !== undefined) knowOnly(FileAccessLogSchema, file, fileFields, at, refused)
    return file && { path: file.path }
  }
  refused.add(at, `${log.name || any?.typeUrl} is not supported`)
  return undefined
}
