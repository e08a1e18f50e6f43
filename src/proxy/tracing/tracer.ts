import type { Call } from '../http/service.ts'
import type { HeaderField, Headers } from '../http/headers.ts'
import type { EndedSpan } from './ended-span.ts'

/** Where a span stands in its trace. Ids in lower case hex. */
export interface SpanPlace {
  readonly traceId: string
  readonly spanId: string
  /** "": it has none. */
  readonly parentId: string
  readonly sampled: boolean
  /** What tracers before us want to be kept; "": nothing. */
  readonly state: string
  /** The caller told it in one field, and the next one is told likewise. Only of B3. */
  readonly inOne: boolean
}

/** What providers of tracing differ in: how a trace is carried from call to call, and how its spans are called. */
export interface Tracer {
  /** Of a call's span; those of attempts are clients'. */
  readonly kind: EndedSpan['kind']
  /** What a call's span is called where no route has a name for it. */
  nameOf(call: Call): string
  /** Takes part in the caller's trace, or begins one. `wanted`: our own decision. Undefined: what the caller says makes no sense, and its trace is left alone. */
  join(headers: Headers, wanted: boolean): SpanPlace | undefined
  /** Whether a field of the caller's (lower case) gives way when the next one is told of this place. */
  replaces(name: string, place: SpanPlace): boolean
  /** Tells the next one. */
  tell(place: SpanPlace): readonly HeaderField[]
}
