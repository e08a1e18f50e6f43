import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { createTimerWheel } from '../../base/timer-wheel.ts'
import type { RetryPolicy } from '../config.ts'
import { headerField, headerValue } from '../http/headers.ts'
import { isFault, stack, type Call, type Service } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { createRetryBudget } from './budget.ts'
import { askedMs, deadlineHeader, hearDeadline, hideDeadline, tellDeadline } from './carry-deadline.ts'
import { deadline, type Bound } from './deadline.ts'
import { retry } from './retry.ts'

const policy: RetryPolicy = {
  retries: 2,
  on: new Set(['5xx']),
  onIfIdempotent: new Set(),
  perTryTimeoutMs: 0,
  backoffBaseMs: 1,
  backoffMaxMs: 1,
  hostSelectionAttempts: 1,
}

/** The layers of a hop that have to do with deadlines, in their order, with a manual clock. */
function hop(bound: Bound, upstream: Service, more: { hide?: boolean; hear?: boolean; perTryTimeoutMs?: number } = {}) {
  const clock = manualClock()
  const wheel = createTimerWheel(clock, 1)
  const { perTryTimeoutMs = 0 } = more
  const budget = createRetryBudget({ retryBudgetPercent: 0, minRetryConcurrency: 3 })
  const service = stack(
    [
      hearDeadline(more.hear ?? true, clock),
      hideDeadline(more.hide),
      deadline(bound, { wheel, clock }),
      retry({ ...policy, perTryTimeoutMs }, { budget, random: seeded(1), wheel, clock }),
      tellDeadline({ grpc: bound.grpcTimeoutMaxMs !== undefined }, clock),
    ],
    upstream,
  )
  return { clock, service }
}

const saying = (value: string) => ({ headers: { [deadlineHeader]: value } })
const toldOf = (call: Call): string | undefined => headerValue(call.headers, deadlineHeader)

test('the shorter of the route’s limit and the caller’s deadline is told on', async () => {
  const told: (string | undefined)[] = []
  const upstream: Service = (call) => {
    told.push(toldOf(call))
    return Promise.resolve(makeReply())
  }
  await hop({ timeoutMs: 1000 }, upstream).service(makeCall())
  await hop({ timeoutMs: 1000 }, upstream).service(makeCall(saying('300')))
  await hop({ timeoutMs: 1000 }, upstream).service(makeCall(saying('3000')))
  await hop({ timeoutMs: 0 }, upstream).service(makeCall(saying('300')))
  await hop({ timeoutMs: 0 }, upstream).service(makeCall())
  await hop({ timeoutMs: 1000 }, upstream, { perTryTimeoutMs: 200 }).service(makeCall())
  await hop({ timeoutMs: 1000 }, upstream, { hide: true }).service(makeCall(saying('300')))
  await hop({ timeoutMs: 0 }, upstream, { hear: false }).service(makeCall(saying('300')))
  assert.deepEqual(told, ['1000', '300', '1000', '300', undefined, '1000', undefined, '300'])
})

test('each attempt tells what is left', async () => {
  const told: (string | undefined)[] = []
  const { clock, service } = hop({ timeoutMs: 1000 }, (call) => {
    told.push(toldOf(call))
    clock.advance(300)
    return Promise.resolve(makeReply(told.length < 3 ? 503 : 200))
  })
  const answer = service(makeCall())
  for (let turn = 0; turn < 20; turn++) await Promise.resolve(clock.advance(1))
  const reply = await answer
  assert.equal(isFault(reply) ? reply.kind : reply.status, 200)
  assert.equal(told.length, 3)
  const [first, second, third] = told.map(Number)
  assert.equal(first, 1000)
  assert.ok(Number(second) <= 700 && Number(second) > 650, String(told))
  assert.ok(Number(third) <= 400 && Number(third) > 330, String(told))
})

test('a call whose caller waits no longer goes no further, and one that waits is ended in time', async () => {
  const reached: Call[] = []
  const silent: Service = (call) =>
    new Promise((resolve) => {
      reached.push(call)
      call.onCancel(resolve)
    })
  const { clock, service } = hop({ timeoutMs: 0 }, silent)
  const call = makeCall(saying('50'))
  const waiting = service(call)
  clock.advance(50)
  const fault = await waiting
  assert.deepEqual(isFault(fault) && [fault.kind, fault.kind === 'timeout' && fault.timeoutMs], ['timeout', 50])
  call.end({ status: 504, fault: undefined })

  const late = makeCall()
  late.deadlineMs = clock.nowMs() - 1
  const refused = await service(late)
  assert.equal(isFault(refused) && refused.kind, 'timeout')
  assert.equal(reached.length, 1)
  clock.advance(1) // the wheel's last tick
  assert.equal(clock.pending, 0)
})

test('gRPC is told by its own header too, where the caller used it', async () => {
  const told: unknown[] = []
  const { service } = hop({ timeoutMs: 500, grpcTimeoutMaxMs: 0 }, (call) => {
    told.push(headerValue(call.headers, 'grpc-timeout'), toldOf(call))
    return Promise.resolve(makeReply())
  })
  const grpc = { method: 'POST', protocol: 'h2' } as const
  const type = { 'content-type': 'application/grpc' }
  await service(makeCall({ ...grpc, headers: { ...type, 'grpc-timeout': '2S' } }))
  await service(makeCall({ ...grpc, headers: { ...type, 'grpc-timeout': '100m' } }))
  await service(makeCall({ ...grpc, headers: type }))
  assert.deepEqual(told, ['500m', '500', '100m', '100', undefined, '500'])
})

test('what is no whole number of milliseconds above 0 says nothing', () => {
  for (const text of ['', '0', '-5', '1.5', '5s', '12345678901'])
    assert.equal(askedMs([headerField(deadlineHeader, text)]), undefined, text)
  assert.equal(askedMs([headerField(deadlineHeader, '15000')]), 15_000)
})
