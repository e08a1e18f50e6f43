import assert from 'node:assert/strict'
import net from 'node:net'
import { test, type TestContext } from 'node:test'
import { manualClock } from '../../base/testing/manual-clock.ts'
import type { Fault } from '../http/fault.ts'
import type { Service } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { seeded } from '../../base/random.ts'
import { accessLog } from './access-log.ts'
import { createLogs } from './logs.ts'
import { startAdmin } from './admin.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { createTcpMetrics } from './record-tcp.ts'
import { createCallMetrics, serviceOf, type Self } from './record.ts'

const self: Self = {
  principal: 'spiffe://weft.local/ns/default/sa/web',
  workload: 'default/web-1',
  service: 'default/web',
}
const ok: Service = () => Promise.resolve(makeReply())
const linesOf = (metrics: Metrics): string[] =>
  metrics
    .exposition()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))

test('what was counted goes to another process once, gauges stay', () => {
  const [before, after] = [createMetrics({ clock: manualClock() }), createMetrics({ clock: manualClock() })]
  const figures = [before, after].map((metrics) => ({
    counter: metrics.counter('c_total', 'C.', ['a']),
    gauge: metrics.gauge('g', 'G.', []),
    histogram: metrics.histogram('h', 'H.', [], [1, 10]),
  }))
  const [old, next] = figures
  assert.ok(old !== undefined && next !== undefined)
  before.counter('other_total', 'Of an older version.', []).of().add(1)
  old.counter.of('x').add(3)
  old.gauge.of().set(7)
  for (const value of [0.5, 5, 50]) old.histogram.of().observe(value)
  next.counter.of('x').add(1)
  // As it crosses the border between two processes.
  const carry = (): void => after.take(JSON.parse(JSON.stringify(before.give())))
  carry()
  old.counter.of('x').add(2)
  old.histogram.of().observe(5)
  carry()
  carry()
  assert.deepEqual(linesOf(after), [
    'c_total{a="x"} 6',
    'h_bucket{le="1"} 1',
    'h_bucket{le="10"} 3',
    'h_bucket{le="+Inf"} 4',
    'h_sum 60.5',
    'h_count 4',
  ])
})

test('exposition: escaping, empty labels, cumulated buckets', () => {
  const metrics = createMetrics({ clock: manualClock() })
  metrics.counter('c_total', 'With \\ and\nline.', ['a', 'b']).of('q"\\\n', '').add(2)
  metrics.gauge('g', 'G.', []).of().set(-1.5)
  const histogram = metrics.histogram('h', 'H.', ['x'], [0.1, 1]).of('y')
  for (const value of [0.05, 0.1, 0.5, 7]) histogram.observe(value)
  metrics.counter('unused_total', 'Never asked for.', [])
  assert.equal(
    metrics.exposition(),
    [
      '# HELP c_total With \\\\ and\\nline.',
      '# TYPE c_total counter',
      'c_total{a="q\\"\\\\\\n"} 2',
      '# HELP g G.',
      '# TYPE g gauge',
      'g -1.5',
      '# HELP h H.',
      '# TYPE h histogram',
      'h_bucket{x="y",le="0.1"} 2',
      'h_bucket{x="y",le="1"} 3',
      'h_bucket{x="y",le="+Inf"} 4',
      'h_sum{x="y"} 7.65',
      'h_count{x="y"} 4',
      '',
    ].join('\n'),
  )
  assert.throws(() => metrics.gauge('g', '', []), /twice/)
})

test('a series that nobody touches for 10 minutes goes; a gauge that is not 0 stays', () => {
  const clock = manualClock()
  const metrics = createMetrics({ clock })
  const counter = metrics.counter('c_total', 'C.', ['who'])
  const gauge = metrics.gauge('g', 'G.', [])
  counter.of('old').add(1)
  gauge.of().add(1)
  clock.advance(8 * 60_000)
  counter.of('young').add(1)
  clock.advance(4 * 60_000)
  assert.deepEqual(linesOf(metrics), ['c_total{who="young"} 1', 'g 1'])
  assert.equal(metrics.generation, 1)
  gauge.of().add(-1)
  clock.advance(12 * 60_000)
  assert.deepEqual(linesOf(metrics), [])
  assert.equal(metrics.seriesCount, 0)
  metrics.close()
  assert.equal(clock.pending, 0)
})

test('series are bounded, and what found no room is counted', () => {
  const metrics = createMetrics({ clock: manualClock(), maxSeries: 3 })
  const counter = metrics.counter('c_total', 'C.', ['who'])
  for (let who = 0; who < 10; who++) counter.of(String(who)).add(1)
  assert.deepEqual(linesOf(metrics), [
    'weft_metrics_overflow_total{metric="c_total"} 7',
    'c_total{who="0"} 1',
    'c_total{who="1"} 1',
    'c_total{who="2"} 1',
  ])
})

test('outbound calls: source is this proxy, destination the service and workload', async () => {
  const clock = manualClock()
  const metrics = createMetrics({ clock })
  const service = createCallMetrics(metrics, clock).record('outbound', () => self)(ok)
  for (const [status, workload] of [
    [200, 'default/reviews-1'],
    [200, 'default/reviews-1'],
    [503, 'default/reviews-2'],
  ] as const) {
    const call = makeCall({ startedMs: clock.nowMs() })
    await service(call)
    assert.ok(linesOf(metrics).includes('weft_active_requests{direction="outbound"} 1'))
    Object.assign(call.trace, {
      cluster: 'default/reviews/9080',
      upstreamWorkload: workload,
      upstreamPrincipal: 'spiffe://x',
    })
    clock.advance(3)
    call.end({ status, fault: undefined })
  }
  const common =
    'direction="outbound",source="spiffe://weft.local/ns/default/sa/web",source_workload="default/web-1",destination_service="default/reviews"'
  const lines = linesOf(metrics)
  assert.ok(
    lines.includes(
      `weft_requests_total{${common},destination_workload="default/reviews-1",method="GET",status="200",tls="true"} 2`,
    ),
    lines.join('\n'),
  )
  assert.ok(
    lines.includes(
      `weft_requests_total{${common},destination_workload="default/reviews-2",method="GET",status="503",tls="true"} 1`,
    ),
  )
  assert.ok(lines.includes('weft_active_requests{direction="outbound"} 0'))
  const durations = lines.filter(
    (line) => line.startsWith('weft_request_duration_seconds_bucket') && line.includes('reviews-1'),
  )
  assert.match(durations.find((line) => line.includes('le="0.0025"')) ?? '', / 0$/)
  assert.match(durations.find((line) => line.includes('le="0.005"')) ?? '', / 2$/)
})

test('inbound calls: source is the proven principal or unknown; refusals and made-up methods are counted', async () => {
  const clock = manualClock()
  const metrics = createMetrics({ clock })
  const record = createCallMetrics(metrics, clock).record('inbound', () => self)
  const denied: Fault = { kind: 'denied', side: 'self', retry: 'never', principal: undefined, policy: '', reason: '' }
  const known = makeCall({ peer: { principal: 'spiffe://weft.local/ns/default/sa/front', tls: true } })
  const plain = makeCall({ method: 'BREW' })
  await record(ok)(known)
  await record(() => Promise.resolve(denied))(plain)
  known.end({ status: 200, fault: undefined })
  plain.end({ status: 403, fault: denied })
  const to = 'destination_service="default/web",destination_workload="default/web-1"'
  const lines = linesOf(metrics)
  assert.ok(
    lines.includes(
      `weft_requests_total{direction="inbound",source="spiffe://weft.local/ns/default/sa/front",${to},method="GET",status="200",tls="true"} 1`,
    ),
    lines.join('\n'),
  )
  assert.ok(
    lines.includes(
      `weft_requests_total{direction="inbound",source="unknown",${to},method="other",status="403",flags="UAEX",tls="false"} 1`,
    ),
  )
  assert.ok(lines.includes('weft_plaintext_requests_total{destination_service="default/web"} 1'))
})

test('calls are counted anew after their series have expired, and under a new identity', async () => {
  const clock = manualClock()
  const metrics = createMetrics({ clock })
  let who: Self = { ...self, principal: undefined }
  const service = createCallMetrics(metrics, clock).record('outbound', () => who)(ok)
  const once = async (): Promise<void> => {
    const call = makeCall({ startedMs: clock.nowMs() })
    await service(call)
    call.end({ status: 200, fault: undefined })
  }
  const counts = (): string[] => linesOf(metrics).filter((line) => line.startsWith('weft_requests_total'))
  await once()
  await once()
  clock.advance(12 * 60_000)
  assert.deepEqual(counts(), [])
  await once()
  assert.match(counts()[0] ?? '', /source="unknown".* 1$/)
  const open = makeCall()
  await service(open)
  assert.ok(linesOf(metrics).includes('weft_active_requests{direction="outbound"} 1'))
  open.end({ status: 200, fault: undefined })
  who = self
  await once()
  assert.match(counts()[1] ?? '', /source="spiffe:.* 1$/)
})

test('raw connections', () => {
  const metrics = createMetrics({ clock: manualClock() })
  const record = createTcpMetrics(metrics).opened('inbound', makeCall().peer, self)
  assert.ok(linesOf(metrics).includes('weft_tcp_connections_active{direction="inbound"} 1'))
  record.closed({ received: 10, sent: 20, fault: undefined, attempts: 1 })
  const to = 'direction="inbound",source="unknown",destination_service="default/web"'
  assert.deepEqual(linesOf(metrics), [
    `weft_tcp_connections_total{${to},tls="false"} 1`,
    'weft_tcp_connections_active{direction="inbound"} 0',
    `weft_tcp_received_bytes_total{${to}} 10`,
    `weft_tcp_sent_bytes_total{${to}} 20`,
    'weft_plaintext_connections_total{destination_service="default/web"} 1',
  ])
  assert.equal(serviceOf('shop/a/80'), 'shop/a')
  assert.equal(serviceOf('foreign_cluster'), 'foreign_cluster')
  assert.equal(serviceOf(undefined), 'unknown')
})

test('access log: one line of JSON, as the caller said it', async () => {
  const clock = manualClock(1_000)
  const lines: string[] = []
  const origin = { resource: 'HTTPRoute default/web', field: 'spec.rules[0]', revision: '7' }
  const layer = accessLog({
    direction: 'outbound',
    clock,
    logs: createLogs({
      to: () => (line) => void lines.push(line),
      toServer: () => () => {},
      random: seeded(1),
      headerTest: () => undefined,
    })([{ path: 'x' }]),
  })
  const call = makeCall({
    path: '/a?b="\n',
    startedMs: 1_000,
    headers: { 'x-request-id': 'r1', traceparent: '00-ab-cd-01' },
  })
  await layer((inner) => {
    inner.path = '/rewritten'
    return ok(inner)
  })(call)
  Object.assign(call.trace, {
    route: 'r',
    cluster: 'c',
    endpoint: { host: '::1', port: 1 },
    attempts: 2,
    bytesSent: 5,
    origin,
    revision: '42',
  })
  clock.advance(12.5)
  call.end({ status: 503, fault: { kind: 'no-endpoint', side: 'upstream', retry: 'safe', cluster: 'c' } })
  assert.equal(lines.length, 1)
  assert.match(lines[0] ?? '', /^[^\n]*\n$/)
  assert.deepEqual(JSON.parse(lines[0] ?? ''), {
    time: '1970-01-01T00:00:01.012Z',
    direction: 'outbound',
    method: 'GET',
    authority: 'web.test',
    path: '/a?b="\n',
    protocol: 'http/1.1',
    status: 503,
    flags: 'UH',
    fault: 'c has no healthy endpoint',
    durationMs: 12.5,
    bytesReceived: 0,
    bytesSent: 5,
    remote: '127.0.0.1:40000',
    route: 'r',
    cluster: 'c',
    endpoint: '[::1]:1',
    attempts: 2,
    origin,
    configRevision: '42',
    requestId: 'r1',
    traceparent: '00-ab-cd-01',
  })
})

/** One request on a connection of its own, so that Host can be anything. */
async function ask(port: number, path: string, host = '127.0.0.1', method = 'GET'): Promise<string> {
  const socket = net.connect(port, '127.0.0.1')
  socket.write(`${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text
}

async function admin(t: TestContext, on?: net.Server): Promise<{ port: number; setReady: (is: boolean) => void }> {
  let ready = false
  const metrics = createMetrics({ clock: manualClock() })
  metrics.counter('c_total', 'C.', []).of().add(1)
  const server = await startAdmin({
    on: on ?? { host: '127.0.0.1', port: 0 },
    ready: () => ready,
    answer(what) {
      if (what === 'stats') return metrics.exposition()
      if (what === 'certs') throw new Error('not yet')
      return { what, map: new Map([['a', new Set([1])]]) }
    },
  })
  t.after(() => server.close())
  return { port: server.address.port, setReady: (is) => void (ready = is) }
}

test('admin: readiness, figures, dumps', async (t) => {
  const { port, setReady } = await admin(t)
  assert.match(await ask(port, '/ready'), /^HTTP\/1.1 503 /)
  setReady(true)
  assert.match(await ask(port, '/ready?x'), /^HTTP\/1.1 200 /)
  assert.match(await ask(port, '/metrics'), /version=0\.0\.4[^]*c_total 1/)
  assert.match(await ask(port, '/stats/prometheus'), /c_total 1/)
  assert.match(await ask(port, '/clusters'), /"what": "clusters"[^]*"a": \[\n\s+1/)
  assert.match(await ask(port, '/'), /config_dump/)
  assert.match(await ask(port, '/nowhere'), /^HTTP\/1.1 404 /)
  assert.match(await ask(port, '/certs'), /^HTTP\/1.1 500 [^]*not yet/, 'a page that fails is its own problem')
})

test('admin: names by DNS, writes and garbage are refused, and it lives on', async (t) => {
  const { port } = await admin(t)
  assert.match(await ask(port, '/config_dump', 'rebound.test'), /^HTTP\/1.1 403 /)
  assert.match(await ask(port, '/config_dump', `localhost:${port}`), /^HTTP\/1.1 200 /)
  assert.match(await ask(port, '/config_dump', '[::1]:1'), /^HTTP\/1.1 200 /)
  assert.match(await ask(port, '/ready', '127.0.0.1', 'POST'), /^HTTP\/1.1 405 /)
  await ask(port, '\u0000\r\n', 'x').catch(() => {})
  assert.match(await ask(port, '/clusters'), /^HTTP\/1.1 200 /)
})

test('admin: on a socket that was handed over; a taken address is an error', async (t) => {
  const handed = net.createServer()
  await new Promise<void>((resolve) => handed.listen(0, '127.0.0.1', resolve))
  const { port } = await admin(t, handed)
  assert.match(await ask(port, '/clusters'), /^HTTP\/1.1 200 /)
  await assert.rejects(
    startAdmin({
      on: { host: '127.0.0.1', port },
      ready: () => true,
      answer: () => 0,
    }),
    /EADDRINUSE/,
  )
})
