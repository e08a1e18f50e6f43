import { internalHeader } from './client-address.ts'
import type { HttpTerminal, Route, Tracing } from './config.ts'
import type { Random } from '../base/random.ts'
import { tagReader } from './format/custom-tags.ts'
import { headerValue } from './http/headers.ts'
import type { Call, CallSpan, Layer } from './http/service.ts'
import type { Shared } from './shared.ts'
import type { Snapshot } from './snapshot.ts'
import { leadsTo, missedRoute } from './tell-route.ts'
import { openTelemetryTracer } from './tracing/opentelemetry-tracer.ts'
import { traceCalls } from './tracing/trace-calls.ts'
import type { Tracer } from './tracing/tracer.ts'
import { zipkinTracer } from './tracing/zipkin-tracer.ts'

/** Spans of a listener's calls, where it makes some. `early`: what may refuse a call before a route is looked for. */
export function traceTerminal(
  terminal: Pick<HttpTerminal, 'tracing' | 'edge' | 'routes'>,
  early: readonly Layer[],
  { shared, current }: { readonly shared: Shared; readonly current: () => Snapshot },
): Layer | undefined {
  const { tracing, edge } = terminal
  if (tracing === undefined) return undefined
  const { clock, random, spans } = shared
  return traceCalls({
    tracing,
    tracer: tracerOf(tracing, random),
    edge: edge !== undefined,
    isInternal: ({ headers }) => headerValue(headers, internalHeader) === 'true',
    random,
    self: spans.self,
    observedAs: (name) => current().config.clusters.get(name)?.observedAs ?? name,
    tags: tagReader(tracing.tags),
    wallMs: () => clock.wallMs(),
    nowMs: () => clock.nowMs(),
    ended: spans.of(tracing.exporter),
    ...(early.length > 0 && {
      missed(call, span) {
        const snapshot = current()
        const route = missedRoute(call, terminal, snapshot)
        if (route !== undefined) tellSpan(span, call, route, snapshot)
      },
    }),
  })
}

function tracerOf(tracing: Tracing, random: Random): Tracer {
  const { tracer } = tracing
  return tracer.kind === 'zipkin' ? zipkinTracer(tracing, tracer, random) : openTelemetryTracer(tracing, random)
}

/** What a route says of spans. */
export const tellSpan = (span: CallSpan, call: Call, route: Route, snapshot: Snapshot): void =>
  span.routed(call, route.spans, leadsTo(route, snapshot))
