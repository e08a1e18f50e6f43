import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { createTimerWheel } from '../../base/timer-wheel.ts'
import { emptyBody } from '../http/body.ts'
import { faultGrpcStatus, faultSentence, type Fault } from '../http/fault.ts'
import { isFault, stack, type Reply } from '../http/service.ts'
import { makeCall, makeReply, type HandmadeCall } from '../http/testing/fake-call.ts'
import { deadline, listenerStreamLimit, streamLimit, type Bound, type StreamBound } from './deadline.ts'

const opened: Reply = { ...makeReply(101), tunnel: { incoming: emptyBody, send() {} } }

/** A hop whose upstream answers at once; `faultOf` says why a call was ended, if it was. */
function world(bound: Bound & StreamBound, reply: Reply = makeReply(), ofListener = 0) {
  const clock = manualClock()
  const parts = { wheel: createTimerWheel(clock), clock }
  const service = stack(
    [listenerStreamLimit(ofListener, parts), streamLimit(bound, parts), deadline(bound, parts)],
    () => Promise.resolve(reply),
  )
  const faultOf = (call: HandmadeCall): (() => Fault | undefined) => {
    let fault: Fault | undefined
    call.onCancel((heard) => void (fault = heard))
    return () => fault
  }
  return { clock, service, faultOf }
}

const websocket = { upgrade: 'websocket' }
const grpcCall = {
  method: 'POST',
  protocol: 'h2' as const,
  headers: { 'content-type': 'application/grpc', 'grpc-timeout': '100m' },
}

test('a request’s limit holds for the whole reply, and for an upgrade until it is accepted', async () => {
  for (const [parts, reply, ends] of [
    [{}, makeReply(), true],
    [websocket, opened, false],
    [{ method: 'CONNECT' }, opened, false],
    [websocket, makeReply(403), true],
  ] as const) {
    const { clock, service, faultOf } = world({ timeoutMs: 100 }, reply)
    const call = makeCall(parts)
    const fault = faultOf(call)
    await service(call)
    clock.advance(5000)
    assert.equal(fault()?.kind, ends ? 'timeout' : undefined, JSON.stringify([parts, reply.status]))
  }
})

test('a stream’s limit counts from the head and ends everything, what an upgrade carries too', async () => {
  for (const [parts, reply] of [
    [{}, makeReply()],
    [websocket, opened],
  ] as const) {
    const { clock, service, faultOf } = world({ timeoutMs: 0, streamTimeoutMs: 100 }, reply)
    clock.advance(60)
    const call = makeCall({ ...parts, startedMs: 20 })
    const fault = faultOf(call)
    await service(call)
    clock.advance(59)
    assert.equal(fault(), undefined)
    clock.advance(20)
    const found = fault()
    assert.ok(found?.kind === 'timeout' && found.what === 'stream')
    assert.equal(faultGrpcStatus(found), 4)
    assert.equal(faultSentence(found), 'not over within the 100 ms that a call may last here')
  }
})

test('whoever comes too late goes no further, and one that is over leaves no timer', async () => {
  const { clock, service } = world({ timeoutMs: 0, streamTimeoutMs: 100 })
  clock.advance(200)
  const answer = await service(makeCall())
  assert.ok(isFault(answer) && answer.kind === 'timeout')
  const call = makeCall({ startedMs: 200 })
  await service(call)
  call.end({ status: 200, fault: undefined })
  clock.advance(20)
  assert.equal(clock.pending, 0)
})

test('a deadline of a gRPC caller that the route listens to takes the place of a stream’s limit', async () => {
  for (const [bound, endsAtMs] of [
    [{ timeoutMs: 0, streamTimeoutMs: 50 }, 50],
    [{ timeoutMs: 0, streamTimeoutMs: 50, grpcTimeoutMaxMs: 0 }, 100],
    [{ timeoutMs: 0, streamTimeoutMs: 50, grpcTimeoutMaxMs: 30 }, 30],
  ] as const) {
    const { clock, service, faultOf } = world(bound)
    const call = makeCall(grpcCall)
    const fault = faultOf(call)
    await service(call)
    clock.advance(endsAtMs - 1)
    assert.equal(fault(), undefined)
    clock.advance(20)
    assert.equal(fault()?.kind, 'timeout')
  }
})

test('without limits there is no layer', () => {
  const clock = manualClock()
  const parts = { wheel: createTimerWheel(clock), clock }
  assert.equal(streamLimit({}, parts), undefined)
  assert.equal(listenerStreamLimit(undefined, parts), undefined)
})

test('a listener’s limit holds for calls whose route says nothing of it', async () => {
  for (const [bound, parts, endsAfterMs] of [
    [{ timeoutMs: 0 }, {}, 200],
    [{ timeoutMs: 0, streamTimeoutMs: 50 }, {}, 50],
    [{ timeoutMs: 0, streamTimeoutMs: 400 }, {}, 400],
    // 0 takes it away.
    [{ timeoutMs: 0, streamTimeoutMs: 0 }, {}, undefined],
    [{ timeoutMs: 0, grpcTimeoutMaxMs: 0 }, {}, 200],
    [
      { timeoutMs: 0, grpcTimeoutMaxMs: 0 },
      { ...grpcCall, headers: { ...grpcCall.headers, 'grpc-timeout': '300m' } },
      300,
    ],
  ] as const) {
    const { clock, service, faultOf } = world(bound, makeReply(), 200)
    const call = makeCall(parts)
    const fault = faultOf(call)
    await service(call)
    clock.advance((endsAfterMs ?? 10_000) - 20)
    assert.equal(fault(), undefined)
    clock.advance(100)
    assert.equal(fault()?.kind, endsAfterMs === undefined ? undefined : 'timeout', JSON.stringify(bound))
  }
})
