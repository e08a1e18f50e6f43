import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import type { ClientSideWeights, Cluster } from '../config.ts'
import { headerField } from '../http/headers.ts'
import type { Body } from '../http/body.ts'
import { isFault, type Reply } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { envoyLimits } from '../config/priority.ts'
import { createBalancer } from './balancer.ts'
import { createEndpointStates } from './endpoint-state.ts'
import { weightOfReport } from './reported-weights.ts'
import { select } from './select.ts'

const rules: ClientSideWeights = {
  kind: 'client-side-weights',
  blackoutMs: 10_000,
  expirationMs: 180_000,
  updateMs: 1000,
  errorPenalty: 1,
  metrics: [],
}
const cluster = (ports: readonly number[], loadBalancing = rules): Cluster => ({
  name: 'x',
  connectTimeoutMs: 1000,
  loadBalancing,
  discovery: 'static',
  endpoints: ports.map((port) => ({
    address: { host: '10.0.0.1', port },
    weight: port, // discovery has no say
    priority: 0,
    health: 'healthy',
    locality: '',
    transport: '',
    workload: undefined,
  })),
  transports: new Map([['', undefined]]),
  limits: envoyLimits,
  upstreamProtocol: 'http/1.1',
  idleTimeoutMs: 0,
  outlierDetection: undefined,
  panicThresholdPercent: 0,
  origin: undefined,
})

/** A cluster whose endpoints say what `reports` has for their port. */
function world(ports: readonly number[], loadBalancing = rules) {
  const clock = manualClock()
  const balancer = createBalancer(cluster(ports, loadBalancing), createEndpointStates(), seeded(3), clock)
  const reports = new Map<number, string>()
  const service = select({
    cluster: 'x',
    balancer,
    send: async (_call, { endpoint }) => {
      const report = reports.get(endpoint.address.port)
      const headers = report === undefined ? [] : [headerField('endpoint-load-metrics', `TEXT ${report}`)]
      return { ...makeReply(200), headers }
    },
  })
  /** Of so many calls, how many each endpoint got. */
  const shares = async (calls: number): Promise<Record<string, number>> => {
    const counted: Record<string, number> = {}
    for (let one = 0; one < calls; one++) {
      const call = makeCall()
      await service(call)
      const port = String(call.trace.endpoint?.port)
      counted[port] = (counted[port] ?? 0) + 1
    }
    return counted
  }
  return { clock, balancer, reports, shares }
}

test('weights follow from reports, after the blackout, until they expire', async () => {
  const { clock, reports, shares } = world([1, 2])
  reports.set(1, 'rps_fractional=100,cpu_utilization=0.5')
  reports.set(2, 'rps_fractional=100,cpu_utilization=0.1')
  assert.deepEqual(await shares(60), { 1: 30, 2: 30 })
  clock.advance(9_999)
  assert.deepEqual(await shares(60), { 1: 30, 2: 30 })
  clock.advance(1_001)
  const after = await shares(600)
  assert.ok(Math.abs((after[1] ?? 0) - 100) <= 2, JSON.stringify(after))
  reports.clear()
  clock.advance(180_001)
  assert.deepEqual(await shares(60), { 1: 30, 2: 30 })
})

test('reports that come again after they have expired have a blackout of their own', async () => {
  const { clock, reports, shares } = world([1, 2], { ...rules, expirationMs: 20_000 })
  reports.set(1, 'rps_fractional=1,cpu_utilization=0.5')
  reports.set(2, 'rps_fractional=9,cpu_utilization=0.5')
  await shares(2)
  clock.advance(11_000)
  assert.ok(((await shares(100))[2] ?? 0) > 80)
  clock.advance(30_000)
  assert.deepEqual(await shares(10), { 1: 5, 2: 5 })
  clock.advance(9_000)
  assert.deepEqual(await shares(10), { 1: 5, 2: 5 })
  clock.advance(2_000)
  assert.ok(((await shares(100))[2] ?? 0) > 80)
})

test('who says nothing has the median of the others', async () => {
  const { clock, reports, shares } = world([1, 2, 3, 4], { ...rules, blackoutMs: 0 })
  reports.set(1, 'rps_fractional=10,cpu_utilization=1')
  reports.set(2, 'rps_fractional=30,cpu_utilization=1')
  reports.set(3, 'cpu_utilization=0.5') // too little
  await shares(8)
  clock.advance(1_000)
  const after = await shares(800)
  for (const [port, wanted] of [
    [1, 100],
    [2, 300],
    [3, 200],
    [4, 200],
  ] as const)
    assert.ok(Math.abs((after[port] ?? 0) - wanted) <= 3, JSON.stringify(after))
})

test('weights are looked at anew at every period, no sooner', async () => {
  const { clock, reports, shares } = world([1, 2], { ...rules, blackoutMs: 0, updateMs: 5_000 })
  await shares(2)
  reports.set(1, 'rps_fractional=1,cpu_utilization=1')
  reports.set(2, 'rps_fractional=4,cpu_utilization=1')
  await shares(2)
  clock.advance(4_999)
  assert.deepEqual(await shares(10), { 1: 5, 2: 5 })
  clock.advance(1)
  const after = await shares(100)
  assert.ok(Math.abs((after[2] ?? 0) - 80) <= 1, JSON.stringify(after))
})

test('load is the largest of the metrics, else what the program says of itself, else of its CPU; failures count on top', () => {
  const of = (said: Record<string, number>, metrics: readonly string[] = [], errorPenalty = 0): number | undefined =>
    weightOfReport(new Map(Object.entries({ rps_fractional: 100, ...said })), { metrics, errorPenalty })
  const all = { cpu_utilization: 0.5, application_utilization: 0.25, 'named_metrics.a': 0.8, 'named_metrics.b': 1 }
  assert.equal(of(all), 400)
  assert.equal(of({ cpu_utilization: 0.5 }), 200)
  assert.equal(of(all, ['named_metrics.a']), 125)
  assert.equal(of(all, ['named_metrics.a', 'named_metrics.b']), 100)
  assert.equal(of(all, ['named_metrics.*']), 100)
  assert.equal(of(all, ['utilization.none']), 400)
  assert.equal(of({ cpu_utilization: 0.5, eps: 50 }, [], 1), 100)
  assert.equal(of({ cpu_utilization: 0.5, rps_fractional: 0 }), undefined)
  assert.equal(of({}), undefined)
  assert.equal(of({ cpu_utilization: 1e-300, rps_fractional: 1e300 }), 2 ** 32 - 1)
  assert.equal(of({ cpu_utilization: 1e300, rps_fractional: 1e-300 }), 1e-6)
})

test('a report may come in the trailers; the body passes as it was', async () => {
  const balancer = createBalancer(cluster([1]), createEndpointStates(), seeded(3), manualClock())
  const reported = (): number | undefined => balancer.all[0]?.reported?.weight
  const trailers = [headerField('endpoint-load-metrics', 'TEXT rps_fractional=10,cpu_utilization=0.5')]
  const body: Body = {
    length: undefined,
    start(sink) {
      sink.data(Buffer.from('hello'))
      sink.end(trailers)
    },
    resume() {},
    cancel() {},
  }
  const reply: Reply = { ...makeReply(200), body }
  const service = select({ cluster: 'x', balancer, send: async () => reply })
  const answer = await service(makeCall())
  assert.ok(!isFault(answer) && reported() === undefined)
  const got: unknown[] = []
  answer.body.start({
    data: (chunk) => got.push(chunk.toString()) > 0,
    end: (own) => void got.push(own),
    fail: (fault) => void got.push(fault),
  })
  assert.deepEqual(got, ['hello', trailers])
  assert.equal(reported(), 20)
})
