import type { Clock } from '../../base/clock.ts'
import type { TimerWheel } from '../../base/timer-wheel.ts'
import type { Fault } from '../http/fault.ts'
import type { Call, Layer } from '../http/service.ts'
import { grpcTimeoutMs, type GrpcBound } from './grpc-timeout.ts'

/** What bounds the calls of one route. */
export interface Bound extends GrpcBound {
  /** Of the whole call, ms; 0: none. */
  readonly timeoutMs: number
}

/**
 * How long a call may take from now on, ms: of the route's limit, the caller's deadline and its `grpc-timeout` the shortest, which may
 * be over already (≤ 0). Undefined: nothing bounds it. Pure.
 */
export function limitMs(
  bound: Bound,
  call: Pick<Call, 'protocol' | 'method' | 'headers' | 'deadlineMs'>,
  nowMs: number,
): number | undefined {
  const left = call.deadlineMs === undefined ? Infinity : call.deadlineMs - nowMs
  const shortest = Math.min(bound.timeoutMs || Infinity, left, grpcTimeoutMs(bound, call) ?? Infinity)
  return shortest === Infinity ? undefined : shortest
}

/**
 * Ends a call that is not over within its limit, retries and the reply's body included; up to one tick of the wheel late. One whose
 * limit is over when it comes goes no further. Layers below find the moment in `call.deadlineMs`.
 */
export function deadline(bound: Bound, { wheel, clock }: { wheel: TimerWheel; clock: Clock }): Layer {
  const unbounded = bound.timeoutMs === 0 && bound.grpcTimeoutMaxMs === undefined
  return (next) => (call) => {
    if (unbounded && call.deadlineMs === undefined) return next(call)
    const nowMs = clock.nowMs()
    const timeoutMs = limitMs(bound, call, nowMs)
    if (timeoutMs === undefined) return next(call)
    if (timeoutMs <= 0) return Promise.resolve(late(0))
    call.deadlineMs = nowMs + timeoutMs
    const timer = wheel.after(timeoutMs, () => call.cancel(late(timeoutMs)))
    call.onEnd(() => timer.cancel())
    return next(call)
  }
}

const late = (timeoutMs: number): Fault => ({
  kind: 'timeout',
  side: 'upstream',
  retry: 'if-idempotent',
  what: 'request',
  timeoutMs: Math.round(timeoutMs),
})

/** How long no byte of the call may pass, in the place of what the listener says; the codec that took it looks. 0: for ever. */
export function idleLimit(timeoutMs: number | undefined): Layer | undefined {
  if (timeoutMs === undefined) return undefined
  return (next) => (call) => {
    call.idleTimeoutMs = timeoutMs
    return next(call)
  }
}
