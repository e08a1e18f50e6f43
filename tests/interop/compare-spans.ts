// What is compared of the spans that two proxies make.
import type { IncomingHttpHeaders } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CollectedSpan, Collector } from '../world/programs/collector.ts'
import { askTraced, type Asked, type TracedProgram } from './traced-program.ts'

/** A traceparent without its flags. */
export const callersSpan = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331'

const otherFields = ['x-request-id', 'x-envoy-decorator-operation', 'x-client-trace-id', 'x-envoy-force-trace']

/** What is to be alike: of ids what they are to each other, of times their order. */
export function comparable({ asked, answer, seen, spans }: Outcome): unknown {
  const [own] = spans
  const names = new Map([
    [callersSpan.slice(36), 'of the caller'],
    ...spans.map(({ spanId }, at): [string, string] => [spanId, `span ${at}`]),
  ])
  const named = (id: string | undefined): string =>
    id === undefined || id === '' ? '' : (names.get(id) ?? 'of nobody')
  return {
    asked,
    answer,
    seen: seen.map((headers) => {
      const { traceparent } = headers
      const [, traceId, spanId, flags] = typeof traceparent === 'string' ? traceparent.split('-') : []
      return {
        trace:
          traceId === own?.traceId
            ? 'of the span'
            : traceId === callersSpan.slice(3, 35)
              ? 'of the caller'
              : (traceId?.length ?? traceparent),
        parent: own === undefined ? spanId?.length : named(spanId),
        flags,
        // Envoy writes an empty state where there is none.
        others: [headers['tracestate'] || undefined, ...otherFields.map((name) => headers[name])],
      }
    }),
    spans: spans.map(({ name, kind, flags, state, status, startNs, endNs, attributes, ...span }) => ({
      name,
      kind,
      flags,
      state,
      status,
      // Our own words in a body are others.
      attributes:
        seen.length > 0 && (asked.status ?? 200) <= 500 ? attributes : { ...attributes, response_size: 'differs' },
      id: named(span.spanId),
      parent: named(span.parentId),
      trace: span.traceId === callersSpan.slice(3, 35) ? 'of the caller' : span.traceId === own?.traceId,
      inOrder: startNs <= endNs && Number(endNs) / 1e6 > Date.now() - 60_000 && Number(endNs) / 1e6 < Date.now(),
      resource: {
        ...span.resource,
        'telemetry.sdk.language': '',
        'telemetry.sdk.name': '',
        'telemetry.sdk.version': '',
      },
      scoped: span.scope.length > 5,
    })),
  }
}

/** What came of one call. */
export interface Outcome {
  readonly asked: Asked
  readonly answer: unknown
  readonly seen: readonly IncomingHttpHeaders[]
  /** The call's, and those below it in the order in which they began. */
  readonly spans: readonly CollectedSpan[]
}

/** The longest that a proxy keeps spans to itself, and some more. */
const exportMs = 6000

/** Asks all of `requests`, and finds the spans of each when all must have come. */
export async function outcomes(
  {
    who,
    requests,
    otherwise = 'inbound',
  }: { readonly who: string; readonly requests: readonly Asked[]; readonly otherwise?: string },
  listeners: Readonly<Record<string, number>>,
  program: TracedProgram,
  collector: Collector,
): Promise<readonly Outcome[]> {
  const passed: (Omit<Outcome, 'spans'> & { readonly id: string })[] = []
  for (const [index, asked] of requests.entries()) {
    const number = index.toString(16).padStart(8, '0')
    const id = asked.headers?.['x-request-id'] ?? `${number}-aaaa-4aaa-8aaa-aaaaaaaaaaaa`
    const headers = { 'x-request-id': id, ...asked.headers }
    const answer = await askTraced(listeners[asked.to ?? otherwise] ?? 0, { ...asked, headers }, `${who}-${index}`)
    passed.push({ id, asked, answer, seen: program.take(`${who}-${index}`) })
  }
  await sleep(exportMs)
  const spans = collector.spans.splice(0)
  return passed.map(({ id, ...one }) => {
    const own = spans.filter(({ attributes }) => String(attributes['guid:x-request-id']).startsWith(id.slice(0, 8)))
    const below = spans.filter(({ parentId }) => own.some(({ spanId }) => spanId === parentId))
    return { ...one, spans: [...own, ...below.toSorted((a, b) => Number(a.startNs - b.startNs))] }
  })
}
