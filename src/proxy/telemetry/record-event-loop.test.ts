import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSweeper } from '../../base/sweeper.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { createMetrics } from './metrics.ts'
import { recordEventLoop } from './record-event-loop.ts'

test('a turn that comes late is told, by how much', () => {
  let lateMs = 0
  const clock = manualClock()
  const metrics = createMetrics({ clock })
  // A timer fires when its process gets to it: the clock has gone on by then.
  const sweeper = createSweeper({ ...clock, nowMs: () => clock.nowMs() + lateMs }, 250)
  recordEventLoop(metrics, sweeper)
  clock.advance(250)
  lateMs = 700
  clock.advance(250)
  const text = metrics.exposition()
  for (const line of ['bucket{le="0.001"} 1', 'bucket{le="0.5"} 1', 'bucket{le="1"} 2', 'sum 0.7', 'count 2'])
    assert.ok(text.includes(`weft_event_loop_delay_seconds_${line}`), `${line} in ${text}`)
  sweeper.close()
  metrics.close()
})
