import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import type { Cluster, Endpoint, LoadBalancing } from '../config.ts'
import { emptyBody } from '../http/body.ts'
import type { Fault } from '../http/fault.ts'
import { isFault } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { outlierRules } from '../testing/build-config.ts'
import { createBalancer, type Balancer } from './balancer.ts'
import { createEndpointStates } from './endpoint-state.ts'
import { select } from './select.ts'

const endpoint = (port: number, more: Partial<Endpoint> = {}): Endpoint => ({
  address: { host: '10.0.0.1', port },
  weight: 1,
  priority: 0,
  health: 'healthy',
  locality: '',
  transport: '',
  workload: `default/w-${port}`,
  ...more,
})
const endpoints = (count: number, more: Partial<Endpoint> = {}): Endpoint[] =>
  Array.from({ length: count }, (_, index) => endpoint(index + 1, more))
const cluster = (of: readonly Endpoint[], more: Partial<Cluster> = {}): Cluster => ({
  name: 'default/web/80',
  connectTimeoutMs: 5_000,
  loadBalancing: { kind: 'round-robin' },
  discovery: 'eds',
  endpoints: of,
  transports: new Map([['', undefined]]),
  limits: { maxConnections: 1, maxPendingRequests: 1, maxRequests: 1, retryBudgetPercent: 20, minRetryConcurrency: 3 },
  upstreamProtocol: 'http/1.1',
  idleTimeoutMs: 0,
  outlierDetection: outlierRules,
  panicThresholdPercent: 0,
  origin: undefined,
  ...more,
})
const leastRequest = { kind: 'least-request', choices: 2, activeRequestBias: 1 } as const
const build = (of: Cluster, clock = manualClock(), states = createEndpointStates()): Balancer =>
  createBalancer(of, states, seeded(5), clock)

function tally(balancer: Balancer, picks: number): Map<number, number> {
  const counts = new Map<number, number>()
  for (let count = 0; count < picks; count++) {
    const port = balancer.pick([])?.endpoint.address.port ?? 0
    counts.set(port, (counts.get(port) ?? 0) + 1)
  }
  return counts
}
const ports = (balancer: Balancer): number[] => [...tally(balancer, 200).keys()].toSorted((a, b) => a - b)

test('round robin takes each in turn', () => {
  const balancer = build(cluster(endpoints(7)))
  for (const count of tally(balancer, 700).values()) assert.equal(count, 100)
  const once = Array.from({ length: 7 }, () => balancer.pick([])?.address)
  assert.equal(new Set(once).size, 7)
})

test('round robin follows weights exactly and spreads them', () => {
  const balancer = build(cluster([endpoint(1, { weight: 5 }), endpoint(2, { weight: 1 }), endpoint(3, { weight: 2 })]))
  const counts = tally(balancer, 8_000)
  for (const [port, wanted] of [
    [1, 5_000],
    [2, 1_000],
    [3, 2_000],
  ] as const)
    assert.ok(Math.abs((counts.get(port) ?? 0) - wanted) <= 2, `${port}: ${counts.get(port)}`)
  let row = 0
  for (let count = 0; count < 800; count++) {
    row = balancer.pick([])?.endpoint.address.port === 1 ? row + 1 : 0
    assert.ok(row <= 5, 'not five of one weight and more in a row')
  }
})

test('least request prefers the less busy, by weight', () => {
  const states = createEndpointStates()
  const balancer = build(cluster(endpoints(10), { loadBalancing: leastRequest }), manualClock(), states)
  for (let count = 0; count < 5_000; count++) {
    const chosen = balancer.pick([])
    if (chosen) chosen.activeCalls++
  }
  const loads = [...(states.clusters.get('default/web/80')?.endpoints.values() ?? [])].map((one) => one.activeCalls)
  assert.ok(Math.max(...loads) - Math.min(...loads) <= 8, `two choices stay close: ${loads.join(' ')}`)

  // Nothing ends: after n calls a turn costs n / weight, so that calls go by the weights' square roots.
  for (const [bias, share] of [
    [1, Math.sqrt(3) / (1 + Math.sqrt(3))],
    [0, 3 / 4],
  ] as const) {
    const weighted = createEndpointStates()
    const loadBalancing: LoadBalancing = { ...leastRequest, activeRequestBias: bias }
    const heavy = build(cluster([endpoint(1, { weight: 3 }), endpoint(2)], { loadBalancing }), manualClock(), weighted)
    for (let count = 0; count < 4_000; count++) {
      const chosen = heavy.pick([])
      if (chosen) chosen.activeCalls++
    }
    const [first, second] = [...(weighted.clusters.get('default/web/80')?.endpoints.values() ?? [])]
    const wanted = 4_000 * share
    assert.ok(Math.abs((first?.activeCalls ?? 0) - wanted) < 10, `${first?.activeCalls} and ${second?.activeCalls}`)
  }
})

test('idle endpoints with weights are picked by weight', () => {
  const counts = tally(
    build(
      cluster([endpoint(1, { weight: 8 }), endpoint(2, { weight: 1 }), endpoint(3, { weight: 1 })], {
        loadBalancing: leastRequest,
      }),
    ),
    20_000,
  )
  assert.ok(Math.abs((counts.get(1) ?? 0) - 16_000) < 400, String(counts.get(1)))
})

test('health: degraded ones only for what the healthy cannot take, never unhealthy or draining', () => {
  const all = [
    endpoint(1, { health: 'unhealthy' }),
    endpoint(2, { health: 'draining' }),
    endpoint(3, { health: 'degraded' }),
    endpoint(4),
  ]
  assert.deepEqual(ports(build(cluster(all))), [3, 4], 'one of four cannot take all calls')
  assert.deepEqual(ports(build(cluster([...all, endpoint(5), endpoint(6), endpoint(7)]))), [3, 4, 5, 6, 7])
  assert.deepEqual(ports(build(cluster([...all.slice(2), endpoint(5), endpoint(6)]))), [4, 5, 6])
  assert.deepEqual(ports(build(cluster(all.slice(0, 3)))), [3])
  assert.equal(build(cluster(all.slice(0, 2))).pick([]), undefined)
  assert.equal(build(cluster([])).pick([]), undefined)
})

test('panic: with too small a share of healthy ones health is ignored, draining still is not', () => {
  const all = [
    endpoint(1, { health: 'unhealthy' }),
    endpoint(2, { health: 'draining' }),
    endpoint(3, { health: 'unhealthy' }),
    endpoint(4),
  ]
  assert.deepEqual(ports(build(cluster(all, { panicThresholdPercent: 50 }))), [1, 3, 4])
  assert.deepEqual(ports(build(cluster(all, { panicThresholdPercent: 25 }))), [4])
  assert.deepEqual(ports(build(cluster(all.slice(0, 3), { panicThresholdPercent: 50 }))), [1, 3])
})

test('priorities: the first level that has anybody', () => {
  const all = [endpoint(1, { priority: 1 }), endpoint(2, { health: 'unhealthy' }), endpoint(3, { priority: 2 })]
  assert.deepEqual(ports(build(cluster(all))), [1])
})

test('a retry goes elsewhere if it can', () => {
  for (const loadBalancing of [leastRequest, { kind: 'round-robin' } as const]) {
    const balancer = build(cluster(endpoints(3), { loadBalancing }))
    for (let count = 0; count < 200; count++)
      assert.equal(balancer.pick(['10.0.0.1:1', '10.0.0.1:3'], 50)?.endpoint.address.port, 2)
    assert.notEqual(balancer.pick(['10.0.0.1:1', '10.0.0.1:2', '10.0.0.1:3']), undefined, 'else a tried one')
  }
})

test('a retry goes to the one that is left, however busy it is and however idle the others look', () => {
  const policies = [leastRequest, { kind: 'peak-ewma', defaultRttMs: 30, decayMs: 10_000 }] as const
  for (const loadBalancing of policies) {
    const balancer = build(cluster(endpoints(3), { loadBalancing }))
    const [alive, ...dead] = balancer.all
    assert.ok(alive !== undefined)
    alive.activeCalls = 20
    const tried = dead.map(({ address }) => address)
    for (let count = 0; count < 50; count++) assert.equal(balancer.pick(tried, 5)?.address, alive.address)
  }
})

test('a retry that all of its priority have failed goes to the next one, over all of its endpoints', () => {
  const far = [endpoint(2, { priority: 1 }), endpoint(3, { priority: 1 }), endpoint(4, { priority: 2 })]
  const balancer = build(cluster([endpoint(1), ...far]))
  const further = new Set(Array.from({ length: 20 }, () => balancer.pick(['10.0.0.1:1'])?.endpoint.address.port))
  assert.deepEqual(further, new Set([2, 3]))
  assert.equal(balancer.pick(['10.0.0.1:1'], 0)?.endpoint.address.port, 1, 'where no other try is wanted')
  assert.deepEqual([...tally(balancer, 20).keys()], [1])
  const last = build(cluster([endpoint(1), endpoint(2, { priority: 1, health: 'unhealthy' })]))
  assert.equal(last.pick(['10.0.0.1:1'])?.endpoint.address.port, 1)
})

test('levels that were tried are left out at every so many attempts, until none is left', () => {
  const level = (priority: number) => [1, 2].map((port) => endpoint(10 * priority + port, { priority }))
  const balancer = build(cluster([...level(0), ...level(1), ...level(2)]))
  const next = (tried: readonly string[], every: number): number | undefined =>
    balancer.pick(tried, 0, undefined, every)?.endpoint.priority
  const at = (...ports: readonly number[]): string[] => ports.map((port) => `10.0.0.1:${port}`)
  assert.equal(next([], 1), 0)
  assert.equal(next(at(1), 1), 1)
  assert.equal(next(at(1, 11), 1), 2)
  assert.equal(next(at(1, 11, 21), 1), 0) // all have been tried
  assert.equal(next(at(1, 11, 21, 1), 1), 1) // and again
  assert.equal(next(at(1), 2), 0)
  assert.equal(next(at(1, 2), 2), 1)
  assert.equal(next(at(1, 2, 11), 2), 1)
  assert.equal(next(at(1, 2, 11, 12), 2), 2)
  assert.equal(next(at(99), 1), 0) // gone meanwhile
})

test('leaving a level out begins no panic in those that are left', () => {
  const sick = { priority: 1, health: 'unhealthy' } as const
  const all = [endpoint(1), endpoint(11, { priority: 1 }), endpoint(12, sick), endpoint(13, sick), endpoint(14, sick)]
  const balancer = build(cluster(all, { panicThresholdPercent: 50 }))
  for (let turn = 0; turn < 5; turn++)
    assert.equal(balancer.pick(['10.0.0.1:1'], 0, undefined, 1)?.endpoint.address.port, 11)
})

test('outlier detection ejects, returns, and ejects for longer', () => {
  const clock = manualClock(1)
  const balancer = build(cluster(endpoints(3)), clock)
  const fail = (port: number, times: number): void => {
    for (let count = 0; count < times; count++) {
      const state = Array.from({ length: 3 }, () => balancer.pick([])).find(
        (one) => one?.endpoint.address.port === port,
      )
      if (state) balancer.report(state, '5xx')
    }
  }
  fail(1, 4)
  assert.deepEqual(ports(balancer), [1, 2, 3])
  const state = Array.from({ length: 3 }, () => balancer.pick([])).find((one) => one?.endpoint.address.port === 1)
  assert.ok(state)
  balancer.report(state, 'success')
  fail(1, 4)
  assert.deepEqual(ports(balancer), [1, 2, 3], 'a success in between starts over')
  fail(1, 1)
  assert.deepEqual(ports(balancer), [2, 3])
  fail(2, 9)
  assert.deepEqual(ports(balancer), [2, 3], 'at most 10 %, at least one: no second')
  clock.advance(29_999)
  assert.deepEqual(ports(balancer), [2, 3])
  clock.advance(1)
  assert.deepEqual(ports(balancer), [1, 2, 3])
  for (let count = 0; count < 5; count++) balancer.report(state, 'gateway-failure')
  clock.advance(59_999)
  assert.ok(!ports(balancer).includes(1), 'twice the base the second time')
  clock.advance(1)
  assert.ok(ports(balancer).includes(1))
})

test('the last endpoint that is left is never ejected', () => {
  const clock = manualClock(1)
  const balancer = build(cluster(endpoints(1)), clock)
  const state = balancer.pick([])
  assert.ok(state)
  for (let count = 0; count < 50; count++) balancer.report(state, 'gateway-failure')
  assert.equal(balancer.pick([]), state)
})

test('what is known about an endpoint outlives configurations, until its address goes', () => {
  const states = createEndpointStates()
  const clock = manualClock(1)
  const old = build(cluster(endpoints(3)), clock, states)
  const one = states.clusters.get('default/web/80')?.endpoints.get('10.0.0.1:1')
  assert.ok(one)
  one.activeCalls = 7
  for (let count = 0; count < 5; count++) old.report(one, '5xx')
  const newer = build(cluster(endpoints(2, { weight: 4 })), clock, states)
  assert.deepEqual(ports(newer), [2], 'still ejected')
  assert.equal(states.clusters.get('default/web/80')?.endpoints.get('10.0.0.1:1'), one)
  assert.equal(one.endpoint.weight, 4)
  assert.deepEqual(ports(old), [2, 3], 'a call that began with the old configuration goes on with it')
  build(cluster([endpoint(2)]), clock, states)
  assert.deepEqual([...(states.clusters.get('default/web/80')?.endpoints.keys() ?? [])], ['10.0.0.1:2'])
  states.retain(new Set())
  assert.equal(states.clusters.size, 0)
})

test('random picks follow weights', () => {
  const counts = tally(
    build(cluster([endpoint(1, { weight: 3 }), endpoint(2)], { loadBalancing: { kind: 'random' } })),
    8_000,
  )
  assert.ok(Math.abs((counts.get(1) ?? 0) - 6_000) < 200, String(counts.get(1)))
})

const everyPolicy: readonly LoadBalancing[] = [
  { kind: 'round-robin' },
  leastRequest,
  { kind: 'random' },
  { kind: 'peak-ewma', defaultRttMs: 30, decayMs: 10_000 },
  { kind: 'ring-hash', minSize: 1024, maxSize: 8_388_608 },
  { kind: 'maglev', tableSize: 65_537 },
]
test('10,000 endpoints: a pick costs no thousand times what it costs among 10, with weights too', () => {
  const picksCpuUs = (size: number, loadBalancing: LoadBalancing): number => {
    const some = Array.from({ length: size }, (_, index) => endpoint(index + 1, { weight: 1 + (index % 7) }))
    const balancer = build(cluster(some, { loadBalancing }))
    balancer.pick([])
    const before = process.cpuUsage()
    for (let count = 0; count < 10_000; count++) balancer.pick([])
    return process.cpuUsage(before).user
  }
  for (const loadBalancing of everyPolicy) {
    const [few, many] = [picksCpuUs(10, loadBalancing), picksCpuUs(10_000, loadBalancing)]
    // O(log n) is 4 times as much, and memory that no cache holds a few times more; a walk over all is a thousand times as much.
    assert.ok(many < 100 * Math.max(few, 1000), `${loadBalancing.kind}: ${few} µs of CPU became ${many}`)
  }
})

test('select: notes the endpoint, counts it as active until the end, reports the outcome', async () => {
  const states = createEndpointStates()
  const balancer = build(cluster(endpoints(1)), manualClock(), states)
  const state = states.clusters.get('default/web/80')?.endpoints.get('10.0.0.1:1')
  assert.ok(state)
  const call = makeCall()
  const answer = await select({
    cluster: 'default/web/80',
    balancer,
    send: () => {
      assert.equal(state.activeCalls, 1)
      return Promise.resolve(makeReply(503))
    },
  })(call)
  assert.ok(!isFault(answer))
  assert.equal(state.activeCalls, 1)
  assert.equal(state.consecutive5xx, 1)
  call.end({ status: 503, fault: undefined })
  assert.equal(state.activeCalls, 0)
  assert.deepEqual(
    { ...call.trace },
    {
      tried: [],
      attempts: 1,
      bytesSent: 0,
      bytesReceived: 0,
      cluster: 'default/web/80',
      endpoint: { host: '10.0.0.1', port: 1 },
      upstreamWorkload: 'default/w-1',
      upstreamPrincipal: undefined,
    },
  )
})

test('select: a reply that breaks off is a failure of its endpoint, whatever its head said; of no other endpoint', async () => {
  const states = createEndpointStates()
  const balancer = build(cluster(endpoints(1)), manualClock(), states)
  const state = states.clusters.get('default/web/80')?.endpoints.get('10.0.0.1:1')
  assert.ok(state)
  const service = select({ cluster: 'default/web/80', balancer, send: () => Promise.resolve(makeReply(200)) })
  const failures = async (fault: Fault | undefined): Promise<number> => {
    const call = makeCall()
    await service(call)
    call.end({ status: 200, fault })
    return state.consecutive5xx
  }
  const broken = (port: number): Fault => ({
    kind: 'truncated',
    side: 'upstream',
    retry: 'never',
    endpoint: { host: '10.0.0.1', port },
    cause: 'it closed the connection',
  })
  assert.deepEqual([await failures(broken(1)), await failures(broken(1))], [1, 2])
  assert.equal(await failures(undefined), 0)
  assert.deepEqual([await failures(broken(1)), await failures(broken(2))], [1, 0])
  // Who closes a WebSocket without a word has done what it was asked to.
  const tunnel = { incoming: emptyBody, send() {} }
  const upgraded = makeCall()
  await select({
    cluster: 'default/web/80',
    balancer,
    send: () => Promise.resolve({ ...makeReply(101), tunnel }),
  })(upgraded)
  upgraded.end({ status: 101, fault: broken(1) })
  assert.equal(state.consecutive5xx, 0)
})

test('select: a fault ends the attempt at once, a bug too; the client leaving says nothing about the endpoint', async () => {
  const states = createEndpointStates()
  const balancer = build(cluster(endpoints(1)), manualClock(), states)
  const state = states.clusters.get('default/web/80')?.endpoints.get('10.0.0.1:1')
  assert.ok(state)
  const sending = (send: () => Promise<never>) => select({ cluster: 'c', balancer, send })(makeCall())
  const gone = select({
    cluster: 'c',
    balancer,
    send: () => Promise.resolve({ kind: 'client-gone', side: 'downstream', retry: 'never', cause: 'closed' }),
  })
  await gone(makeCall())
  assert.deepEqual([state.activeCalls, state.consecutive5xx], [0, 0])
  await assert.rejects(
    sending(() => Promise.reject(new Error('bug'))),
    /bug/,
  )
  assert.equal(state.activeCalls, 0)
  const none = select({ cluster: 'c', balancer: build(cluster([])), send: () => assert.fail() })
  assert.deepEqual(await none(makeCall()), { kind: 'no-endpoint', side: 'upstream', retry: 'safe', cluster: 'c' })
})

test('select: a call may ask for endpoints by its headers, those that are there and well, one after the other', async () => {
  const all = [endpoint(1), endpoint(2), endpoint(3, { health: 'draining' }), endpoint(4)]
  const balancer = build(cluster(all))
  const service = select({
    cluster: 'x',
    balancer,
    overrideHeaders: ['x-first', 'x-then'],
    send: async () => makeReply(200),
  })
  const taken = async (headers: Record<string, string>, tried: readonly string[] = []): Promise<unknown> => {
    const call = makeCall({ headers })
    call.trace.tried = tried
    await service(call)
    return call.trace.endpoint?.port
  }
  assert.equal(await taken({ 'x-first': '10.0.0.1:2' }), 2)
  assert.equal(await taken({ 'x-first': '10.0.0.9:1, 10.0.0.1:3,10.0.0.1:4' }), 4)
  assert.equal(await taken({ 'x-then': '10.0.0.1:4', 'x-first': '10.0.0.1:2' }), 2)
  assert.equal(await taken({ 'x-then': '10.0.0.1:4', 'x-first': 'nonsense' }), 4)
  assert.equal(await taken({ 'x-first': '10.0.0.1:2,10.0.0.1:4' }, ['10.0.0.1:2']), 4)
  const left = await taken({ 'x-first': '10.0.0.1:2,10.0.0.1:4' }, ['10.0.0.1:2', '10.0.0.1:4'])
  assert.equal(left, 1) // what balancing gives, and was not tried
})

test('who may be asked for by name is as the cluster says', () => {
  const said = (health: Endpoint['health'], healthStatus: Endpoint['healthStatus'], port: number): Endpoint =>
    endpoint(port, { health, ...(healthStatus && { healthStatus }) })
  const all = [
    said('healthy', 'unknown', 1),
    said('healthy', 'healthy', 2),
    said('draining', 'draining', 3),
    said('unhealthy', 'timeout', 4),
    said('degraded', 'degraded', 5),
    said('unhealthy', 'unhealthy', 6),
  ]
  const found = (overrideStatuses?: readonly NonNullable<Endpoint['healthStatus']>[]): number[] => {
    const balancer = build(cluster(all, overrideStatuses ? { overrideStatuses: new Set(overrideStatuses) } : {}))
    return all.flatMap(({ address: { port } }) => (balancer.named(`10.0.0.1:${port}`) === undefined ? [] : [port]))
  }
  assert.deepEqual(found(), [1, 2, 5])
  assert.deepEqual(found([]), [])
  assert.deepEqual(found(['healthy', 'draining']), [2, 3])
  assert.deepEqual(found(['unknown', 'timeout', 'unhealthy']), [1, 4, 6])
})
