import type { Clock } from '../../base/clock.ts'
import type { AdaptiveConcurrency } from '../config.ts'
import type { Fault } from '../http/fault.ts'
import { isFault, type Layer } from '../http/service.ts'
import type { Gradient } from './gradient.ts'

/** What load is shed with. */
export interface ShedParts {
  readonly gradient: Gradient
  readonly clock: Clock
  /** Told of every refusal, for metrics. */
  readonly shed: () => void
}

/** Refuses at once what the program could only answer late. A mesh peer may try another instance: nothing reached this one. */
export function shedLoad({ status }: Pick<AdaptiveConcurrency, 'status'>, { gradient, clock, shed }: ShedParts): Layer {
  return (next) => (call) => {
    const startedMs = clock.nowMs()
    if (!gradient.admit(startedMs)) {
      shed()
      return Promise.resolve(busyFault(status, gradient))
    }
    let waits = true
    const leave = (): void => {
      if (!waits) return
      waits = false
      gradient.left()
    }
    call.onEnd(leave)
    return next(call).then((answer) => {
      if (waits && !isFault(answer)) gradient.answered(startedMs, clock.nowMs())
      leave()
      return answer
    })
  }
}

/** Why a call is refused. */
export const busyFault = (status: number, { limit }: Pick<Gradient, 'limit'>): Fault => ({
  kind: 'program-busy',
  side: 'self',
  retry: 'safe',
  status,
  limit,
})
