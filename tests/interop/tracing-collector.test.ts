// Our data plane and a collector that is slow, refuses, or is gone: it costs spans, and no call.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { freePort } from '../world/free-port.ts'
import { startCollector } from '../world/programs/collector.ts'
import { startZipkinCollector } from '../world/programs/zipkin-collector.ts'
import { until } from '../world/until.ts'
import { http2Upstream } from './bootstrap-parts.ts'
import { startExporting } from './exporting-proxy.ts'

const types = 'type.googleapis.com/envoy'
const openTelemetry = (more: object = {}): Way => ({
  provider: {
    name: 'envoy.tracers.opentelemetry',
    typed_config: {
      '@type': `${types}.config.trace.v3.OpenTelemetryConfig`,
      grpc_service: { envoy_grpc: { cluster_name: 'collector' }, timeout: '0.5s' },
      ...more,
    },
  },
  cluster: http2Upstream,
})
const zipkin: Way = {
  provider: {
    name: 'envoy.tracers.zipkin',
    typed_config: {
      '@type': `${types}.config.trace.v3.ZipkinConfig`,
      collector_cluster: 'collector',
      collector_endpoint: '/api/v2/spans',
      collector_endpoint_version: 'HTTP_JSON',
    },
  },
  cluster: {},
}

interface Way {
  readonly provider: object
  /** What else the collector's cluster says. */
  readonly cluster: object
}

async function start(t: TestContext, collector: number, { provider, cluster }: Way = openTelemetry()) {
  const { proxy, counts, calls } = await startExporting(t, collector, {
    cluster,
    manager: { tracing: { provider } },
    counter: 'weft_spans_total',
  })
  return { proxy, spans: counts, calls: (count: number) => calls(Array.from({ length: count }, () => '/')) }
}

test('a collector that is not there: calls go on, spans are counted as lost, and later ones arrive', async (t) => {
  const port = await freePort()
  const { spans, calls } = await start(t, port)
  await calls(10)
  await until('the loss is counted', async () => ((await spans())['failed'] ?? 0) === 10)
  const collector = await startCollector(port)
  t.after(() => collector.stop())
  await until('spans arrive', async () => {
    await calls(1)
    return collector.spans.length > 0
  })
})

test('a collector that refuses, and one that never answers: each export is given up', async (t) => {
  const collector = await startCollector()
  t.after(() => collector.stop())
  const { spans, calls } = await start(t, collector.port)
  collector.behave({ refuse: true })
  await calls(3)
  await until('refused', async () => (await spans())['failed'] === 3)
  collector.behave({ delayMs: 60_000 })
  await calls(2)
  await until('given up', async () => (await spans())['failed'] === 5)
  collector.behave({})
  await calls(4)
  await until('taken', async () => (await spans())['exported'] === 4)
})

test('a Zipkin collector: five at once, the rest in the end; one that refuses costs spans', async (t) => {
  const collector = await startZipkinCollector()
  t.after(() => collector.stop())
  const { proxy, spans, calls } = await start(t, collector.port, zipkin)
  collector.answer(500)
  await calls(5)
  await until('refused', async () => (await spans())['failed'] === 5)
  collector.answer(202)
  await calls(7)
  await until('taken', async () => (await spans())['exported'] === 5)
  assert.equal(collector.spans.length, 5)
  await proxy.drain(1000)
  assert.equal(collector.spans.length, 7)
})

test('what finds no room is dropped', async (t) => {
  const collector = await startCollector()
  t.after(() => collector.stop())
  collector.behave({ delayMs: 60_000 })
  const { spans, calls } = await start(t, collector.port, openTelemetry({ max_cache_size: 5 }))
  await calls(12)
  await until('dropped', async () => ((await spans())['dropped'] ?? 0) === 7)
})

test('what waits is sent when the proxy drains, and a collector that is gone holds that up for a moment only', async (t) => {
  const collector = await startCollector()
  t.after(() => collector.stop())
  const { proxy, calls } = await start(t, collector.port)
  await calls(7)
  await proxy.drain(1000)
  assert.equal(collector.spans.length, 7)
  const slow = await startCollector()
  t.after(() => slow.stop())
  slow.behave({ delayMs: 60_000 })
  const other = await start(
    t,
    slow.port,
    openTelemetry({ grpc_service: { envoy_grpc: { cluster_name: 'collector' }, timeout: '60s' } }),
  )
  await other.calls(3)
  const beganMs = performance.now()
  await other.proxy.drain(1000)
  assert.ok(performance.now() - beganMs < 4000)
})
