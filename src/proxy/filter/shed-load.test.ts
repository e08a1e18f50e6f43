import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import type { AdaptiveConcurrency } from '../config.ts'
import { faultGrpcStatus, faultStatus, type Fault } from '../http/fault.ts'
import { isFault, type Reply } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { createGradient } from './gradient.ts'
import { shedLoad } from './shed-load.ts'

const settings: AdaptiveConcurrency = {
  percentile: 0.5,
  maxConcurrency: 10,
  minConcurrency: 2,
  updateMs: 100,
  baseline: { intervalMs: 60_000, requests: 50, jitter: 0, buffer: 0.25 },
  status: 503,
  origin: undefined,
}

function world() {
  const clock = manualClock()
  const gradient = createGradient(settings, seeded(1), 0, () => {})
  const answers: ((answer: Reply | Fault) => void)[] = []
  let shed = 0
  const service = shedLoad(settings, { gradient, clock, shed: () => shed++ })(
    () => new Promise((resolve) => answers.push(resolve)),
  )
  return { clock, gradient, answers, service, shed: () => shed }
}

test('what is over the limit is refused at once, as something that a peer may try elsewhere', async () => {
  const { service, answers, shed } = world()
  void service(makeCall())
  void service(makeCall())
  const fault = await service(makeCall())
  assert.ok(isFault(fault))
  assert.deepEqual(fault, { kind: 'program-busy', side: 'self', retry: 'safe', status: 503, limit: 2 })
  assert.deepEqual([faultStatus(fault), faultGrpcStatus(fault), shed(), answers.length], [503, 14, 1, 2])
})

test('a call counts until the head of its reply: who reads slowly makes no room scarce', async () => {
  const { service, answers, gradient } = world()
  const call = makeCall()
  const reply = service(call)
  assert.equal(gradient.waiting, 1)
  answers[0]?.(makeReply())
  assert.ok(!isFault(await reply))
  assert.equal(gradient.waiting, 0)
  call.end({ status: 200, fault: undefined })
  assert.equal(gradient.waiting, 0, 'once')
})

test('who goes away frees his place, and is not taken for an answer', async () => {
  const { service, answers, gradient, clock } = world()
  const call = makeCall()
  const pending = service(call)
  const gone: Fault = { kind: 'client-gone', side: 'downstream', retry: 'never', cause: 'reset' }
  call.end({ status: 0, fault: gone })
  assert.equal(gradient.waiting, 0)
  clock.advance(10)
  answers[0]?.(gone)
  await pending
  clock.advance(6000)
  gradient.admit(clock.nowMs())
  assert.equal(gradient.baselineMs, undefined, 'nothing was timed')
})
