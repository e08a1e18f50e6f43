import type { Clock, Timer } from '../../base/clock.ts'
import type { TimerWheel } from '../../base/timer-wheel.ts'
import type { Fault } from '../http/fault.ts'
import { isFault, type Call, type Layer, type Reply } from '../http/service.ts'
import { grpcTimeoutMs, type GrpcBound } from './grpc-timeout.ts'

/** What bounds the calls of one route. */
export interface Bound extends GrpcBound {
  /** Of the whole call, ms; 0: none. */
  readonly timeoutMs: number
}

/** What tells the time. */
export interface DeadlineParts {
  readonly wheel: TimerWheel
  readonly clock: Clock
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
 * limit is over when it comes goes no further. Layers below find the moment in `call.deadlineMs`. An upgrade or CONNECT is only bounded
 * until it is accepted: what goes through it is no answer that anybody waits for.
 */
export function deadline(bound: Bound, { wheel, clock }: DeadlineParts): Layer {
  const unbounded = bound.timeoutMs === 0 && bound.grpcTimeoutMaxMs === undefined
  return (next) => (call) => {
    if (unbounded && call.deadlineMs === undefined) return next(call)
    const nowMs = clock.nowMs()
    const timeoutMs = limitMs(bound, call, nowMs)
    if (timeoutMs === undefined) return next(call)
    if (timeoutMs <= 0) return Promise.resolve(late('request', 0))
    call.deadlineMs = nowMs + timeoutMs
    const timer = endAfter(timeoutMs, call, 'request', timeoutMs, wheel)
    return call.upgrade === undefined && call.method !== 'CONNECT' ? next(call) : untilOpen(next(call), timer)
  }
}

async function untilOpen(answering: Promise<Reply | Fault>, timer: Timer): Promise<Reply | Fault> {
  const answer = await answering
  if (!isFault(answer) && answer.tunnel !== undefined) timer.cancel()
  return answer
}

/** How long a call may last in all, ms; absent or 0: for ever. */
export interface StreamBound extends GrpcBound {
  readonly streamTimeoutMs?: number
}

/**
 * Ends a call that is not over so long after its head came, whatever it is: the reply's last byte, and what goes through an upgrade or
 * CONNECT, are bounded too. A `grpc-timeout` that the route listens to takes its place, and both that of the listener's limit. Source: envoy RouteAction.MaxStreamDuration.
 */
export function streamLimit(bound: StreamBound, { wheel, clock }: DeadlineParts): Layer | undefined {
  const { streamTimeoutMs: limit } = bound
  if (limit === undefined && bound.grpcTimeoutMaxMs === undefined) return undefined
  return (next) => (call) => {
    if (limit === undefined && call.streamTimer === undefined) return next(call)
    const told = grpcTimeoutMs(bound, call) !== undefined
    if (told || limit !== undefined) call.streamTimer?.cancel()
    if (told || limit === undefined || limit === 0) return next(call)
    const leftMs = call.startedMs + limit - clock.nowMs()
    if (leftMs <= 0) return Promise.resolve(late('stream', limit))
    endAfter(leftMs, call, 'stream', limit, wheel)
    return next(call)
  }
}

/** The same for the calls of a listener, as long as their route says nothing of it. Undefined: they are not bounded. */
export function listenerStreamLimit(limit = 0, { wheel }: DeadlineParts): Layer | undefined {
  if (limit === 0) return undefined
  return (next) => (call) => {
    call.streamTimer = endAfter(limit, call, 'stream', limit, wheel)
    return next(call)
  }
}

/** Ends the call in `ms`, if it is not over by then. */
function endAfter(ms: number, call: Call, what: 'request' | 'stream', timeoutMs: number, wheel: TimerWheel): Timer {
  const timer = wheel.after(ms, () => call.cancel(late(what, timeoutMs)))
  call.onEnd(() => timer.cancel())
  return timer
}

const late = (what: 'request' | 'stream', timeoutMs: number): Fault => ({
  kind: 'timeout',
  side: 'upstream',
  retry: 'if-idempotent',
  what,
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
