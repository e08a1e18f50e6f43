import assert from 'node:assert/strict'
import { test } from 'node:test'
import { priorityLoads, type Level } from './priority-load.ts'

/** 100 endpoints, so many of them healthy and so many degraded; the others are not. */
const level = (healthy: number, degraded = 0, total = 100): Level => ({
  total,
  healthy,
  degraded,
  endpoints: { total, usable: healthy + degraded, notDraining: total },
})
const rules = { overprovisioningPercent: 140, panicPercent: 0 }

// The tables of Envoy's documentation, "Priority levels", and cases between them.
const healthyCases: readonly (readonly [readonly number[], readonly number[]])[] = [
  [[100], [100]],
  [[1], [100]],
  [
    [100, 100],
    [100, 0],
  ],
  [
    [72, 100],
    [100, 0],
  ],
  [
    [71, 100],
    [99, 1],
  ],
  [
    [50, 100],
    [70, 30],
  ],
  [
    [25, 100],
    [35, 65],
  ],
  [
    [0, 100],
    [0, 100],
  ],
  [
    [25, 25],
    [50, 50],
  ],
  [
    [5, 0],
    [100, 0],
  ],
  [
    [25, 25, 100],
    [35, 35, 30],
  ],
  [
    [20, 20, 10],
    [40, 40, 20],
  ],
  [
    [0, 0, 0],
    [0, 0, 0],
  ],
]
for (const [healthy, wanted] of healthyCases)
  test(`levels with ${healthy.join(', ')} % healthy take ${wanted.join(', ')} % of the calls`, () => {
    const loads = priorityLoads(
      healthy.map((share) => level(share)),
      rules,
    )
    assert.deepEqual(
      loads.map((load) => load.healthy),
      wanted,
    )
  })

test('degraded endpoints take what no healthy one of any level can', () => {
  const loads = (...levels: Level[]) => priorityLoads(levels, rules).map(({ healthy, degraded }) => [healthy, degraded])
  assert.deepEqual(loads(level(80, 20)), [[100, 0]])
  assert.deepEqual(loads(level(25, 75), level(100)), [
    [35, 0],
    [65, 0],
  ])
  assert.deepEqual(loads(level(25, 75), level(10)), [
    [35, 51],
    [14, 0],
  ])
  assert.deepEqual(loads(level(0, 10)), [[0, 100]])
})

test('panic: a level with too few, and only while all levels together cannot take everything', () => {
  const panics = { ...rules, panicPercent: 50 }
  const loads = (...levels: Level[]) =>
    priorityLoads(levels, panics).map(({ healthy, panic }) => `${healthy}${panic ? '!' : ''}`)
  assert.deepEqual(loads(level(25), level(100)), ['35', '65'])
  assert.deepEqual(loads(level(10), level(55)), ['16!', '84'])
  assert.deepEqual(loads(level(10), level(10, 0, 300)), ['25!', '75!'])
  assert.deepEqual(loads(level(0)), ['100!'])
  assert.deepEqual(loads(), [])
})

test('without reserve every missing endpoint sends calls on', () => {
  const [first, second] = priorityLoads([level(90), level(100)], { ...rules, overprovisioningPercent: 100 })
  assert.deepEqual([first?.healthy, second?.healthy], [90, 10])
})
