import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../base/testing/manual-clock.ts'
import { silentLog } from '../base/log.ts'
import { createSweeper } from '../base/sweeper.ts'
import { createOverload, shortage, type Overload } from './overload.ts'
import { createMetrics } from './telemetry/metrics.ts'

const world = (descriptors: number, share: () => number = () => 0) => {
  const clock = manualClock()
  const metrics = createMetrics({ clock })
  const sweeper = createSweeper(clock, 250)
  const overload = createOverload({ machine: { descriptors, memoryShare: share }, sweeper, metrics, log: silentLog })
  return { overload, metrics, clock }
}
const admissions = ({ admit }: Overload, count: number): Record<string, number> => {
  const seen: Record<string, number> = {}
  for (let left = count; left > 0; left--) {
    const admission = admit()
    seen[admission] = (seen[admission] ?? 0) + 1
  }
  return seen
}

test('of the descriptors, half are for clients, and some of them for those who are told that there is no room', () => {
  const { overload } = world(256)
  assert.deepEqual(admissions(overload, 100), { served: 84, shed: 12, refused: 4 })
  for (let left = 17; left > 0; left--) overload.left()
  assert.equal(overload.admit(), 'served')
  // What is left is for upstreams, and no more.
  let upstream = 0
  while (overload.take()) upstream++
  assert.equal(upstream, 192 - 84)
  overload.give()
  assert.equal(overload.take(), true)
})

test('few descriptors leave room for one client, and an unknown number for all', () => {
  assert.equal(world(16).overload.admit(), 'served')
  assert.deepEqual(admissions(world(Infinity).overload, 1000), { served: 1000 })
})

test('memory: calls are refused at 95 %, and taken again below 90 %', () => {
  let share = 0.94
  const { overload, metrics, clock } = world(1024, () => share)
  const seen = [0.94, 0.95, 0.91, 0.9, 0.89, 0.94].map((next) => {
    share = next
    clock.advance(250)
    const fault = shortage({ shed: false }, overload)
    const [told] = /^weft_overloaded\{.*$/m.exec(metrics.exposition()) ?? []
    assert.equal(told, `weft_overloaded{short="memory"} ${fault === undefined ? 0 : 1}`)
    return fault?.kind
  })
  assert.deepEqual(seen, [undefined, 'overload', 'overload', 'overload', undefined, undefined])
  assert.deepEqual(shortage({ shed: true }, overload), {
    kind: 'overload',
    side: 'self',
    retry: 'safe',
    short: 'connections',
  })
})
