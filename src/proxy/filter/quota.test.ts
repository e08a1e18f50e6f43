import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../base/testing/manual-clock.ts'
import type { RateLimit } from '../config.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { isFault } from '../http/service.ts'
import { createQuotas } from './quota.ts'
import { createRateCounts, rateLimit } from './rate-limit.ts'

const limit: RateLimit = {
  name: 'default/web/limit-0',
  budget: { perSecond: 90, burst: 90, instances: 3 },
  rate: { perSecond: 30, burst: 30 },
  status: 429,
  resourceExhausted: true,
  tellsAll: true,
  retryAfter: true,
  origin: undefined,
}

test('an equal share until another is dealt, and again when that has run out', () => {
  const clock = manualClock()
  const quotas = createQuotas(() => clock.nowMs())
  const quota = quotas.of(limit)
  assert.deepEqual(quota.rate(), { perSecond: 30, burst: 30 })
  quotas.assign(limit.name, 80, 10_000)
  quotas.assign('default/other/limit-0', 80, 10_000)
  assert.deepEqual(quota.rate(), { perSecond: 80, burst: 80 })
  assert.equal(
    quotas.of({ ...limit, rate: { perSecond: 45, burst: 45 } }),
    quota,
    'a change of the configuration keeps it',
  )
  clock.advance(9_999)
  assert.equal(quota.rate().perSecond, 80)
  clock.advance(1)
  assert.deepEqual(quota.rate(), { perSecond: 45, burst: 45 })
  quotas.assign(limit.name, 0.5, 10_000)
  assert.deepEqual(quota.rate(), { perSecond: 0.5, burst: 1 }, 'one request at a time in any case')
  quotas.retain(new Set())
  assert.deepEqual(quotas.takeUsage(), [])
})

test('what came is told once, admitted or not; silence is told too', async () => {
  const clock = manualClock()
  const quotas = createQuotas(() => clock.nowMs())
  const parts = { buckets: createRateCounts().of('x', 1), clock, quota: quotas.of(limit), limited() {} }
  const service = rateLimit(limit, parts)(() => Promise.resolve(makeReply()))
  let refused = 0
  for (let n = 0; n < 40; n++) if (isFault(await service(makeCall()))) refused++
  assert.equal(refused, 10)
  clock.advance(1000)
  assert.deepEqual(quotas.takeUsage(), [{ name: limit.name, allowed: 30, denied: 10, elapsedMs: 1000 }])
  clock.advance(500)
  assert.deepEqual(quotas.takeUsage(), [{ name: limit.name, allowed: 0, denied: 0, elapsedMs: 500 }])
})
