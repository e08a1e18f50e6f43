import type { Random } from '../../base/random.ts'
import type { InjectedFaults } from '../config.ts'
import type { Body } from '../http/body.ts'
import type { Fault } from '../http/fault.ts'
import { isFault, type Call, type Layer, type Reply } from '../http/service.ts'
import { slowBody, type SlowParts } from './slow-body.ts'

/** What is to happen to one call; all absent: nothing. */
export interface Injected {
  readonly delayMs: number | undefined
  readonly abort: Fault | undefined
  /** Of the reply's body. */
  readonly bytesPerSecond: number | undefined
}

/** Draws for the delay, the abort and the bandwidth, each by itself, whatever the call. Source: Envoy's fault filter. Pure but for chance. */
export function drawFaults({ delay, abort, bandwidth }: InjectedFaults, random: Random): Injected {
  return {
    delayMs: delay !== undefined && random.unit() < delay.share ? delay.ms : undefined,
    abort: abort !== undefined && random.unit() < abort.share ? abortFault(abort) : undefined,
    bytesPerSecond: bandwidth !== undefined && random.unit() < bandwidth.share ? bandwidth.bytesPerSecond : undefined,
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
export interface InjectParts extends SlowParts {
  readonly concerned: ((call: Call) => boolean) | undefined
  readonly random: Random
}

/** Holds calls up, answers in the program's place and slows replies, as the policy says. Undefined: no layer. A delay outlives no caller. */
export function injectFaults(faults: InjectedFaults | undefined, parts: InjectParts): Layer | undefined {
  if (faults === undefined) return undefined
  const { concerned, random, wheel } = parts
  return (next) => (call) => {
    if (concerned?.(call) === false) return next(call)
    const { delayMs, abort, bytesPerSecond } = drawFaults(faults, random)
    const go = (): Promise<Reply | Fault> => {
      if (abort !== undefined) return Promise.resolve(abort)
      return bytesPerSecond === undefined ? next(call) : slowly(next(call), bytesPerSecond, call, parts)
    }
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

/** The reply's head is not held up. Of a tunnel what the far side says is slowed, as in Envoy. */
async function slowly(
  answering: Promise<Reply | Fault>,
  bytesPerSecond: number,
  call: Call,
  parts: SlowParts,
): Promise<Reply | Fault> {
  const answer = await answering
  if (isFault(answer)) return answer
  call.trace.injectedBytesPerSecond = bytesPerSecond
  const { body, tunnel } = answer
  const slow = (one: Body): Body => (one.length === 0 ? one : slowBody(one, bytesPerSecond, call, parts))
  return { ...answer, body: slow(body), ...(tunnel && { tunnel: { ...tunnel, incoming: slow(tunnel.incoming) } }) }
}
