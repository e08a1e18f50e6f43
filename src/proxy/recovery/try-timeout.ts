import type { TimerWheel } from '../../base/timer-wheel.ts'
import type { Fault } from '../http/fault.ts'
import type { Call, Layer } from '../http/service.ts'

/**
 * Ends one attempt that has no reply head within `timeoutMs`, and leaves the call alive for another: the layers below get a call
 * of their own, which hears both this and the cancelling of the whole. Source: Envoy RetryPolicy.per_try_timeout.
 */
export function tryWithin(timeoutMs: number, wheel: TimerWheel): Layer {
  return (next) => (call) => {
    const heard: ((fault: Fault) => void)[] = []
    let ended: Fault | undefined
    const end = (fault: Fault): void => {
      if (ended !== undefined) return
      ended = fault
      for (const tell of heard) tell(fault)
    }
    const timer = wheel.after(timeoutMs, () =>
      end({ kind: 'timeout', side: 'upstream', retry: 'if-idempotent', what: 'request', timeoutMs, ofAttempt: true }),
    )
    call.onCancel(end)
    const attempt: Call = {
      method: call.method,
      scheme: call.scheme,
      authority: call.authority,
      path: call.path,
      headers: call.headers,
      body: call.body,
      protocol: call.protocol,
      upgrade: call.upgrade,
      peer: call.peer,
      startedMs: call.startedMs,
      deadlineMs: call.deadlineMs,
      hidesDeadline: call.hidesDeadline,
      trace: call.trace,
      onInformational: call.onInformational,
      onEnd: (settled) => call.onEnd(settled),
      cancel: (fault) => call.cancel(fault),
      onCancel: (tell) => (ended === undefined ? void heard.push(tell) : tell(ended)),
    }
    return next(attempt).finally(() => timer.cancel())
  }
}
