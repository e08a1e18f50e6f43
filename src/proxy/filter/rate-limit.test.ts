import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../base/testing/manual-clock.ts'
import type { RateLimit } from '../config.ts'
import { faultGrpcStatus, faultStatus } from '../http/fault.ts'
import { headerField, headerValue } from '../http/headers.ts'
import { isFault, stack, type Call, type Reply } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { bucketFor, createRateCounts, rateLimit, refusedFields } from './rate-limit.ts'

const limit: RateLimit = {
  name: 'default/web/limit-0',
  rate: { burst: 2, perSecond: 1 },
  status: 429,
  resourceExhausted: true,
  tellsAll: true,
  retryAfter: true,
  origin: undefined,
}
const perCaller: RateLimit = { ...limit, keyed: { by: 'caller', rate: { burst: 1, perSecond: 1 }, maxKeys: 10 } }

function world(...limits: readonly RateLimit[]) {
  const clock = manualClock()
  const counts = createRateCounts()
  let asked = 0
  let refused = 0
  let reply: Reply = makeReply()
  const layers = limits.map((one) =>
    rateLimit(one, { buckets: counts.of(one.name, 11), clock, limited: () => refused++ }),
  )
  const service = stack(layers, () => {
    asked++
    return Promise.resolve(reply)
  })
  return {
    clock,
    counts,
    ask: (call: Call = makeCall()) => service(call),
    answer: (next: Reply) => (reply = next),
    seen: () => ({ asked, refused }),
  }
}
const left = (answer: Awaited<ReturnType<ReturnType<typeof world>['ask']>>): string | undefined =>
  isFault(answer) ? 'refused' : headerValue(answer.headers, 'x-ratelimit-remaining')

test('what is over the limit is refused before the program hears of it, and told when to come again', async () => {
  const { ask, clock, seen } = world(limit)
  assert.deepEqual([left(await ask()), left(await ask())], ['1', '0'])
  clock.advance(500)
  const fault = await ask()
  assert.ok(isFault(fault) && fault.kind === 'rate-limited')
  assert.equal(faultStatus(fault), 429)
  assert.equal(faultGrpcStatus(fault), 8)
  assert.equal(faultGrpcStatus({ ...fault, resourceExhausted: false }), 14)
  assert.deepEqual(
    refusedFields(fault).map(({ name, value }) => `${name}: ${value}`),
    ['x-ratelimit-limit: 2', 'x-ratelimit-remaining: 0', 'x-ratelimit-reset: 1', 'retry-after: 1'],
  )
  assert.deepEqual(seen(), { asked: 2, refused: 1 })
  clock.advance(500)
  assert.equal(left(await ask()), '0')
})

test('callers are told apart by what they have proven; who has proven nothing shares one bucket with his like', () => {
  const key = (parts: Parameters<typeof makeCall>[0], one = perCaller): string => bucketFor(one, makeCall(parts)).key
  assert.equal(key({ peer: { principal: 'spiffe://a' } }), 'spiffe://a')
  assert.equal(key({ headers: { 'x-forwarded-client-cert': 'URI=spiffe://a' } }), '')
  const perUser: RateLimit = { ...limit, keyed: { by: { header: 'x-user' }, rate: limit.rate, maxKeys: 10 } }
  assert.equal(key({ headers: { 'x-user': 'ann' } }, perUser), 'ann')
  assert.equal(key({}, perUser), '')
  const long = key({ headers: { 'x-user': 'u'.repeat(60_000) } }, perUser)
  assert.ok(long.length < 256, 'a long value is kept by its hash')
  assert.notEqual(long, key({ headers: { 'x-user': 'u'.repeat(60_001) } }, perUser))
})

test('of several limits all must be kept, and the one with the least left is told', async () => {
  const wide: RateLimit = { ...limit, name: 'wide', rate: { burst: 100, perSecond: 1 } }
  for (const limits of [
    [wide, limit],
    [limit, wide],
  ]) {
    const { ask } = world(...limits)
    const first = await ask()
    assert.ok(!isFault(first))
    assert.equal(headerValue(first.headers, 'x-ratelimit-limit'), '2')
    assert.equal(first.headers.length, 3)
    assert.equal(left(await ask()), '0')
    assert.equal(left(await ask()), 'refused')
  }
})

test("the program's own word stays where it is stricter", async () => {
  const { ask, answer } = world(limit)
  const own = [headerField('x-ratelimit-limit', '9'), headerField('x-ratelimit-remaining', '0')]
  answer({ ...makeReply(), headers: own })
  const reply = await ask()
  assert.ok(!isFault(reply))
  assert.deepEqual(reply.headers, own)
})

test('counts outlive the configuration, and go with the limit', () => {
  const counts = createRateCounts()
  const { rate } = limit
  counts.of('a', 1).take('', rate, 0)
  counts.of('a', 1).take('', rate, 0)
  counts.retain(new Set(['a']))
  assert.equal(counts.of('a', 1).peek('', rate, 0).allowed, false)
  counts.retain(new Set())
  assert.equal(counts.of('a', 1).peek('', rate, 0).allowed, true)
})
