import type { Clock } from '../../base/clock.ts'
import { isFault, type Layer } from '../http/service.ts'

/** Makes a span of every attempt of a call that has one: below retries and hedges. */
export const traceAttempts =
  ({ nowMs }: Pick<Clock, 'nowMs'>): Layer =>
  (next) =>
  (call) => {
    const { span } = call.trace
    const attempt = span?.attempt(call)
    if (span === undefined || attempt === undefined) return next(call)
    call.onEnd((outcome) => span.attemptOver(call, outcome))
    return next(call).then((answer) => {
      if (isFault(answer) && answer.kind === 'no-endpoint') span.forget(call)
      else attempt.answered = { atMs: nowMs(), answer }
      return answer
    })
  }
