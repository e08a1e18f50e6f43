import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import type { Cluster, Endpoint, ZoneAware } from '../config.ts'
import { buildCluster, buildEndpoint, ejectAtOnce } from '../testing/build-config.ts'
import { createBalancer, type Balancer } from './balancer.ts'
import { createEndpointStates } from './endpoint-state.ts'

const cluster = (name: string, endpoints: readonly Endpoint[], more: Partial<Cluster> = {}): Cluster =>
  buildCluster(name, [], { panicThresholdPercent: 50, endpoints, ...more })
/** So many endpoints in each zone. */
function spread(zones: Record<string, number>, more: Partial<Endpoint> = {}): Endpoint[] {
  return Object.entries(zones).flatMap(([zone, count], at) =>
    Array.from({ length: count }, (_, index) => ({
      ...buildEndpoint({ host: `10.0.${at}.1`, port: index + 1 }),
      locality: `eu/${zone}`,
      ...more,
    })),
  )
}

/** A proxy in eu/a, of a cluster with so many in each zone. */
function world(
  peers: readonly Endpoint[],
  upstream: readonly Endpoint[],
  more: Partial<Cluster> = {},
): { balancer: Balancer } {
  const states = createEndpointStates()
  const clock = manualClock()
  const own = createBalancer(cluster('own', peers), states, seeded(1), clock)
  const place = { locality: 'eu/a', peers: own }
  const zoneAware: ZoneAware = { enabledPercent: 100, minEndpoints: 1 }
  return {
    balancer: createBalancer(cluster('up', upstream, { zoneAware, ...more }), states, seeded(5), clock, place),
  }
}

/** Of 10,000 picks, how many percent go to each zone. */
function percents(balancer: Balancer): Record<string, number> {
  const counted: Record<string, number> = {}
  for (let one = 0; one < 10_000; one++) {
    const zone = balancer.pick([])?.endpoint.locality.slice(3) ?? 'nowhere'
    counted[zone] = (counted[zone] ?? 0) + 0.01
  }
  return Object.fromEntries(Object.entries(counted).map(([zone, percent]) => [zone, Math.round(percent)]))
}
const near = (actual: Record<string, number>, wanted: Record<string, number>): void => {
  assert.deepEqual(Object.keys(actual).toSorted(), Object.keys(wanted).toSorted())
  for (const [zone, percent] of Object.entries(wanted))
    assert.ok(Math.abs((actual[zone] ?? 0) - percent) <= 3, JSON.stringify(actual))
}

test('all calls stay where the upstream has as large a part as the callers there are', () => {
  const upstream = spread({ a: 2, b: 2 })
  near(percents(world(spread({ a: 1, b: 1 }), upstream).balancer), { a: 100 })
  near(percents(world(spread({ a: 1, b: 3 }), upstream).balancer), { a: 100 })
})

test('else as much stays as there is room for, and the rest goes where others leave room', () => {
  // Half of the callers, a quarter of the room: half of the calls stay.
  near(percents(world(spread({ a: 2, b: 1, c: 1 }), spread({ a: 1, b: 2, c: 1 })).balancer), { a: 50, b: 50 })
  // None here.
  near(percents(world(spread({ a: 2, b: 1, c: 1 }), spread({ b: 3, c: 2 })).balancer), { b: 70, c: 30 })
})

test('it needs two localities on both sides, itself among its peers, and enough that is well', () => {
  const even = { a: 50, b: 50 }
  const upstream = spread({ a: 2, b: 2 })
  near(percents(world(spread({ a: 3 }), upstream).balancer), even)
  near(percents(world(spread({ b: 1, c: 1 }), upstream).balancer), even)
  near(
    percents(world(spread({ a: 1, b: 1 }), upstream, { zoneAware: { enabledPercent: 100, minEndpoints: 5 } }).balancer),
    even,
  )
  const sick = [...spread({ a: 1, b: 0 }), ...spread({ x: 0, b: 2 }, { health: 'unhealthy' })]
  near(percents(world(sick, upstream).balancer), even)
  near(percents(world(spread({ a: 1, b: 1 }), spread({ a: 3 })).balancer), { a: 100 })
})

test('a part of the calls may be left out; all may be forced to stay; weights may count', () => {
  const peers = spread({ a: 1, b: 1 })
  const upstream = spread({ a: 2, b: 2 })
  const half = { enabledPercent: 50, minEndpoints: 1 }
  near(percents(world(peers, upstream, { zoneAware: half }).balancer), { a: 75, b: 25 })
  const forced = (forceFrom: number): Partial<Cluster> => ({
    zoneAware: { enabledPercent: 100, minEndpoints: 1, forceFrom },
  })
  near(percents(world(spread({ a: 4 }), spread({ a: 1, b: 3 }), forced(1)).balancer), { a: 100 })
  near(percents(world(spread({ a: 3, b: 1 }), spread({ a: 1, b: 3 }), forced(2)).balancer), { a: 33, b: 67 })
  const heavy = [...spread({ a: 1 }, { weight: 3 }), ...spread({ x: 0, b: 3 })]
  near(
    percents(world(peers, heavy, { zoneAware: { enabledPercent: 100, minEndpoints: 1, byWeight: true } }).balancer),
    { a: 100 },
  )
  near(percents(world(peers, heavy).balancer), { a: 50, b: 50 })
})

test('other levels, weighted localities and hashes know of no zones; where nothing is said six endpoints are enough', () => {
  const peers = spread({ a: 1, b: 1 })
  const upstream = spread({ a: 2, b: 2 }, { priority: 1 })
  near(percents(world(peers, upstream).balancer), { a: 50, b: 50 })
  const weighted = spread({ a: 2, b: 2 }, { localityWeight: 1 })
  near(percents(world(peers, weighted, { localityWeighted: true }).balancer), { a: 50, b: 50 })
  const states = createEndpointStates()
  const clock = manualClock()
  const own = createBalancer(cluster('own', peers), states, seeded(1), clock)
  const of = (count: number): Balancer =>
    createBalancer(cluster(`up-${count}`, spread({ a: count, b: count })), states, seeded(5), clock, {
      locality: 'eu/a',
      peers: own,
    })
  near(percents(of(2)), { a: 50, b: 50 })
  near(percents(of(3)), { a: 100 })
})

test('when a peer is ejected or comes back the shares are reckoned anew', () => {
  const clock = manualClock()
  const states = createEndpointStates()
  const own = createBalancer(
    cluster('own', spread({ a: 2, b: 2 }), { outlierDetection: ejectAtOnce }),
    states,
    seeded(1),
    clock,
  )
  const up = cluster('up', spread({ a: 1, b: 3 }), { zoneAware: { enabledPercent: 100, minEndpoints: 1 } })
  const balancer = createBalancer(up, states, seeded(5), clock, { locality: 'eu/a', peers: own })
  near(percents(balancer), { a: 50, b: 50 })
  const [peer] = own.all
  assert.ok(peer)
  own.report(peer, '5xx')
  near(percents(balancer), { a: 75, b: 25 })
  clock.advance(31_000)
  near(percents(balancer), { a: 50, b: 50 })
})
