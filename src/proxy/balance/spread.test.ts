import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { xxHash64 } from '../../base/xx-hash.ts'
import type { Cluster, Endpoint, LoadBalancing, Subsets } from '../config.ts'
import { buildCluster, buildEndpoint } from '../testing/build-config.ts'
import { createBalancer, type Balancer } from './balancer.ts'
import { createEndpointStates } from './endpoint-state.ts'

const endpoint = (port: number, more: Partial<Endpoint> = {}): Endpoint => ({
  ...buildEndpoint({ host: '10.0.0.1', port }),
  ...more,
})
const clusterOf = (endpoints: readonly Endpoint[], more: Partial<Cluster> = {}): Cluster => ({
  ...buildCluster('c', []),
  ...more,
  endpoints,
})
const build = (
  endpoints: readonly Endpoint[],
  more: Partial<Cluster> = {},
  clock = manualClock(1),
  states = createEndpointStates(),
): Balancer => createBalancer(clusterOf(endpoints, more), states, seeded(3), clock)

/** How many of `picks` calls each port got. */
function tally(balancer: Balancer, picks = 10_000): Record<number, number> {
  const counts: Record<number, number> = {}
  for (let count = 0; count < picks; count++) {
    const port = balancer.pick([], 0, xxHash64(`call ${count}`))?.endpoint.address.port ?? 0
    counts[port] = (counts[port] ?? 0) + 1
  }
  return counts
}
const near = (found: number | undefined, wanted: number, tolerance = wanted * 0.1): void =>
  assert.ok(Math.abs((found ?? 0) - wanted) <= tolerance, `${found}, expected about ${wanted}`)

const policies: readonly LoadBalancing[] = [
  { kind: 'round-robin' },
  { kind: 'least-request', choices: 2, activeRequestBias: 1 },
  { kind: 'random' },
  { kind: 'ring-hash', minSize: 10_000, maxSize: 100_000 },
  { kind: 'maglev', tableSize: 65_537 },
]
for (const loadBalancing of policies) {
  const { kind } = loadBalancing
  test(`${kind}: what the first level cannot take goes to the second`, () => {
    const first = [endpoint(1), ...[2, 3, 4].map((port) => endpoint(port, { health: 'unhealthy' }))]
    const found = tally(build([...first, endpoint(5, { priority: 1 })], { loadBalancing }))
    near(found[1], 3_500)
    near(found[5], 6_500)
  })

  test(`${kind}: localities share by their weights, endpoints within each by theirs`, () => {
    const all = [
      endpoint(1, { locality: 'a', localityWeight: 3 }),
      endpoint(2, { locality: 'a', localityWeight: 3, ...(kind === 'least-request' ? {} : { weight: 2 }) }),
      endpoint(3, { locality: 'b', localityWeight: 1 }),
      endpoint(4, { locality: 'c' }),
    ]
    const found = tally(build(all, { loadBalancing, localityWeighted: true }))
    near((found[1] ?? 0) + (found[2] ?? 0), 7_500)
    near(found[3], 2_500)
    assert.equal(found[4], undefined, 'no weight, no calls')
    if (kind !== 'least-request') near(found[2], 5_000)
    const unweighted = tally(build(all, { loadBalancing }))
    assert.ok((unweighted[4] ?? 0) > 1_000, 'weights of localities count only where the cluster says so')
  })
}

test('a locality that has lost more than its reserve counts less', () => {
  const of = (locality: string, from: number, healthy: number): Endpoint[] =>
    Array.from({ length: 10 }, (_, index) =>
      endpoint(from + index, { locality, localityWeight: 1, health: index < healthy ? 'healthy' : 'unhealthy' }),
    )
  const inFirst = (healthy: number): number => {
    const counts = tally(build([...of('a', 1, healthy), ...of('b', 11, 10)], { localityWeighted: true }))
    return Object.entries(counts).reduce((sum, [port, count]) => sum + (Number(port) <= 10 ? count : 0), 0)
  }
  near(inFirst(8), 5_000)
  near(inFirst(5), (10_000 * 0.7) / 1.7)
})

test('in panic neither health nor localities count', () => {
  const all = [
    endpoint(1, { locality: 'a', localityWeight: 9 }),
    endpoint(2, { health: 'unhealthy', locality: 'b', localityWeight: 1 }),
    endpoint(3, { health: 'unhealthy', locality: 'b', localityWeight: 1 }),
    endpoint(4, { health: 'draining', locality: 'b', localityWeight: 1 }),
  ]
  const balancer = build(all, { localityWeighted: true, panicThresholdPercent: 50 })
  const found = tally(balancer)
  for (const port of [1, 2, 3]) near(found[port], 3_333)
  assert.equal(found[4], undefined, 'who is leaving gets nothing new')
  assert.equal(balancer.table().inPanic, true)
})

test('health by weights: a heavy endpoint that fails takes its level along', () => {
  const all = [
    endpoint(1, { weight: 9, health: 'unhealthy' }),
    endpoint(2, { weight: 1 }),
    endpoint(3, { weight: 1 }),
    endpoint(4, { weight: 1 }),
    endpoint(5, { priority: 1 }),
  ]
  assert.equal(tally(build(all))[5], undefined)
  near(tally(build(all, { weightedPriorityHealth: true }))[5], 6_500)
})

test('slow start: a new endpoint gets its part little by little', () => {
  const slowStart = { windowMs: 10_000, aggression: 1, minWeightPercent: 10 }
  for (const loadBalancing of [
    { kind: 'round-robin', slowStart },
    { kind: 'least-request', choices: 2, activeRequestBias: 1, slowStart },
  ] as const) {
    const clock = manualClock(1)
    const states = createEndpointStates()
    const old = [endpoint(1), endpoint(2), endpoint(3)]
    build(old, { loadBalancing }, clock, states)
    clock.advance(60_000)
    const balancer = build([...old, endpoint(4)], { loadBalancing }, clock, states)
    const share = (): number => (tally(balancer, 4_000)[4] ?? 0) / 4_000
    near(share(), 0.1 / 3.1)
    clock.advance(5_000)
    near(share(), 0.5 / 3.5)
    clock.advance(5_000)
    near(share(), 0.25)
    assert.equal(balancer.table().candidates.length, 4)
  }
})

test('slow start: greater aggression is quicker at first', () => {
  const clock = manualClock(1)
  const states = createEndpointStates()
  const slowStart = { windowMs: 10_000, aggression: 2, minWeightPercent: 0 }
  const loadBalancing: LoadBalancing = { kind: 'round-robin', slowStart }
  build([endpoint(1)], { loadBalancing }, clock, states)
  clock.advance(60_000)
  const balancer = build([endpoint(1), endpoint(2)], { loadBalancing }, clock, states)
  clock.advance(2_500)
  near(tally(balancer, 3_000)[2], 1_000)
})

test('slow start under peak EWMA: a new endpoint looks slower than it is', () => {
  const clock = manualClock(1)
  const states = createEndpointStates()
  const slowStart = { windowMs: 10_000, aggression: 1, minWeightPercent: 10 }
  const loadBalancing: LoadBalancing = { kind: 'peak-ewma', defaultRttMs: 30, decayMs: 10_000, slowStart }
  build([endpoint(1), endpoint(2)], { loadBalancing }, clock, states)
  clock.advance(60_000)
  const balancer = build([endpoint(1), endpoint(2), endpoint(3)], { loadBalancing }, clock, states)
  // Alone against another it loses; only against itself it is taken.
  assert.ok((tally(balancer)[3] ?? 0) < 200)
  clock.advance(10_000)
  near(tally(balancer)[3], 3_333)
})

const version = (port: number, v: string, stage: string): Endpoint =>
  endpoint(port, { metadata: { version: v, stage } })
const many = [
  version(1, 'v1', 'prod'),
  version(2, 'v1', 'prod'),
  version(3, 'v2', 'prod'),
  version(4, 'v2', 'dev'),
  endpoint(5, { metadata: { version: ['v3', 'v4'] } }),
  endpoint(6),
]
const subsets: Subsets = {
  fallback: 'none',
  defaultSubset: { version: 'v1' },
  selectors: [{ keys: ['version'] }, { keys: ['stage', 'version'], fallbackKeys: ['version'] }],
  listAsAny: false,
  localityWeightAware: false,
}
const subsetCases: readonly (readonly [string, Partial<Subsets>, object | undefined, readonly number[]])[] = [
  ['one key', {}, { version: 'v1' }, [1, 2]],
  ['two keys, in any order', {}, { version: 'v2', stage: 'prod' }, [3]],
  ['keys that no selector has: fallback none', {}, { stage: 'prod' }, []],
  ['nothing asked for: fallback none', {}, undefined, []],
  ['nothing asked for: any', { fallback: 'any' }, undefined, [1, 2, 3, 4, 5, 6]],
  ['nobody has it: the default subset', { fallback: 'default' }, { version: 'v9' }, [1, 2]],
  ['nobody has it: fewer keys', {}, { version: 'v1', stage: 'dev' }, [1, 2]],
  [
    "nobody has it: the selector's own fallback",
    { selectors: [{ keys: ['version'], fallback: 'any' }] },
    { version: 'v9' },
    [1, 2, 3, 4, 5, 6],
  ],
  ['a list is one value', {}, { version: 'v3' }, []],
  ['a list has each of its values', { listAsAny: true }, { version: 'v3' }, [5]],
]
for (const [title, more, match, ports] of subsetCases)
  test(`subsets: ${title}`, () => {
    const balancer = build(many, { subsets: { ...subsets, ...more } }).within(match as Record<string, unknown>)
    const found = tally(balancer, 200)
    assert.deepEqual(Object.keys(found).map(Number), ports.length === 0 ? [0] : ports)
    assert.equal(balancer.all.length, many.length)
  })

test('subsets: one that is ill goes by its own health, not by the fallback', () => {
  const ill = [version(1, 'v1', 'prod'), endpoint(2, { metadata: { version: 'v2' }, health: 'unhealthy' })]
  const balancer = build(ill, { subsets: { ...subsets, fallback: 'any' } })
  assert.equal(balancer.within({ version: 'v2' }).pick([]), undefined)
})

test('subsets: where a cluster has none, what routes ask for means nothing; a view is made once', () => {
  const plain = build(many)
  assert.equal(plain.within({ version: 'v1' }), plain)
  const split = build(many, { subsets })
  assert.equal(split.within({ version: 'v2', stage: 'prod' }), split.within({ stage: 'prod', version: 'v2' }))
})
