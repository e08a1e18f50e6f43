import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { createLeases } from './lease.ts'

test('a lease ends after its term, and not while it is renewed', () => {
  const clock = manualClock()
  const expired: string[] = []
  const leases = createLeases(clock, (key) => expired.push(`${key} at ${clock.nowMs()}`))
  leases.hold('a', 4000)
  leases.hold('b', 4000)
  for (let beat = 0; beat < 5; beat++) {
    clock.advance(1300)
    leases.hold('a', 4000)
  }
  assert.deepEqual(expired, ['b at 4000'])
  assert.ok(leases.held('a') && !leases.held('b'))
  clock.advance(10_000)
  assert.deepEqual(expired, ['b at 4000', 'a at 10500'])
  assert.equal(clock.pending, 0)
})

test('a shorter term replaces a longer one', () => {
  const clock = manualClock()
  const expired: number[] = []
  const leases = createLeases(clock, () => expired.push(clock.nowMs()))
  leases.hold('a', 4000)
  leases.hold('a', 2000)
  clock.advance(9000)
  assert.deepEqual(expired, [2000])
})

test('a released lease tells nobody', () => {
  const clock = manualClock()
  const leases = createLeases(clock, () => assert.fail('told'))
  leases.hold('a', 100)
  leases.release('a')
  clock.advance(1000)
  assert.equal(clock.pending, 0)
})

test('a process that stood still gives one more term', () => {
  const clock = manualClock()
  let fire: (() => void) | undefined
  let nowMs = 0
  const stalling = {
    ...clock,
    nowMs: () => nowMs,
    after: (_delayMs: number, then: () => void) => ((fire = then), { cancel() {} }),
  }
  const expired: number[] = []
  const leases = createLeases(stalling, () => expired.push(nowMs))
  leases.hold('a', 4000)
  nowMs = 30_000
  fire?.()
  assert.deepEqual(expired, [])
  nowMs = 34_000
  fire?.()
  assert.deepEqual(expired, [34_000])
})
