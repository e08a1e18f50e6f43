import { headerField, headerValue, type HeaderField, type Headers } from '../http/headers.ts'
import type { SpanPlace } from './tracer.ts'

/** What a caller says by B3 of the trace that its call belongs to. */
export interface B3Words {
  /** All is in the field `b3`. */
  readonly inOne: boolean
  /** Undefined: it is left to us. */
  readonly sampled: boolean | undefined
  /** Undefined: no trace has begun. */
  readonly ids: Pick<SpanPlace, 'traceId' | 'spanId' | 'parentId'> | undefined
}

const oneHeader = 'b3'
const traceHeader = 'x-b3-traceid'
const spanHeader = 'x-b3-spanid'
const parentHeader = 'x-b3-parentspanid'
const sampledHeader = 'x-b3-sampled'

/** "bad": it makes no sense. Source: B3 Propagation (openzipkin), as Envoy reads it: `Zipkin::SpanContextExtractor`. */
export function readB3(headers: Headers): B3Words | 'bad' {
  const one = headerValue(headers, oneHeader)
  if (one !== undefined) return readOne(one)
  const said = headerValue(headers, sampledHeader)
  const sampled = said === undefined ? undefined : said === '1' || said === 'true'
  const trace = headerValue(headers, traceHeader)
  const span = headerValue(headers, spanHeader)
  if (trace === undefined || span === undefined) return { inOne: false, sampled, ids: undefined }
  const ids = idsOf(trace, span, headerValue(headers, parentHeader) ?? '')
  return ids === undefined ? 'bad' : { inOne: false, sampled, ids }
}

/** 16 or 32 digits of the trace, 16 of the span, a flag (d: for debugging), 16 of the span's parent. */
const pattern = /^(.{16}|.{32})-(.{16})(?:-([01d])(?:-(.{16}))?)?$/

function readOne(written: string): B3Words | 'bad' {
  if (/^[01d]$/.test(written)) return { inOne: true, sampled: written !== '0', ids: undefined }
  const found = pattern.exec(written)
  if (found === null) return 'bad'
  const [, trace = '', span = '', flag, parent = ''] = found
  const ids = idsOf(trace, span, parent)
  return ids === undefined ? 'bad' : { inOne: true, sampled: flag === undefined ? undefined : flag !== '0', ids }
}

function idsOf(trace: string, span: string, parent: string): B3Words['ids'] {
  const [high, low] =
    trace.length === 32 ? [readId(trace.slice(0, 16)), readId(trace.slice(16))] : [none, readId(trace)]
  const spanId = readId(span)
  const parentId = parent === '' ? none : readId(parent)
  if (high === undefined || low === undefined || spanId === undefined || parentId === undefined) return undefined
  return { traceId: high === none ? low : high + low, spanId, parentId: parentId === none ? '' : parentId }
}

const none = '0'.repeat(16)

/** 64 bits in hex; undefined: it is no such number. Envoy takes 0x in front, and as many zeros as there are. */
function readId(written: string): string | undefined {
  const [, digits] = /^(?:0x)?0*([0-9a-f]{0,16})$/i.exec(written) ?? []
  return digits === undefined || !/[0-9a-f]$/i.test(written) ? undefined : digits.toLowerCase().padStart(16, '0')
}

/** Whether a field of the caller's gives way to `writeB3`. A parent is only taken off where there is another. */
export function replacedByB3(name: string, { inOne, parentId }: SpanPlace): boolean {
  switch (name) {
    case oneHeader:
      return inOne
    case traceHeader:
    case spanHeader:
    case sampledHeader:
      return !inOne
    case parentHeader:
      return !inOne && parentId !== ''
    default:
      return false
  }
}

/** What is said to the next one, in the form in which the caller said it. */
export function writeB3({ traceId, spanId, parentId, sampled, inOne }: SpanPlace): HeaderField[] {
  const flag = sampled ? '1' : '0'
  if (inOne) return [headerField(oneHeader, `${traceId}-${spanId}-${flag}${parentId === '' ? '' : `-${parentId}`}`)]
  const ids = [headerField(traceHeader, traceId), headerField(spanHeader, spanId)]
  if (parentId !== '') ids.push(headerField(parentHeader, parentId))
  return [...ids, headerField(sampledHeader, flag)]
}
