import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromBinary } from '@bufbuild/protobuf'
import { ExportTraceServiceRequestSchema } from '../../xds/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts'
import type { EndedSpan } from './ended-span.ts'
import { otlpFormat } from './otlp-format.ts'

const span: EndedSpan = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  parentId: '00f067aa0ba902b7',
  parentIsRemote: true,
  state: 'a=1',
  name: 'ingress',
  kind: 'server',
  beganMs: 1_700_000_000_000.25,
  endedMs: 1_700_000_001_234.5,
  failed: true,
  attributes: [
    ['http.method', 'GET'],
    ['empty', ''],
    ['long', 'x'.repeat(20_000)],
    ['words', 'grüße €'],
  ],
}
const resource = [['service.name', 'shop']] as const
const read = (spans: readonly EndedSpan[], tellsScope = false) => {
  const format = otlpFormat({ kind: 'otlp', service: 'shop', tellsSdk: false, tellsScope }, '1.2.3')
  return fromBinary(ExportTraceServiceRequestSchema, format.join(spans.map((span) => format.encode(span))))
    .resourceSpans
}

test('what is written is read by the schemas that OpenTelemetry publishes', () => {
  const [one, ...more] = read([span], true)
  assert.deepEqual(more, [])
  assert.deepEqual(
    one?.resource?.attributes.map(({ key, value }) => [key, value?.value.value]),
    resource,
  )
  const [scoped] = one?.scopeSpans ?? []
  assert.deepEqual([scoped?.scope?.name, scoped?.scope?.version], ['weft', '1.2.3'])
  const [seen] = scoped?.spans ?? []
  assert.ok(seen)
  assert.equal(Buffer.from(seen.traceId).toString('hex'), span.traceId)
  assert.equal(Buffer.from(seen.spanId).toString('hex'), span.spanId)
  assert.equal(Buffer.from(seen.parentSpanId).toString('hex'), span.parentId)
  assert.deepEqual(
    [seen.traceState, seen.name, seen.kind, seen.flags, seen.status?.code],
    ['a=1', 'ingress', 2, 0x301, 2],
  )
  assert.equal(seen.startTimeUnixNano, 1_700_000_000_000_250_000n)
  assert.equal(seen.endTimeUnixNano, 1_700_000_001_234_500_000n)
  assert.deepEqual(
    seen.attributes.map(({ key, value }) => [key, value?.value.value]),
    span.attributes,
  )
  assert.equal(seen.$unknown, undefined)
})

test('a span of a client without a parent, and several in one export', () => {
  const root: EndedSpan = {
    ...span,
    parentId: '',
    parentIsRemote: false,
    state: '',
    kind: 'client',
    failed: false,
    attributes: [],
  }
  const [one] = read([root, span, root])
  const [scoped] = one?.scopeSpans ?? []
  assert.equal(scoped?.scope, undefined)
  assert.equal(scoped?.spans.length, 3)
  const [seen] = scoped?.spans ?? []
  assert.deepEqual([seen?.parentSpanId.length, seen?.kind, seen?.flags, seen?.status], [0, 3, 0x101, undefined])
})
