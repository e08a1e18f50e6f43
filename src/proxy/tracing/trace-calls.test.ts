import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import type { RouteSpans, Tracing } from '../config.ts'
import { headerValue } from '../http/headers.ts'
import type { Reply, Service } from '../http/service.ts'
import { makeCall, makeReply, type HandmadeCall } from '../http/testing/fake-call.ts'
import type { EndedSpan } from './ended-span.ts'
import { openTelemetryTracer } from './opentelemetry-tracer.ts'
import { tagReader } from '../format/custom-tags.ts'
import { traceAttempts } from './trace-attempts.ts'
import { traceCalls } from './trace-calls.ts'

const all = { numerator: 100, denominator: 100 }
const tracing: Tracing = {
  exporter: {
    cluster: 'collector',
    protocol: 'grpc',
    authority: '',
    path: '',
    timeoutMs: 0,
    headers: [],
    format: { kind: 'otlp', service: 'shop', tellsSdk: true, tellsScope: true },
    mostWaiting: 1,
  },
  tracer: { kind: 'opentelemetry' },
  sampling: { client: all, random: all, overall: all },
  tags: [],
  maxPathLength: 256,
  attempts: false,
  silent: false,
  egress: false,
  requestIds: { packed: true, decide: true },
}
const requestId = '0000002a-0000-4000-8000-000000000000'
const traceId = '0af7651916cd43dd8448eb211c80319c'
const callersSpan = 'b7ad6b7169203331'

/** A listener with spans, behind it a route, and what the program answers. */
function build({
  more = {},
  words,
  answer = makeReply(),
}: {
  more?: Partial<Tracing>
  words?: RouteSpans
  answer?: Reply
}) {
  const clock = manualClock(1000)
  const spans: EndedSpan[] = []
  const told: (string | undefined)[] = []
  const said = { ...tracing, ...more }
  const layer = traceCalls({
    tracing: said,
    tracer: openTelemetryTracer(said, seeded(1)),
    edge: false,
    isInternal: () => false,
    random: seeded(1),
    self: [['node_id', 'me']],
    observedAs: (name) => `${name} by another name`,
    tags: tagReader(said.tags),
    wallMs: () => clock.wallMs(),
    nowMs: () => clock.nowMs(),
    ended: (span) => void spans.push(span),
  })
  const program: Service = (call) => {
    call.trace.cluster = 'program'
    told.push(headerValue(call.headers, 'traceparent'))
    return Promise.resolve(answer)
  }
  const behind = said.attempts ? traceAttempts(clock)(program) : program
  const service = layer((call) => {
    call.trace.span?.routed(call, words, 'program')
    return behind(call)
  })
  const ask = async (call: HandmadeCall): Promise<Reply> => {
    const reply = await service(call)
    assert.ok(!('kind' in reply))
    clock.advance(5)
    call.end({ status: reply.status, fault: undefined, reply })
    return reply
  }
  return { ask, spans, told, service, clock }
}

test('a call continues the trace of its caller, and the upstream that of this proxy', async () => {
  const { ask, spans, told } = build({})
  const traceparent = `00-${traceId}-${callersSpan}-01`
  await ask(makeCall({ startedMs: 1000, headers: { 'x-request-id': requestId, traceparent, tracestate: 'a=1' } }))
  const [span] = spans
  assert.ok(span)
  assert.deepEqual(
    [span.name, span.kind, span.traceId, span.parentId, span.parentIsRemote, span.state],
    ['ingress', 'server', traceId, callersSpan, true, 'a=1'],
  )
  assert.deepEqual([span.beganMs, span.endedMs], [1000, 1005])
  assert.deepEqual(told, [`00-${traceId}-${span.spanId}-01`])
  const attributes = Object.fromEntries(span.attributes)
  assert.equal(attributes['guid:x-request-id'], '0000002a-0000-9000-8000-000000000000')
  assert.equal(attributes['http.url'], 'http://web.test/')
  assert.equal(attributes['node_id'], 'me')
  assert.equal(attributes['upstream_cluster.name'], 'program by another name')
})

test('what is not sampled is no span, and the upstream hears so; what makes no sense is left alone', async () => {
  const none = { numerator: 0, denominator: 100 }
  const { ask, spans, told } = build({ words: { sampling: { client: none, random: none, overall: all } } })
  await ask(makeCall({ headers: { 'x-request-id': requestId } }))
  await ask(makeCall({ headers: { 'x-request-id': requestId, traceparent: `00-${traceId}-${callersSpan}-01` } }))
  await ask(makeCall({ headers: { 'x-request-id': requestId, traceparent: 'nonsense' } }))
  assert.deepEqual(spans, [])
  assert.match(told[0] ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
  assert.match(told[1] ?? '', new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`))
  assert.equal(told[2], 'nonsense')
})

test('a route names the span, adds tags, and has the last word on one of the same name', async () => {
  const { ask, spans } = build({
    more: { tags: [{ tag: 'plan', kind: 'constant', value: 'gold' }] },
    words: {
      operation: 'checkout',
      tellsOperation: true,
      tags: [
        { tag: 'plan', kind: 'constant', value: 'of the route' },
        { tag: 'user', kind: 'request-header', name: 'x-user', otherwise: '' },
      ],
    },
  })
  const reply = await ask(makeCall({ headers: { 'x-request-id': requestId } }))
  assert.equal(headerValue(reply.headers, 'x-envoy-decorator-operation'), 'checkout')
  assert.equal(spans[0]?.name, 'checkout')
  assert.deepEqual(
    spans[0]?.attributes.filter(([name]) => name === 'plan' || name === 'user'),
    [['plan', 'of the route']],
  )
})

test('attempts are spans below the call, and the upstream is told of theirs', async () => {
  const { ask, spans, told } = build({ more: { attempts: true, egress: true }, answer: makeReply(500) })
  await ask(makeCall({ headers: { 'x-request-id': requestId } }))
  const [attempt, call] = spans
  assert.ok(attempt && call)
  assert.deepEqual(
    [attempt.name, attempt.kind, attempt.parentId],
    ['router program by another name egress', 'client', call.spanId],
  )
  assert.deepEqual([call.name, call.kind, call.failed, attempt.failed], ['egress web.test', 'server', true, true])
  assert.deepEqual(told, [`00-${call.traceId}-${attempt.spanId}-01`])
})
