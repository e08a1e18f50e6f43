import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSweeper } from './sweeper.ts'
import { manualClock } from './testing/manual-clock.ts'

test('sweeps every period until the item or the sweeper goes', () => {
  const clock = manualClock(1000)
  const sweeper = createSweeper(clock, 100)
  const seen: number[] = []
  const item = { sweep: (nowMs: number) => void seen.push(nowMs) }
  sweeper.add(item)
  assert.equal(sweeper.nowMs, 1000)
  clock.advance(250)
  assert.deepEqual(seen, [1100, 1200])
  assert.equal(sweeper.nowMs, 1200)
  sweeper.remove(item)
  clock.advance(100)
  assert.equal(seen.length, 2)
  sweeper.close()
  assert.equal(clock.pending, 0)
})
