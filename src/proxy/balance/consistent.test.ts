import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { xxHash64, type Hash64 } from '../../base/xx-hash.ts'
import type { LoadBalancing } from '../config.ts'
import { buildCluster, buildEndpoint } from '../testing/build-config.ts'
import { createBalancer, type Balancer } from './balancer.ts'
import { createEndpointStates } from './endpoint-state.ts'

const policies: readonly LoadBalancing[] = [
  { kind: 'ring-hash', minSize: 100_000, maxSize: 8_388_608 },
  { kind: 'maglev', tableSize: 65_537 },
]
const keys: readonly Hash64[] = Array.from({ length: 20_000 }, (_, index) => xxHash64(`key ${index}`))
const address = (index: number) => ({ host: '10.0.0.1', port: index + 1 })

function balancer(
  loadBalancing: LoadBalancing,
  ports: readonly number[],
  more: (port: number) => { weight?: number; hashKey?: string } = () => ({}),
): Balancer {
  const endpoints = ports.map((port) => ({ ...buildEndpoint({ ...address(0), port }), ...more(port) }))
  const cluster = { ...buildCluster('c', [], { loadBalancing }), endpoints }
  return createBalancer(cluster, createEndpointStates(), seeded(1), manualClock())
}
const ports = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)
const portOf = (from: Balancer, hash: Hash64): number => from.pick([], 0, hash)?.endpoint.address.port ?? 0
const counts = (from: Balancer): Map<number, number> =>
  new Map([...Map.groupBy(keys, (key) => portOf(from, key))].map(([port, list]) => [port, list.length]))

for (const policy of policies) {
  const { kind } = policy
  test(`${kind}: one key goes to one endpoint, in whatever order the endpoints came`, () => {
    const one = balancer(policy, ports(100))
    const other = balancer(policy, ports(100).toReversed())
    for (const key of keys) assert.equal(portOf(one, key), portOf(other, key))
  })

  test(`${kind}: keys are spread evenly`, () => {
    const spread = [...counts(balancer(policy, ports(100))).values()]
    assert.equal(spread.length, 100)
    // 200 each on average; four standard deviations of chance, and the unevenness of the tables.
    assert.ok(Math.min(...spread) > 120 && Math.max(...spread) < 290, spread.join(' '))
  })

  test(`${kind}: with weights each gets its share`, () => {
    const found = counts(balancer(policy, [1, 2, 3], (port) => ({ weight: port === 1 ? 5 : port })))
    for (const [port, wanted] of [
      [1, 10_000],
      [2, 4_000],
      [3, 6_000],
    ] as const)
      assert.ok(Math.abs((found.get(port) ?? 0) - wanted) < 500, `${port}: ${found.get(port)}`)
  })

  test(`${kind}: of 100 endpoints one that goes, or comes, moves little but its own keys`, () => {
    const before = balancer(policy, ports(100))
    const after = balancer(
      policy,
      ports(100).filter((port) => port !== 50),
    )
    const moved = keys.filter((key) => portOf(before, key) !== portOf(after, key))
    assert.ok(moved.length <= keys.length * 0.02, `${moved.length} of ${keys.length}`)
    assert.ok(moved.some((key) => portOf(before, key) === 50))
  })

  test(`${kind}: a further attempt goes elsewhere, and again to the same place`, () => {
    const from = balancer(policy, ports(3))
    for (const key of keys.slice(0, 200)) {
      const first = from.pick([], 0, key)?.address ?? ''
      const second = from.pick([first], 8, key)?.address ?? ''
      assert.notEqual(second, first)
      assert.equal(from.pick([first], 8, key)?.address, second)
    }
  })

  test(`${kind}: the place follows from the hash key, not from the address`, () => {
    const one = balancer(policy, [1, 2, 3], (port) => ({ hashKey: `host-${port}` }))
    const moved = balancer(policy, [11, 12, 13], (port) => ({ hashKey: `host-${port - 10}` }))
    for (const key of keys.slice(0, 500)) assert.equal(portOf(moved, key), portOf(one, key) + 10)
  })

  test(`${kind}: calls without a hash go anywhere`, () => {
    const from = balancer(policy, ports(3))
    const seen = new Set(Array.from({ length: 100 }, () => from.pick([])?.address))
    assert.equal(seen.size, 3)
  })
}
