import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../base/testing/manual-clock.ts'
import type { RateLimit } from '../config.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { isFault } from '../http/service.ts'
import { createQuotas } from './quota.ts'
import { createRateCounts, rateLimit } from './rate-limit.ts'

const mostKeys = 20
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
  const quotas = createQuotas(() => clock.nowMs(), mostKeys)
  const quota = quotas.of(limit)
  assert.deepEqual(quota.rate(''), { perSecond: 30, burst: 30 })
  quotas.assign({ name: limit.name }, 80, 10_000)
  quotas.assign({ name: 'default/other/limit-0' }, 80, 10_000)
  assert.deepEqual(quota.rate(''), { perSecond: 80, burst: 80 })
  assert.equal(
    quotas.of({ ...limit, rate: { perSecond: 45, burst: 45 } }),
    quota,
    'a change of the configuration keeps it',
  )
  clock.advance(9_999)
  assert.equal(quota.rate('').perSecond, 80)
  clock.advance(1)
  assert.deepEqual(quota.rate(''), { perSecond: 45, burst: 45 })
  quotas.assign({ name: limit.name }, 0.5, 10_000)
  assert.deepEqual(quota.rate(''), { perSecond: 0.5, burst: 1 }, 'one request at a time in any case')
  quotas.retain(new Set())
  assert.deepEqual(quotas.takeUsage(), [])
})

test('what came is told once, admitted or not; silence is told too', async () => {
  const clock = manualClock()
  const quotas = createQuotas(() => clock.nowMs(), mostKeys)
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

const perUser: RateLimit = {
  ...limit,
  keyed: { by: { header: 'x-user' }, rate: { perSecond: 30, burst: 30 }, maxKeys: 10_000 },
}

test('each key has a share of its own, told by its hash, until it has been silent for ten seconds', async () => {
  const clock = manualClock()
  const quotas = createQuotas(() => clock.nowMs(), mostKeys)
  const parts = { buckets: createRateCounts().of('x', 10), clock, quota: quotas.of(perUser), limited() {} }
  const service = rateLimit(perUser, parts)(() => Promise.resolve(makeReply()))
  const ask = async (user: string, times: number): Promise<number> => {
    let passed = 0
    for (let n = 0; n < times; n++)
      if (!isFault(await service(makeCall({ headers: user === '' ? {} : { 'x-user': user } })))) passed++
    return passed
  }
  const nobodyElse = { name: limit.name, key: '', allowed: 0, denied: 0, elapsedMs: 1000 }
  assert.equal(await ask('ann', 40), 30)
  assert.equal(await ask('', 1), 1)
  clock.advance(1000)
  const [ann, others, whole, ...rest] = quotas.takeUsage()
  assert.match(ann?.key ?? '', /^[0-9a-f]{16}$/)
  assert.deepEqual(ann, { name: limit.name, key: ann?.key, allowed: 30, denied: 10, elapsedMs: 1000 })
  assert.equal(others?.allowed, 1)
  assert.notEqual(others?.key, ann?.key)
  assert.deepEqual([whole, rest], [nobodyElse, []])

  quotas.assign({ name: limit.name, key: ann?.key ?? '' }, 90, 20_000)
  quotas.assign({ name: limit.name, key: '0000000000000000' }, 90, 20_000)
  assert.equal(quotas.of(perUser).rate('ann').perSecond, 90)
  assert.equal(quotas.of(perUser).rate('bob').perSecond, 30)
  clock.advance(1000)
  assert.equal(await ask('ann', 100), 90)
  clock.advance(9_000)
  assert.deepEqual(
    quotas.takeUsage().map(({ key }) => key),
    [ann?.key, ''],
  )
  clock.advance(1_000)
  assert.deepEqual(quotas.takeUsage(), [nobodyElse])
  assert.equal(quotas.of(perUser).rate('ann').perSecond, 30, 'what it was dealt is given up')
})

test('keys that are too many to be told keep an equal share, and it is told that they are there', () => {
  const clock = manualClock()
  const quotas = createQuotas(() => clock.nowMs(), mostKeys)
  const quota = quotas.of(perUser)
  for (let n = 0; n < mostKeys + 1; n++) quota.noted(`user-${n}`, true)
  clock.advance(1000)
  const usage = quotas.takeUsage()
  assert.equal(usage.length, mostKeys + 1)
  assert.equal(usage.at(-1)?.key, undefined)
  assert.equal(quota.rate(`user-${mostKeys}`).perSecond, 30)
  clock.advance(9_000)
  quota.noted('user-0', true)
  assert.deepEqual(
    quotas.takeUsage().map(({ key }) => key === ''),
    [false, true],
    'all are told again',
  )
})
