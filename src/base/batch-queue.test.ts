import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createBatchQueue, type BatchLimits, type BatchOutcome } from './batch-queue.ts'
import { manualClock } from './testing/manual-clock.ts'

const entry = Buffer.from('span')
const usual = {
  batchEntries: 256,
  batchBytes: Infinity,
  mostEntries: 256,
  delayMs: 1000,
  mostBytes: 4 * 1024 * 1024,
}

function build(mostWaiting = 1024, batch: Partial<BatchLimits> = {}) {
  const clock = manualClock()
  const batches: number[] = []
  const counts: Record<BatchOutcome, number> = { exported: 0, failed: 0, dropped: 0 }
  const answers: ((taken: boolean) => void)[] = []
  let empty = 0
  const queue = createBatchQueue({
    send: (spans) => {
      batches.push(spans.length)
      return new Promise((resolve) => answers.push(resolve))
    },
    clock,
    limits: { ...usual, mostWaiting, ...batch },
    emptied: () => void empty++,
    counted: (outcome, spans) => void (counts[outcome] += spans),
  })
  const add = (count: number): void => {
    for (let left = count; left > 0; left--) queue.add(entry)
  }
  const answer = async (taken: boolean): Promise<void> => {
    answers.shift()?.(taken)
    await turn()
  }
  return { clock, batches, counts, queue, add, answer, empties: () => empty }
}

test('a few entries go after a while, together; many at once', async () => {
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

test('entries that are large by what callers say are bounded by their bytes', () => {
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

test('an export may begin with a few; what has come meanwhile goes together, or waits', async () => {
  const { clock, batches, add, answer } = build(1024, { batchEntries: 5, delayMs: 5000 })
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

test('a batch is as large as it may be in bytes, and none at all waits where the bytes are none', async () => {
  const { batches, queue, answer, empties } = build(1024, { batchBytes: 10 })
  queue.add(Buffer.alloc(6))
  assert.deepEqual(batches, [])
  queue.add(Buffer.alloc(6))
  queue.add(Buffer.alloc(30))
  queue.add(Buffer.alloc(4))
  assert.deepEqual(batches, [2])
  await answer(true)
  assert.deepEqual(batches, [2, 1])
  assert.equal(empties(), 0)
  void queue.flush()
  await answer(true)
  await answer(true)
  assert.deepEqual(batches, [2, 1, 1])
  assert.equal(empties(), 1)
  const each = build(1024, { batchBytes: 0 })
  each.add(1)
  assert.deepEqual(each.batches, [1])
})

test('what is given up is counted, but for what is under way', async () => {
  const { queue, add, counts, answer, clock } = build()
  add(300)
  queue.drop()
  assert.deepEqual(counts, { exported: 0, failed: 0, dropped: 44 })
  await answer(true)
  assert.equal(counts.exported, 256)
  assert.equal(clock.pending, 0)
})
