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
