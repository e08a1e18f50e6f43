import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { createTimerWheel } from '../../base/timer-wheel.ts'
import type { InjectedFaults } from '../config.ts'
import { faultGrpcStatus } from '../http/fault.ts'
import { isFault, type Call } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { drawFaults, injectFaults } from './inject-faults.ts'

function world(faults: Partial<InjectedFaults>, concerned?: (call: Call) => boolean) {
  const clock = manualClock()
  const asked: Call[] = []
  const service = injectFaults(
    { headers: [], ...faults },
    { concerned, random: seeded(1), wheel: createTimerWheel(clock) },
  )?.((call) => {
    asked.push(call)
    return Promise.resolve(makeReply())
  })
  assert.ok(service !== undefined)
  return { clock, asked, service }
}
const always = { ms: 500, share: 1 }

test('without faults there is no layer', () => {
  const parts = { concerned: undefined, random: seeded(1), wheel: createTimerWheel(manualClock()) }
  assert.equal(injectFaults(undefined, parts), undefined)
})

test('a call is held up for as long as was said, then goes on', async () => {
  const { clock, asked, service } = world({ delay: always })
  const call = makeCall()
  const answer = service(call)
  clock.advance(499)
  assert.equal(asked.length, 0)
  clock.advance(20)
  const reply = await answer
  assert.ok(!isFault(reply))
  assert.deepEqual(asked, [call])
  assert.equal(call.trace.injectedDelayMs, 500)
  assert.equal(clock.pending, 0)
})

test('who goes away while being held up reaches nobody, and leaves no timer', async () => {
  const { clock, asked, service } = world({ delay: always })
  const call = makeCall()
  const answer = service(call)
  const gone = { kind: 'client-gone', side: 'downstream', retry: 'never', cause: 'reset' } as const
  call.cancel(gone)
  assert.equal(await answer, gone)
  clock.advance(1000)
  assert.equal(asked.length, 0)
  assert.equal(clock.pending, 0)
})

test('an abort answers in the place of the program, after the delay', async () => {
  const { clock, asked, service } = world({ delay: always, abort: { status: 503, grpcStatus: 8, share: 1 } })
  const answer = service(makeCall())
  clock.advance(520)
  const fault = await answer
  assert.ok(isFault(fault))
  assert.deepEqual(fault, { kind: 'injected', side: 'self', retry: 'never', status: 503, grpcStatus: 8 })
  assert.equal(faultGrpcStatus(fault), 8)
  assert.equal(faultGrpcStatus({ ...fault, grpcStatus: undefined } as typeof fault), 14)
  assert.equal(asked.length, 0)
})

test('calls that are not meant go straight on', async () => {
  const { asked, service } = world({ abort: { status: 500, share: 1 } }, (call) => call.path === '/x')
  assert.ok(!isFault(await service(makeCall({ path: '/y' }))))
  assert.ok(isFault(await service(makeCall({ path: '/x' }))))
  assert.equal(asked.length, 1)
})

test('delay and abort strike as often as was said, each by itself', () => {
  const random = seeded(7)
  const faults: InjectedFaults = {
    delay: { ms: 1, share: 0.25 },
    abort: { status: 500, share: 0.1 },
    headers: [],
  }
  const rounds = 20_000
  const count = { delayed: 0, aborted: 0, both: 0 }
  for (let round = 0; round < rounds; round++) {
    const { delayMs, abort } = drawFaults(faults, random)
    if (delayMs !== undefined) count.delayed++
    if (abort !== undefined) count.aborted++
    if (delayMs !== undefined && abort !== undefined) count.both++
  }
  const near = (found: number, share: number): void =>
    assert.ok(Math.abs(found / rounds - share) < 0.01, `${found} of ${rounds}, expected a share of ${share}`)
  near(count.delayed, 0.25)
  near(count.aborted, 0.1)
  near(count.both, 0.025)
  assert.deepEqual(drawFaults({ ...faults, delay: { ms: 1, share: 0 }, abort: { status: 500, share: 0 } }, random), {
    delayMs: undefined,
    abort: undefined,
  })
})
