import type { TimerWheel } from '../../base/timer-wheel.ts'
import type { Layer } from '../http/service.ts'

/**
 * Ends a call that is not over `timeoutMs` after it came here, retries and the reply's body included; up to one tick of the wheel
 * late. 0: no deadline, and no layer.
 */
export function deadline(timeoutMs: number, wheel: TimerWheel): Layer | undefined {
  if (timeoutMs === 0) return undefined
  return (next) => (call) => {
    const timer = wheel.after(timeoutMs, () =>
      call.cancel({ kind: 'timeout', side: 'upstream', retry: 'if-idempotent', what: 'request', timeoutMs }),
    )
    call.onEnd(() => timer.cancel())
    return next(call)
  }
}

/** How long no byte of the call may pass, in the place of what the listener says; the codec that took it looks. 0: for ever. */
export function idleLimit(timeoutMs: number | undefined): Layer | undefined {
  if (timeoutMs === undefined) return undefined
  return (next) => (call) => {
    call.idleTimeoutMs = timeoutMs
    return next(call)
  }
}
