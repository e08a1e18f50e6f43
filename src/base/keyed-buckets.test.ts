import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createKeyedBuckets } from './keyed-buckets.ts'
import { seeded } from './random.ts'

const rate = { burst: 3, perSecond: 10 }

test('a bucket gives its burst at once, then as fast as it fills; the wait that it tells is exact', () => {
  const buckets = createKeyedBuckets(10)
  assert.deepEqual(
    [0, 0, 0, 0].map((now) => buckets.take('a', rate, now)),
    [
      { allowed: true, remaining: 2, waitMs: 0 },
      { allowed: true, remaining: 1, waitMs: 0 },
      { allowed: true, remaining: 0, waitMs: 100 },
      { allowed: false, remaining: 0, waitMs: 100 },
    ],
  )
  assert.equal(buckets.take('a', rate, 99).allowed, false)
  assert.equal(buckets.peek('a', rate, 100).allowed, true)
  assert.equal(buckets.take('a', rate, 100).allowed, true)
  assert.equal(buckets.take('a', rate, 100).allowed, false)
  assert.equal(buckets.peek('a', rate, 10_000).remaining, 3, 'it does not overflow')
})

test('keys have buckets of their own, and asking takes nothing', () => {
  const buckets = createKeyedBuckets(10)
  for (let n = 0; n < 3; n++) buckets.take('a', rate, 0)
  assert.equal(buckets.peek('b', rate, 0).remaining, 3)
  assert.equal(buckets.peek('b', rate, 0).remaining, 3)
  assert.equal(buckets.take('b', rate, 0).allowed, true)
  assert.equal(buckets.take('a', rate, 0).allowed, false)
})

test('a new rate holds at once, and what was taken stays taken', () => {
  const buckets = createKeyedBuckets(10)
  for (let n = 0; n < 3; n++) buckets.take('a', rate, 0)
  const larger = { burst: 30, perSecond: 10 }
  assert.equal(buckets.peek('a', larger, 0).remaining, 27, '3 are missing')
  assert.equal(buckets.peek('a', { burst: 1, perSecond: 10 }, 0).remaining, 0)
  assert.equal(buckets.peek('a', { burst: 1, perSecond: 10 }, 0).waitMs, 100, 'no debt beyond an empty bucket')
})

test('strangers who make up keys cost bounded memory, and do not free the one who keeps asking', () => {
  const buckets = createKeyedBuckets(100)
  for (let n = 0; n < 3; n++) buckets.take('busy', rate, 0)
  for (let n = 0; n < 5000; n++) {
    buckets.take(`made up ${n}`, rate, 0)
    if (n % 50 === 0) assert.equal(buckets.take('busy', rate, 0).allowed, false)
  }
  assert.equal(buckets.size, 100)
})

test('over any stretch of time no more than burst + rate · time is let through, whatever the arrivals', () => {
  const random = seeded(3)
  const buckets = createKeyedBuckets(1)
  const took: number[] = []
  let nowMs = 0
  for (let n = 0; n < 5000; n++) {
    nowMs += random.below(40)
    if (buckets.take('', rate, nowMs).allowed) took.push(nowMs)
  }
  for (let from = 0; from < took.length; from += 7) {
    for (let to = from; to < Math.min(took.length, from + 200); to++) {
      const stretchMs = (took[to] ?? 0) - (took[from] ?? 0)
      assert.ok(to - from + 1 <= rate.burst + (stretchMs * rate.perSecond) / 1000 + 1e-6)
    }
  }
  assert.ok(took.length > (nowMs / 1000) * rate.perSecond * 0.95, 'and nearly all that may')
})
