import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { createSpanQueue, type SpanOutcome } from './span-queue.ts'

const span = Buffer.from('span')

function build(mostWaiting = 1024, batch = { batchSpans: 256, batchMs: 1000 }) {
  const clock = manualClock()
  const batches: number[] = []
  const counts: Record<SpanOutcome, number> = { exported: 0, failed: 0, dropped: 0 }
  const answers: ((taken: boolean) => void)[] = []
  const queue = createSpanQueue({
    send: (spans) => {
      batches.push(spans.length)
      return new Promise((resolve) => answers.push(resolve))
    },
    clock,
    batch,
    mostWaiting,
    counted: (outcome, spans) => void (counts[outcome] += spans),
  })
  const add = (count: number): void => {
    for (let left = count; left > 0; left--) queue.add(span)
  }
  const answer = async (taken: boolean): Promise<void> => {
    answers.shift()?.(taken)
    await turn()
  }
  return { clock, batches, counts, queue, add, answer }
}

test('a few spans go after a second, together; many at once', async () => {
  const { clock, batches, counts, add, answer } = build()
  add(3)
  clock.advance(999)
  assert.deepEqual(batches, [])
  clock.advance(1)
  assert.deepEqual(batches, [3])
  await answer(true)
  assert.equal(counts.exported, 3)
  assert.equal(clock.pending, 0)
  add(256)
  assert.deepEqual(batches, [3, 256])
})

test('one export at a time; what comes meanwhile waits, and what finds no room is dropped', async () => {
  const { clock, batches, counts, add, answer } = build(300)
  add(256)
  add(302)
  assert.deepEqual(batches, [256])
  assert.equal(counts.dropped, 2)
  await answer(false)
  assert.deepEqual(batches, [256, 256])
  assert.deepEqual(counts, { exported: 0, failed: 256, dropped: 2 })
  await answer(true)
  clock.advance(1000)
  assert.deepEqual(batches, [256, 256, 44])
})

test('an export may begin with a few; what has come meanwhile goes together, or waits', async () => {
  const { clock, batches, add, answer } = build(1024, { batchSpans: 5, batchMs: 5000 })
  add(4)
  assert.deepEqual(batches, [])
  add(1)
  assert.deepEqual(batches, [5])
  add(300)
  await answer(true)
  assert.deepEqual(batches, [5, 256])
  await answer(true)
  assert.deepEqual(batches, [5, 256, 44])
  add(4)
  await answer(true)
  clock.advance(4999)
  assert.equal(batches.length, 3)
  clock.advance(1)
  assert.deepEqual(batches, [5, 256, 44, 4])
})

test('spans that are large by what callers say are bounded by their bytes', () => {
  const { counts, queue } = build()
  for (let left = 100; left > 0; left--) queue.add(Buffer.alloc(100_000))
  assert.equal(counts.dropped, 100 - 41)
})

test('a flush sends all, also what waits behind an export', async () => {
  const { batches, counts, queue, add, answer, clock } = build()
  add(256)
  add(20)
  let done = false
  void queue.flush().then(() => (done = true))
  await answer(true)
  assert.deepEqual(batches, [256, 20])
  assert.equal(done, false)
  await answer(true)
  assert.equal(done, true)
  assert.equal(counts.exported, 276)
  await queue.flush()
  assert.equal(clock.pending, 0)
})
