import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { createTimerWheel } from '../../base/timer-wheel.ts'
import { bytesBody, type Body, type Sink } from '../http/body.ts'
import type { Fault } from '../http/fault.ts'
import { headerField, type Headers } from '../http/headers.ts'
import { makeCall } from '../http/testing/fake-call.ts'
import { slowBody } from './slow-body.ts'

const late: Fault = { kind: 'timeout', side: 'upstream', retry: 'if-idempotent', what: 'request', timeoutMs: 5 }
const gone: Fault = { kind: 'client-gone', side: 'downstream', retry: 'never', cause: 'reset' }

/** A source by hand that keeps to what its sink says, and a sink that writes down what it gets. */
function world(t: { readonly bytesPerSecond: number }, given?: Body) {
  const clock = manualClock()
  const call = makeCall()
  const heard = { resumes: 0, cancelled: undefined as Fault | undefined }
  let feed: Sink | undefined
  const source: Body = given ?? {
    length: undefined,
    start: (sink) => void (feed = sink),
    resume: () => void heard.resumes++,
    cancel: (fault) => void (heard.cancelled = fault),
  }
  const body = slowBody(source, t.bytesPerSecond, call, { wheel: createTimerWheel(clock), clock })
  const got = {
    bytes: '',
    ended: false,
    trailers: undefined as Headers | undefined,
    fault: undefined as Fault | undefined,
  }
  const sink = {
    takes: true,
    data(chunk: Buffer): boolean {
      got.bytes += chunk.toString('latin1')
      return this.takes
    },
    end(trailers?: Headers): void {
      Object.assign(got, { ended: true, trailers })
    },
    fail: (fault: Fault): void => void (got.fault = fault),
  }
  body.start(sink)
  const from = (): Sink => {
    assert.ok(feed !== undefined)
    return feed
  }
  return { clock, call, body, got, sink, heard, from }
}

/** Different at every place, so that an order is seen. */
const text = (length: number): string =>
  Array.from({ length }, (_, at) => String.fromCharCode(33 + ((at * 7) % 90))).join('')

test('a slice passes at once, the rest at the rate: never sooner, and never more than a tick a slice later', () => {
  const { clock, got, heard, from } = world({ bytesPerSecond: 1000 })
  const sent = text(1050)
  assert.equal(from().data(Buffer.from(sent)), false)
  assert.equal(got.bytes.length, 50)
  for (let ms = 10; ms <= 1000; ms += 10) {
    clock.advance(10)
    assert.ok(got.bytes.length <= 50 + ms, `${got.bytes.length} bytes after ${ms} ms`)
    assert.ok(got.bytes.length >= ms - 60, `${got.bytes.length} bytes after ${ms} ms`)
  }
  clock.advance(20)
  assert.equal(got.bytes, sent)
  assert.equal(heard.resumes, 1, 'the source goes on once all is through')
  assert.equal(got.ended, false)
  from().end()
  assert.equal(got.ended, true)
  clock.advance(20)
  assert.equal(clock.pending, 0)
})

test('after a silence no more than a second of bytes passes at once', () => {
  const { clock, got, from } = world({ bytesPerSecond: 1000 })
  clock.advance(60_000)
  from().data(Buffer.from(text(5000)))
  assert.equal(got.bytes.length, 1000)
})

test('what waits is a copy; the end and its trailers come behind the last byte', () => {
  const { clock, got, from } = world({ bytesPerSecond: 1000 })
  const trailers = [headerField('grpc-status', '0')]
  from().data(Buffer.from('a'.repeat(80)))
  from().end(trailers)
  assert.equal(got.ended, false)
  clock.advance(100)
  assert.equal(got.bytes.length, 80)
  assert.equal(got.trailers, trailers)
})

test('a sink that pauses is waited for, and loses no byte', () => {
  const { clock, got, sink, body, heard, from } = world({ bytesPerSecond: 1000 })
  sink.takes = false
  from().data(Buffer.from(text(200)))
  clock.advance(1000)
  assert.equal(got.bytes.length, 50)
  body.resume()
  assert.equal(got.bytes, text(200), 'what was saved up meanwhile')
  assert.equal(heard.resumes, 0)
  body.resume()
  assert.equal(heard.resumes, 1)
})

test('a failure comes at once, whatever waits', () => {
  const { clock, got, from } = world({ bytesPerSecond: 1000 })
  from().data(Buffer.from(text(500)))
  from().fail(late)
  assert.equal(got.fault, late)
  clock.advance(1000)
  assert.equal(got.bytes.length, 50)
  assert.equal(clock.pending, 0)
})

test('whoever goes away leaves no timer, and the source hears of it', () => {
  const { clock, got, body, heard, from } = world({ bytesPerSecond: 1000 })
  from().data(Buffer.from(text(500)))
  body.cancel(gone)
  clock.advance(1000)
  assert.deepEqual([got.bytes.length, got.fault, heard.cancelled, clock.pending], [50, undefined, gone, 0])
})

test('a call that is cancelled ends, although its source has given all', () => {
  const { clock, call, got, from } = world({ bytesPerSecond: 1000 })
  from().data(Buffer.from(text(500)))
  from().end()
  call.cancel(late)
  assert.deepEqual([got.fault, got.ended], [late, false])
  clock.advance(1000)
  assert.deepEqual([got.bytes.length, clock.pending], [50, 0])
})

test('a body that is at hand, slower than a byte a slice', () => {
  const { clock, got } = world({ bytesPerSecond: 10 }, bytesBody(Buffer.from('abc')))
  assert.equal(got.bytes, 'a')
  clock.advance(90)
  assert.equal(got.bytes, 'a')
  clock.advance(30)
  assert.equal(got.bytes, 'ab')
  clock.advance(100)
  assert.deepEqual([got.bytes, got.ended], ['abc', true])
})
