import { joinedHeaderValue, headerValue, type Headers } from '../http/headers.ts'

/** What a caller says of the trace that its call belongs to; ids in lower case hex. */
export interface TraceContext {
  readonly traceId: string
  /** Of the caller's span. */
  readonly spanId: string
  readonly sampled: boolean
  /** "": it has none. */
  readonly state: string
}

/** Carries ids and the flag. Source: W3C Trace Context, section 3.2. */
export const parentHeader = 'traceparent'
/** What tracers before us want to be kept. Source: W3C Trace Context, section 3.3. */
export const stateHeader = 'tracestate'

/** Envoy takes every version that is so long. */
const pattern = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/i

/** Undefined: nothing is said. "bad": it makes no sense, and the trace is not ours to continue. */
export function readContext(headers: Headers): TraceContext | 'bad' | undefined {
  const written = headerValue(headers, parentHeader)
  if (written === undefined) return undefined
  const [, traceId = '', spanId = '', flags = ''] = pattern.exec(written.toLowerCase()) ?? []
  if (!isId(traceId) || !isId(spanId)) return 'bad'
  const sampled = (Number.parseInt(flags, 16) & 1) === 1
  return { traceId, spanId, sampled, state: joinedHeaderValue(headers, stateHeader) ?? '' }
}

/** What is said to the next one. */
export const writeParent = ({ traceId, spanId, sampled }: Omit<TraceContext, 'state'>): string =>
  `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`

/** All zeros are none. */
const isId = (id: string): boolean => /[^0]/.test(id)
