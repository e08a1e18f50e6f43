import type { Clock } from '../../base/clock.ts'
import { formatGrpcTimeout } from '../../base/grpc.ts'
import { headerField, headerValue, withHeader, withoutHeader, type Headers } from '../http/headers.ts'
import { isGrpc, type Layer } from '../http/service.ts'

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
  // The same number time and again where nothing was tried before: one object, which HPACK knows after its first time. Pays in: http2.
  let field = headerField(deadlineHeader, '')
  return (next) => (call) => {
    const { deadlineMs } = call
    if (deadlineMs === undefined) return next(call)
    const leftMs = Math.max(1, Math.ceil(deadlineMs - clock.nowMs()))
    const text = String(leftMs)
    if (field.value !== text) field = headerField(deadlineHeader, text)
    if (grpc && isGrpc(call)) call.headers = withGrpcTimeout(call.headers, leftMs)
    call.headers =
      call.hidesDeadline === true ? withoutHeader(call.headers, deadlineHeader) : withHeader(call.headers, field)
    return next(call)
  }
}

const withGrpcTimeout = (headers: Headers, leftMs: number): Headers =>
  headerValue(headers, 'grpc-timeout') === undefined
    ? headers
    : headers.map((one) => (one.name === 'grpc-timeout' ? headerField(one.name, formatGrpcTimeout(leftMs)) : one))
