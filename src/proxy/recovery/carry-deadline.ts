import type { Clock } from '../../base/clock.ts'
import { formatGrpcTimeout } from '../../base/grpc.ts'
import { headerField, headerValue, type HeaderField, type Headers } from '../http/headers.ts'
import { isGrpc, type Call, type Layer } from '../http/service.ts'

/**
 * How long the one before still waits, in whole ms: what a proxy tells the next hop, and what a program copies to the calls that it makes
 * meanwhile, so that the deadline is carried along and shrinks. Source: Envoy, "HTTP header manipulation"; gRPC has `grpc-timeout`.
 */
export const deadlineHeader = 'x-envoy-expected-rq-timeout-ms'

/** What the header says, ms; undefined: nothing, or nothing that makes sense. Envoy: 0 is no limit. */
export function askedMs(headers: Headers): number | undefined {
  const text = headerValue(headers, deadlineHeader)
  return text !== undefined && /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined
}

/** Believes a caller that says how long it waits. `respect` false: no layer. xDS: Router.respect_expected_rq_timeout. */
export function hearDeadline(respect: boolean | undefined, clock: Clock): Layer | undefined {
  if (respect !== true) return undefined
  return (next) => (call) => {
    const waitsMs = askedMs(call.headers)
    if (waitsMs !== undefined) call.deadlineMs = clock.nowMs() + waitsMs
    return next(call)
  }
}

/** Upstreams are not told how long the caller waits. `hide` false: no layer. xDS: Router.suppress_envoy_headers. */
export function hideDeadline(hide: boolean | undefined): Layer | undefined {
  if (hide !== true) return undefined
  return (next) => (call) => {
    call.hidesDeadline = true
    return next(call)
  }
}

/**
 * Tells the upstream how long the call may still take: below retries, so that each attempt says what is left. Not the limit of an attempt,
 * which Envoy would say: the callee's sidecar would hold to it, and its 504 come in the place of the next attempt. `grpc`: by
 * `grpc-timeout` too, where the caller gave one.
 */
export function tellDeadline({ grpc }: { readonly grpc: boolean }, clock: Clock): Layer {
  return (next) => (call) => {
    const { deadlineMs } = call
    if (deadlineMs === undefined) return next(call)
    call.headers = told(call, Math.max(1, Math.floor(deadlineMs - clock.nowMs())), grpc)
    return next(call)
  }
}

function told(call: Call, leftMs: number, grpc: boolean): Headers {
  const ofGrpc = grpc && isGrpc(call)
  const fields: HeaderField[] = []
  for (const field of call.headers)
    if (ofGrpc && field.name === 'grpc-timeout') fields.push(headerField(field.name, formatGrpcTimeout(leftMs)))
    else if (field.name !== deadlineHeader) fields.push(field)
  if (call.hidesDeadline !== true) fields.push(headerField(deadlineHeader, String(leftMs)))
  return fields
}
