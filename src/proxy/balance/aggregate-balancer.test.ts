import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import type { Cluster, Endpoint, LoadBalancing } from '../config.ts'
import { isFault } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { buildCluster, buildEndpoint, ejectAtOnce } from '../testing/build-config.ts'
import { createAggregateBalancer, membersOf } from './aggregate-balancer.ts'
import { createBalancer, type Balancer } from './balancer.ts'
import { createEndpointStates } from './endpoint-state.ts'
import { select } from './select.ts'

const endpoint = (port: number, more: Partial<Endpoint> = {}): Endpoint => ({
  ...buildEndpoint({ host: '10.0.0.1', port }),
  ...more,
})
const cluster = (name: string, endpoints: readonly Endpoint[], more: Partial<Cluster> = {}): Cluster =>
  buildCluster(name, [], { panicThresholdPercent: 50, endpoints, ...more })
const sick = { health: 'unhealthy' } as const

function aggregate(...members: readonly Cluster[]): Balancer {
  const clock = manualClock()
  const states = createEndpointStates()
  const own = members.map((one) => createBalancer(one, states, seeded(5), clock))
  const whole = cluster('all', [], { discovery: 'aggregate', members: members.map(({ name }) => name) })
  return createAggregateBalancer(whole, own, { random: seeded(7), clock })
}
/** Of 1,000 picks, how many each port got. */
function shares(balancer: Balancer): Record<number, number> {
  const counted: Record<number, number> = {}
  for (let one = 0; one < 1_000; one++) {
    const port = balancer.pick([])?.endpoint.address.port ?? 0
    counted[port] = (counted[port] ?? 0) + 1
  }
  return counted
}

test('the first cluster takes all while it can; the levels of the next ones take what is left, in order', () => {
  assert.deepEqual(shares(aggregate(cluster('a', [endpoint(1), endpoint(2)]), cluster('b', [endpoint(3)]))), {
    1: 500,
    2: 500,
  })
  const half = cluster('a', [endpoint(1), endpoint(2, sick)])
  const spilling = shares(aggregate(half, cluster('b', [endpoint(3)])))
  assert.deepEqual(Object.keys(spilling), ['1', '3'])
  assert.ok(Math.abs((spilling[1] ?? 0) - 700) < 60, JSON.stringify(spilling)) // 140 % of one half
  const levels = cluster('a', [endpoint(1, sick), endpoint(2, { priority: 4 })])
  assert.deepEqual(shares(aggregate(levels, cluster('b', [endpoint(3)]))), { 2: 1_000 })
  assert.deepEqual(shares(aggregate(cluster('a', [endpoint(1, sick)]), cluster('b', [endpoint(3)]))), { 3: 1_000 })
  assert.deepEqual(shares(aggregate(cluster('a', []), cluster('b', [endpoint(3)]))), { 3: 1_000 })
  assert.equal(aggregate(cluster('a', [])).pick([]), undefined)
})

test('within a level the policy, the localities and the reserve of its own cluster hold', () => {
  const loadBalancing: LoadBalancing = { kind: 'maglev', tableSize: 11 }
  const hashed = aggregate(cluster('a', [endpoint(1), endpoint(2), endpoint(3)], { loadBalancing }))
  const first = hashed.pick([], 0, { hi: 1, lo: 2 })
  for (let again = 0; again < 5; again++) assert.equal(hashed.pick([], 0, { hi: 1, lo: 2 }), first)
  const generous = cluster('a', [endpoint(1), endpoint(2, sick)], { overprovisioningPercent: 200 })
  assert.deepEqual(shares(aggregate(generous, cluster('b', [endpoint(3)]))), { 1: 1_000 })
})

test('a retry may leave out the levels that were tried', () => {
  const balancer = aggregate(cluster('a', [endpoint(1), endpoint(2)]), cluster('b', [endpoint(3)]))
  assert.equal(balancer.pick(['10.0.0.1:1'], 0, undefined, 1)?.endpoint.address.port, 3)
  assert.equal(balancer.pick(['10.0.0.1:1', '10.0.0.1:2'], 8)?.endpoint.address.port, 3)
})

test('what a call shows of an endpoint is told to its own cluster, which is what it is sent with', async () => {
  const a = cluster('a', [endpoint(1), endpoint(2)], { outlierDetection: ejectAtOnce })
  const b = cluster('b', [endpoint(3)])
  const balancer = aggregate(a, b)
  const seen: string[] = []
  const service = select({
    cluster: 'all',
    balancer,
    send: async (_call, { address }, of) => {
      seen.push(`${of.name} ${address}`)
      return makeReply(of === a ? 500 : 200)
    },
  })
  const statuses: unknown[] = []
  for (let one = 0; one < 30; one++) {
    const answer = await service(makeCall())
    statuses.push(isFault(answer) || answer.status)
  }
  // One of a is ejected; the last one that is left there is not, and has 70 % of the calls.
  assert.equal(statuses[0], 500)
  assert.ok(statuses.includes(200))
  assert.ok(seen.includes('b 10.0.0.1:3'))
  assert.equal(balancer.all.filter(({ ejected }) => ejected).length, 1)
  assert.equal(balancer.named('10.0.0.1:3')?.endpoint.address.port, 3)
})

test('members are found through members, each once; what is not there is left out', () => {
  const of = (name: string, members?: readonly string[]): Cluster =>
    cluster(name, [], members ? { discovery: 'aggregate', members } : {})
  const all = [of('x', ['a', 'y', 'gone', 'a']), of('y', ['b', 'x', 'a']), of('a'), of('b')]
  const clusters = new Map(all.map((one) => [one.name, one]))
  const [x] = all
  assert.deepEqual(x && membersOf(x, clusters).map(({ name }) => name), ['a', 'b'])
})
