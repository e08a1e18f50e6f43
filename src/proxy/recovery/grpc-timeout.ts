import { parseGrpcTimeout } from '../../base/grpc.ts'
import type { RouteAction } from '../config.ts'
import { headerValue } from '../http/headers.ts'
import { isGrpc, type Call } from '../http/service.ts'

/** Whether a route listens to `grpc-timeout`, and how much of it counts. */
export type GrpcBound = Pick<RouteAction & { readonly kind: 'forward' }, 'grpcTimeoutMaxMs'>

/**
 * How long a call of gRPC may take by its own word (`grpc-timeout`), ms, at least 1; never longer than the route allows. Undefined: it
 * says nothing, or the route does not listen. Source: envoy RouteAction.MaxStreamDuration.grpc_timeout_header_max. Pure.
 */
export function grpcTimeoutMs(
  { grpcTimeoutMaxMs: maxMs }: GrpcBound,
  call: Pick<Call, 'protocol' | 'method' | 'headers'>,
): number | undefined {
  if (maxMs === undefined || !isGrpc(call)) return undefined
  const askedMs = parseGrpcTimeout(headerValue(call.headers, 'grpc-timeout') ?? '')
  if (askedMs === undefined) return undefined
  return Math.max(1, maxMs === 0 ? askedMs : Math.min(askedMs, maxMs))
}
