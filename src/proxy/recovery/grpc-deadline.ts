import { formatGrpcTimeout, parseGrpcTimeout } from '../../base/grpc.ts'
import type { TimerWheel } from '../../base/timer-wheel.ts'
import type { RouteAction } from '../config.ts'
import { headerField, headerValue } from '../http/headers.ts'
import { isGrpc, type Call, type Layer } from '../http/service.ts'
import { deadline } from './deadline.ts'

type Bound = Pick<RouteAction & { readonly kind: 'forward' }, 'grpcTimeoutMaxMs'>

/**
 * How long a call of gRPC may take by its own word (`grpc-timeout`), ms, at least 1; never longer than the route allows. Undefined: it
 * says nothing, or the route does not listen. Source: envoy RouteAction.MaxStreamDuration.grpc_timeout_header_max. Pure.
 */
export function grpcTimeoutMs(
  { grpcTimeoutMaxMs: maxMs }: Bound,
  call: Pick<Call, 'protocol' | 'method' | 'headers'>,
): number | undefined {
  if (maxMs === undefined || !isGrpc(call)) return undefined
  const askedMs = parseGrpcTimeout(headerValue(call.headers, 'grpc-timeout') ?? '')
  if (askedMs === undefined) return undefined
  return Math.max(1, maxMs === 0 ? askedMs : Math.min(askedMs, maxMs))
}

/** Ends a call that is not over in that time, and tells the upstream so, where it is less than the caller said. */
export function grpcDeadline(bound: Bound, wheel: TimerWheel): Layer | undefined {
  if (bound.grpcTimeoutMaxMs === undefined) return undefined
  return (next) => (call) => {
    const limitMs = grpcTimeoutMs(bound, call)
    if (limitMs === undefined) return next(call)
    call.headers = call.headers.map((field) =>
      field.name === 'grpc-timeout' && (parseGrpcTimeout(field.value) ?? 0) > limitMs
        ? headerField('grpc-timeout', formatGrpcTimeout(limitMs))
        : field,
    )
    return (deadline(limitMs, wheel)?.(next) ?? next)(call)
  }
}
