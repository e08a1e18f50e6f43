import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EndedSpan } from './ended-span.ts'
import { readZipkinSpans } from './testing/read-zipkin.ts'
import { zipkinFormat } from './zipkin-format.ts'

const span: EndedSpan = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  parentId: '00f067aa0ba902b7',
  parentIsRemote: true,
  state: '',
  name: 'shop.example',
  kind: 'server',
  beganMs: 1_700_000_000_000.25,
  endedMs: 1_700_000_001_234.5,
  failed: true,
  attributes: [
    ['http.method', 'GET'],
    ['empty', ''],
    ['words', 'grüße €"'],
  ],
}
const root: EndedSpan = { ...span, traceId: '8448eb211c80319c', parentId: '', kind: 'client', name: '', attributes: [] }
const endpoint = { service: 'shop', address: '192.0.2.7' }
const told = {
  traceId: span.traceId,
  parentId: span.parentId,
  id: span.spanId,
  kind: 'SERVER',
  name: 'shop.example',
  timestamp: 1_700_000_000_000_250,
  duration: 1_234_250,
  localEndpoint: { serviceName: 'shop', ipv4: '192.0.2.7', port: 0 },
  annotations: [{ timestamp: 1_700_000_001_234_500, value: 'ss' }],
  tags: { 'http.method': 'GET', words: 'grüße €"' },
  shared: true,
}
const toldRoot = {
  traceId: root.traceId,
  id: root.spanId,
  kind: 'CLIENT',
  timestamp: told.timestamp,
  duration: told.duration,
  localEndpoint: told.localEndpoint,
  annotations: [{ timestamp: told.annotations[0]?.timestamp, value: 'cr' }],
  tags: {},
}

for (const encoding of ['json', 'protobuf'] as const)
  test(`spans as ${encoding}`, () => {
    const format = zipkinFormat({ kind: 'zipkin', encoding, sharesSpans: true }, endpoint)
    const all = readZipkinSpans(format.join([span, root].map((one) => format.encode(one))), format.contentType)
    assert.deepEqual(all, [told, toldRoot])
    const alone = zipkinFormat({ kind: 'zipkin', encoding, sharesSpans: false }, { ...endpoint, service: '' })
    const [seen] = readZipkinSpans(alone.join([alone.encode(span)]), alone.contentType)
    assert.equal(seen?.shared, undefined)
    assert.deepEqual(seen?.localEndpoint, { ipv4: '192.0.2.7', port: 0 })
  })
