// Our data plane and a log server that is not there, breaks off, refuses or does not read: it costs entries at most, and no call.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { freePort } from '../world/free-port.ts'
import { startLogCollector, type LogCollector } from '../world/programs/log-collector.ts'
import { until } from '../world/until.ts'
import { http2Upstream } from './bootstrap-parts.ts'
import { startExporting, type ExportingProxy } from './exporting-proxy.ts'

const types = 'type.googleapis.com/envoy'
const grpc_service = { envoy_grpc: { cluster_name: 'collector' }, timeout: '0.5s' }
const streamLog = (more: object = {}): object => ({
  name: 'als',
  typed_config: {
    '@type': `${types}.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig`,
    common_config: { log_name: 'calls', grpc_service, buffer_flush_interval: '0.05s', ...more },
    additional_request_headers_to_log: ['x-large'],
  },
})
const otlpLog = {
  name: 'otlp',
  typed_config: {
    '@type': `${types}.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig`,
    grpc_service,
    buffer_flush_interval: '0.05s',
  },
}

const start = (t: TestContext, collector: number, log: object = streamLog()): Promise<ExportingProxy> =>
  startExporting(t, collector, {
    cluster: http2Upstream,
    manager: { access_log: [log] },
    counter: 'weft_access_log_entries_total',
  })

const pathsOf = ({ entries }: LogCollector): string[] =>
  entries.map(({ entry }) => String((entry['request'] as Record<string, string>)['path']))

async function collecting(t: TestContext, port = 0): Promise<LogCollector> {
  const collector = await startLogCollector(port)
  t.after(() => collector.stop())
  return collector
}

test('a server that is not there yet: calls go on, and their entries wait for it', async (t) => {
  const port = await freePort()
  const { counts, calls } = await start(t, port)
  await calls(['/1', '/2', '/3'])
  const collector = await collecting(t, port)
  await calls(['/4'])
  await until('entries arrive', () => collector.entries.length === 4)
  assert.deepEqual(pathsOf(collector), ['/1', '/2', '/3', '/4'])
  await until('they are counted', async () => (await counts())['exported'] === 4)
  assert.deepEqual(await counts(), { exported: 4 })
})

test('a stream that breaks is opened again, and says anew who tells', async (t) => {
  const collector = await collecting(t)
  const { calls } = await start(t, collector.port)
  await calls(['/1'])
  await until('the first entry', () => collector.entries.length === 1)
  collector.breakStreams()
  await until('it is broken', () => collector.open === 0)
  await until('entries arrive again', async () => {
    await calls(['/more'])
    return collector.streams.length === 2
  })
  const [first, second] = collector.streams
  assert.deepEqual(second, first)
  assert.match(JSON.stringify(second), /"logName":"calls"/)
})

test('a server that refuses: what it did not take is counted, later entries arrive', async (t) => {
  const collector = await collecting(t)
  const { counts, calls } = await start(t, collector.port)
  collector.refuse(true)
  await calls(['/1', '/2'])
  await until('refused', async () => (await counts())['failed'] === 2)
  collector.refuse(false)
  await until('taken', async () => {
    await calls(['/3'])
    return collector.entries.length > 0
  })
})

test('with a retry policy a batch is given up after so many attempts', async (t) => {
  const { counts, calls } = await start(
    t,
    await freePort(),
    streamLog({ grpc_stream_retry_policy: { num_retries: 2, retry_back_off: { base_interval: '0.01s' } } }),
  )
  await calls(['/1'])
  await until('given up', async () => (await counts())['failed'] === 1)
})

test('a server that does not read: what finds no room is dropped, and calls go on', async (t) => {
  const collector = await collecting(t)
  const { counts, calls } = await start(t, collector.port)
  collector.stall(true)
  const large = { 'x-large': 'x'.repeat(14_000) }
  for (let left = 10; left > 0; left--)
    await Promise.all(
      Array.from({ length: 8 }, () =>
        calls(
          Array.from({ length: 5 }, () => '/large'),
          large,
        ),
      ),
    )
  await until('dropped', async () => ((await counts())['dropped'] ?? 0) > 0)
  await calls(['/still'])
  collector.stall(false)
  await until('it reads again', () => collector.entries.length > 200)
})

test('OTLP: a server that is not there costs entries, one that comes gets the next', async (t) => {
  const port = await freePort()
  const { counts, calls } = await start(t, port, otlpLog)
  await calls(['/1', '/2'])
  await until('the loss is counted', async () => (await counts())['failed'] === 2)
  const collector = await collecting(t, port)
  await until('records arrive', async () => {
    await calls(['/3'])
    return collector.records.length > 0
  })
})

test('what waits is sent when the proxy drains, and a server that is gone holds that up for a moment only', async (t) => {
  const collector = await collecting(t)
  const waits = streamLog({ buffer_flush_interval: '60s' })
  const { proxy, calls } = await start(t, collector.port, waits)
  await calls(['/1', '/2', '/3'])
  assert.equal(collector.entries.length, 0)
  await proxy.drain(1000)
  assert.deepEqual(pathsOf(collector), ['/1', '/2', '/3'])
  assert.equal(collector.open, 0)
  const other = await start(t, await freePort(), waits)
  await other.calls(['/1'])
  const beganMs = performance.now()
  await other.proxy.drain(1000)
  assert.ok(performance.now() - beganMs < 4000)
})
