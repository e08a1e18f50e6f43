import assert from 'node:assert/strict'
import { test } from 'node:test'
import { edges } from './figures.ts'
import { parseMetrics, quantile, since, total } from './sidecar-metrics.ts'

const text = `# HELP weft_requests_total Calls that are over.
# TYPE weft_requests_total counter
weft_requests_total{direction="outbound",source="spiffe://t/ns/d/sa/a",destination_service="d/b",status="200",tls="true"} 7
weft_requests_total{direction="outbound",source="spiffe://t/ns/d/sa/a",destination_service="d/b",status="503",tls="false"} 2
weft_requests_total{direction="inbound",source="with \\"quotes\\", and a comma",status="200"} 1
weft_x_bucket{le="0.1"} 10
weft_x_bucket{le="0.5"} 90
weft_x_bucket{le="+Inf"} 100
plain 3.5
rubbish
`

test('Prometheus text is read, labels with quotes and commas too', () => {
  const samples = parseMetrics(text)
  assert.equal(samples.length, 7)
  assert.equal(samples[2]?.labels['source'], 'with "quotes", and a comma')
  assert.equal(total(samples, 'weft_requests_total', { direction: 'outbound' }), 9)
  assert.equal(total(samples, 'weft_requests_total', { status: '503' }), 2)
  assert.equal(total(samples, 'plain'), 3.5)
  assert.deepEqual(parseMetrics('\0\n{}\n'), [])
})

test('quantiles are interpolated within their bucket; the last bucket gives its lower end', () => {
  const samples = parseMetrics(text)
  assert.ok(Math.abs(quantile(samples, 'weft_x', 0.5) - 0.3) < 1e-9)
  assert.equal(quantile(samples, 'weft_x', 0.1), 0.1)
  assert.equal(quantile(samples, 'weft_x', 0.99), 0.5)
  assert.ok(Number.isNaN(quantile(samples, 'nothing', 0.5)))
})

test('the difference of two readings, and the edges of one', () => {
  const before = parseMetrics('a{x="1",y="2"} 5\n')
  const now = parseMetrics('a{y="2",x="1"} 8\nb 1\n')
  assert.deepEqual(
    since(before, now).map(({ value }) => value),
    [3, 1],
  )
  assert.deepEqual(edges({ atMs: 0, byInstance: new Map([['a', parseMetrics(text)]]) }), [
    { source: 'spiffe://t/ns/d/sa/a', destination: 'd/b', calls: 9, encrypted: 7 },
  ])
})
