import { headerValue, withHeader, withoutHeader } from '../http/headers.ts'
import { isFault, type Call, type Layer } from '../http/service.ts'
import { operationHeader, TracedCall, type SpanParts } from './call-span.ts'

/** What else the layer needs. */
export interface TraceCallsParts extends SpanParts {
  /** Finds the route of a call that was refused before one was looked for; absent: nothing refuses so early. */
  readonly missed?: ((call: Call, span: TracedCall) => void) | undefined
}

/** Makes a span of every call that is sampled, and tells those behind of it. The route has a word in it: it comes with `call.trace.span`. */
export function traceCalls(parts: TraceCallsParts): Layer {
  const { egress, attempts } = parts.tracing
  return (next) => (call) => {
    const span = new TracedCall(parts)
    call.trace.span = span
    // Which protocol an attempt spoke.
    if (attempts) call.trace.detail ??= {}
    call.onEnd((outcome) => span.end(call, outcome))
    return next(call).then((answer) => {
      if (isFault(answer)) {
        parts.missed?.(call, span)
        return answer
      }
      const told = egress ? headerValue(answer.headers, operationHeader) : undefined
      const tells = span.replied(told)
      if (tells !== undefined) return { ...answer, headers: withHeader(answer.headers, tells) }
      return told === undefined ? answer : { ...answer, headers: withoutHeader(answer.headers, operationHeader) }
    })
  }
}
