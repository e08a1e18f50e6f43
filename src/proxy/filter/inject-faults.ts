import type { Random } from '../../base/random.ts'
import type { TimerWheel } from '../../base/timer-wheel.ts'
import type { InjectedFaults } from '../config.ts'
import type { Fault } from '../http/fault.ts'
import type { Call, Layer, Reply } from '../http/service.ts'

/** What is to happen to one call; both absent: nothing. */
export interface Injected {
  readonly delayMs: number | undefined
  readonly abort: Fault | undefined
}

/** Draws for the delay and for the abort, each by itself, whatever the call. Source: Envoy's fault filter. Pure but for chance. */
export function drawFaults({ delay, abort }: InjectedFaults, random: Random): Injected {
  return {
    delayMs: delay !== undefined && random.unit() < delay.share ? delay.ms : undefined,
    abort: abort !== undefined && random.unit() < abort.share ? abortFault(abort) : undefined,
  }
}

const abortFault = ({ status, grpcStatus }: NonNullable<InjectedFaults['abort']>): Fault => ({
  kind: 'injected',
  side: 'self',
  retry: 'never',
  status,
  grpcStatus,
})

/** What faults are made with. `concerned`: whether a call has the headers that they are for; undefined: every call has. */
export interface InjectParts {
  readonly concerned: ((call: Call) => boolean) | undefined
  readonly random: Random
  readonly wheel: TimerWheel
}

/** Holds calls up and answers in the program's place, as the policy says. Undefined: no layer. A delay outlives no caller. */
export function injectFaults(faults: InjectedFaults | undefined, parts: InjectParts): Layer | undefined {
  if (faults === undefined) return undefined
  const { concerned, random, wheel } = parts
  return (next) => (call) => {
    if (concerned?.(call) === false) return next(call)
    const { delayMs, abort } = drawFaults(faults, random)
    const go = (): Promise<Reply | Fault> => (abort === undefined ? next(call) : Promise.resolve(abort))
    if (delayMs === undefined) return go()
    call.trace.injectedDelayMs = delayMs
    return new Promise((resolve) => {
      const timer = wheel.after(delayMs, () => resolve(go()))
      call.onCancel((fault) => {
        timer.cancel()
        resolve(fault)
      })
    })
  }
}
