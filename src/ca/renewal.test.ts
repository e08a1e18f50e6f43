import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../base/random.ts'
import { overdue, renewAfterMs, retryRenewalAfterMs } from './renewal.ts'

test('renewal comes at half life, a tenth to either side', () => {
  const random = seeded(1)
  const all = Array.from({ length: 1000 }, () => renewAfterMs(1000, random))
  assert.ok(Math.min(...all) >= 450 && Math.min(...all) < 460)
  assert.ok(Math.max(...all) <= 550 && Math.max(...all) > 540)
  assert.equal(renewAfterMs(-5, random), 0)
})

test('tries after a failure double, and hurry when little life is left', () => {
  const highest = { unit: () => 1, below: (limit: number) => limit, index: () => 0 }
  const dayMs = 86_400_000
  assert.deepEqual(
    [1, 2, 3, 6, 500].map((failures) => retryRenewalAfterMs(failures, dayMs, highest)),
    [1000, 2000, 4000, 30_000, 30_000],
  )
  assert.equal(retryRenewalAfterMs(6, 5000, highest), 500)
  assert.equal(retryRenewalAfterMs(6, -5000, highest), 250)
  assert.throws(() => retryRenewalAfterMs(0, 1, highest), RangeError)
})

test('a renewal that does not come becomes louder', () => {
  assert.deepEqual(
    [0, 55, 57, 79, 80, 100].map((age) => overdue(age, 100)),
    ['no', 'no', 'late', 'late', 'urgent', 'expired'],
  )
})
