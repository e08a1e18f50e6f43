import type { Body } from '../http/body.ts'
import type { Fault } from '../http/fault.ts'
import type { Call, Outcome, Trace } from '../http/service.ts'

/** A copy of a call that ends by itself. */
export interface SeparateCall {
  readonly call: Call
  /** It is over; once. */
  readonly settle: (outcome: Outcome) => void
}

/** A call of its own life: neither its end nor its cancelling is the original's. Interim replies (1xx) reach nobody. */
export function separateCall(
  original: Call,
  {
    body,
    authority = original.authority,
    trace,
    session,
  }: { body: Body; authority?: string; trace: Trace; session?: Call['session'] },
): SeparateCall {
  const settled: ((outcome: Outcome) => void)[] = []
  const heard: ((fault: Fault) => void)[] = []
  let over: Outcome | undefined
  let cancelled: Fault | undefined
  const call: Call = {
    method: original.method,
    scheme: original.scheme,
    authority,
    path: original.path,
    headers: original.headers,
    body,
    protocol: original.protocol,
    peer: original.peer,
    client: original.client,
    hash: original.hash,
    session,
    startedMs: original.startedMs,
    trace,
    onEnd: (tell) => void (over === undefined ? settled.push(tell) : tell(over)),
    cancel(fault) {
      if (cancelled !== undefined || over !== undefined) return
      cancelled = fault
      for (const tell of heard) tell(fault)
    },
    onCancel: (tell) => void (cancelled === undefined ? heard.push(tell) : tell(cancelled)),
  }
  return {
    call,
    settle(outcome) {
      if (over !== undefined) return
      over = outcome
      for (const tell of settled) tell(outcome)
    },
  }
}
