import { headerField, withHeader } from '../http/headers.ts'
import { isFault, type Layer } from '../http/service.ts'

/** By this header an upstream learns that others may have heard the request before, and a client how many have. Source: Envoy, `x-envoy-attempt-count`. */
const attemptHeader = 'x-envoy-attempt-count'

/** Tells the upstream which attempt it gets, counted from 1: below retries. What a caller says of it is not true here. */
export const tellAttempt: Layer = (next) => (call) => {
  call.headers = withHeader(call.headers, headerField(attemptHeader, String(call.trace.attempts + 1)))
  return next(call)
}

/** Tells the client how many attempts its answer took: above retries. */
export const tellAttempts: Layer = (next) => (call) =>
  next(call).then((answer) => {
    if (isFault(answer)) return answer
    const field = headerField(attemptHeader, String(call.trace.attempts))
    return { ...answer, headers: withHeader(answer.headers, field) }
  })
