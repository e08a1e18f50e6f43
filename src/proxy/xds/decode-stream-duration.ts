import {
  RouteAction_MaxStreamDurationSchema,
  type RouteAction_MaxStreamDuration,
} from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { RouteAction } from '../config.ts'
import { durationMs } from './decode-parts.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const known = fieldNames('grpc_timeout_header_max max_stream_duration')

/** How long a call may last, and whether `grpc-timeout` counts, and how much of it. Source: envoy RouteAction.MaxStreamDuration. */
export function decodeStreamDuration(
  duration: RouteAction_MaxStreamDuration | undefined,
  path: string,
  refused: Refusals,
): Pick<RouteAction & { readonly kind: 'forward' }, 'grpcTimeoutMaxMs' | 'streamTimeoutMs'> {
  if (duration === undefined) return {}
  knowOnly(RouteAction_MaxStreamDurationSchema, duration, known, path, refused)
  const { grpcTimeoutHeaderMax: max, maxStreamDuration: whole } = duration
  return {
    ...(max && { grpcTimeoutMaxMs: durationMs(max, 0, join(path, 'grpc_timeout_header_max'), refused) }),
    ...(whole && { streamTimeoutMs: durationMs(whole, 0, join(path, 'max_stream_duration'), refused) }),
  }
}
