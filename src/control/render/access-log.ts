import type { MessageInitShape } from '@bufbuild/protobuf'
import type { AccessLogSchema } from '../../xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import { StdoutAccessLogSchema } from '../../xds/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.ts'
import { typed } from './parts.ts'

/** One line a call on standard output, in the proxy's own format; nothing when it is off. */
export const accessLogs = (enabled: boolean): MessageInitShape<typeof AccessLogSchema>[] =>
  enabled
    ? [
        {
          name: 'envoy.access_loggers.stdout',
          configType: { case: 'typedConfig', value: typed(StdoutAccessLogSchema, {}) },
        },
      ]
    : []
