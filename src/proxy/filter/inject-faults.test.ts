import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { createTimerWheel } from '../../base/timer-wheel.ts'
import type { InjectedFaults } from '../config.ts'
import { bytesBody, emptyBody, type Body } from '../http/body.ts'
import { faultGrpcStatus } from '../http/fault.ts'
import { isFault, type Call } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { drawFaults, injectFaults } from './inject-faults.ts'

function world(faults: Partial<InjectedFaults>, concerned?: (call: Call) => boolean, reply = makeReply()) {
  const clock = manualClock()
  const asked: Call[] = []
  const service = injectFaults(
    { headers: [], ...faults },
    { concerned, random: seeded(1), wheel: createTimerWheel(clock), clock },
  )?.((call) => {
    asked.push(call)
    return Promise.resolve(reply)
  })
  assert.ok(service !== undefined)
  return { clock, asked, service }
}
const always = { ms: 500, share: 1 }

test('without faults there is no layer', () => {
  const clock = manualClock()
  const parts = { concerned: undefined, random: seeded(1), wheel: createTimerWheel(clock), clock }
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

test('the body of a reply is slowed, and what the far side of a tunnel says; a body that is none stays none', async () => {
  const bandwidth = { bytesPerSecond: 1000, share: 1 }
  const read = (body: Body | undefined): (() => string) => {
    let got = ''
    body?.start({ data: (chunk) => ((got += chunk.toString()), true), end: () => (got += '.'), fail() {} })
    return () => got
  }
  const bytes = (): Body => bytesBody(Buffer.from('x'.repeat(150)))
  const tunnel = { incoming: bytes(), send() {} }
  const { clock, service } = world({ bandwidth }, undefined, { ...makeReply(101), tunnel })
  const call = makeCall()
  const opened = await service(call)
  assert.ok(!isFault(opened))
  assert.equal(opened.body, emptyBody)
  const said = read(opened.tunnel?.incoming)
  assert.equal(said().length, 50)
  clock.advance(110)
  assert.equal(said().length, 151)
  assert.equal(call.trace.injectedBytesPerSecond, 1000)

  const other = world({ bandwidth }, undefined, { ...makeReply(), body: bytes() })
  const reply = await other.service(makeCall())
  assert.ok(!isFault(reply))
  assert.equal(reply.body.length, 150)
  assert.equal(read(reply.body)().length, 50)
})

test('delay, abort and bandwidth strike as often as was said, each by itself', () => {
  const random = seeded(7)
  const faults: InjectedFaults = {
    delay: { ms: 1, share: 0.25 },
    abort: { status: 500, share: 0.1 },
    bandwidth: { bytesPerSecond: 1024, share: 0.4 },
    headers: [],
  }
  const rounds = 20_000
  const count = { delayed: 0, aborted: 0, both: 0, slowed: 0 }
  for (let round = 0; round < rounds; round++) {
    const { delayMs, abort, bytesPerSecond } = drawFaults(faults, random)
    if (delayMs !== undefined) count.delayed++
    if (abort !== undefined) count.aborted++
    if (delayMs !== undefined && abort !== undefined) count.both++
    if (bytesPerSecond !== undefined) count.slowed++
  }
  const near = (found: number, share: number): void =>
    assert.ok(Math.abs(found / rounds - share) < 0.01, `${found} of ${rounds}, expected a share of ${share}`)
  near(count.delayed, 0.25)
  near(count.aborted, 0.1)
  near(count.both, 0.025)
  near(count.slowed, 0.4)
  const never: InjectedFaults = {
    delay: { ms: 1, share: 0 },
    abort: { status: 500, share: 0 },
    bandwidth: { bytesPerSecond: 1, share: 0 },
    headers: [],
  }
  assert.deepEqual(drawFaults(never, random), {
    delayMs: undefined,
    abort: undefined,
    bytesPerSecond: undefined,
  })
})
