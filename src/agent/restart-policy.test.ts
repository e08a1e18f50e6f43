import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../base/random.ts'
import { restartAfterMs } from './restart-policy.ts'

test('each policy starts again after what it says', () => {
  const after = (policy: 'no' | 'on-failure' | 'always', status: number): boolean =>
    restartAfterMs(policy, { status, shortRuns: 1 }, seeded(1)) !== undefined
  assert.deepEqual([after('no', 0), after('no', 1)], [false, false])
  assert.deepEqual([after('on-failure', 0), after('on-failure', 1), after('on-failure', 137)], [false, true, true])
  assert.deepEqual([after('always', 0), after('always', 1)], [true, true])
})

test('the wait doubles up to half a minute, half of it by chance', () => {
  const random = seeded(7)
  for (const [shortRuns, longestMs] of [
    [0, 100],
    [1, 100],
    [2, 200],
    [5, 1600],
    [9, 25_600],
    [10, 30_000],
    [1000, 30_000],
  ] as const) {
    for (let times = 0; times < 20; times++) {
      const delayMs = restartAfterMs('always', { status: 0, shortRuns }, random) ?? -1
      assert.ok(delayMs >= longestMs / 2 && delayMs < longestMs, `${shortRuns}: ${delayMs}`)
    }
  }
})
