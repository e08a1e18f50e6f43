import type { InjectedFaults, Route, RouteAction } from '../config.ts'
import type { Call } from '../http/service.ts'
import { limitMs } from '../recovery/deadline.ts'
import { compileCallTests } from '../route/header-match.ts'

/** How long a call may take on its route, what is tried again, and what fails on purpose. */
export interface RecoveryExplanation {
  /** 0: as long as it takes. */
  readonly timeoutMs: number
  /** How long no byte may pass; 0: for ever. Absent: as the listener says. */
  readonly idleTimeoutMs?: number
  /** How long it may last in all; absent or 0: for ever. */
  readonly streamTimeoutMs?: number
  readonly retries?: {
    readonly attempts: number
    readonly on: readonly string[]
    readonly onIfIdempotent: readonly string[]
  }
  /** Made on purpose; absent: none, or not for requests with these headers. */
  readonly faults?: Omit<InjectedFaults, 'headers'>
}

/** Times in ms; what this request says of itself, such as its deadline, counts. */
export function explainRecovery(
  { faults }: Route,
  action: RouteAction & { readonly kind: 'forward' },
  call: Call,
): RecoveryExplanation {
  const { retry, idleTimeoutMs, streamTimeoutMs } = action
  return {
    timeoutMs: limitMs(action, call, call.startedMs) ?? 0,
    ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
    ...(streamTimeoutMs === undefined ? {} : { streamTimeoutMs }),
    ...(retry === undefined
      ? {}
      : { retries: { attempts: retry.retries, on: [...retry.on], onIfIdempotent: [...retry.onIfIdempotent] } }),
    ...faultsFor(faults, call),
  }
}

/** Whether they strike is chance; explain tells how likely it is. */
function faultsFor(faults: InjectedFaults | undefined, call: Call): Pick<RecoveryExplanation, 'faults'> {
  if (faults === undefined || compileCallTests(faults.headers, [])?.(call) === false) return {}
  const { headers: _, ...likely } = faults
  return { faults: likely }
}
