import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import type { Body, Sink } from '../http/body.ts'
import type { Fault } from '../http/fault.ts'
import { Replay } from './replay.ts'
import { backoffMs } from './backoff.ts'

const gone: Fault = { kind: 'client-gone', side: 'downstream', retry: 'never', cause: 'closed' }

/** A body that a test feeds by hand; like a codec it says nothing while it is paused. */
function source(length?: number) {
  let sink: Sink | undefined
  let paused = false
  const waiting: string[] = []
  let ended = false
  const log: string[] = []
  const flow = (): void => {
    while (!paused && sink !== undefined && waiting.length > 0) paused = !sink.data(Buffer.from(waiting.shift() ?? ''))
    if (ended && !paused && waiting.length === 0) {
      const to = sink
      sink = undefined
      to?.end()
    }
  }
  const body: Body = {
    length,
    start(to) {
      log.push('start')
      sink = to
      flow()
    },
    resume() {
      paused = false
      flow()
    },
    cancel(fault) {
      log.push(`cancel ${fault.kind}`)
      sink = undefined
    },
  }
  return {
    body,
    log,
    feed(text: string) {
      waiting.push(text)
      flow()
    },
    end() {
      ended = true
      flow()
    },
    fail: (fault: Fault) => sink?.fail(fault),
  }
}

/** Takes all, or pauses after each chunk. */
function taker(body: Body, pausing = false) {
  const got = { text: '', end: '' }
  body.start({
    data(chunk) {
      got.text += chunk.toString()
      return !pausing
    },
    end: () => void (got.end = 'end'),
    fail: (fault) => void (got.end = fault.kind),
  })
  return got
}

test('the second attempt gets what the first got, and then the rest', () => {
  const from = source()
  const replay = new Replay(from.body, 100)
  const first = replay.attempt()
  const a = taker(first)
  from.feed('one ')
  from.feed('two ')
  first.cancel(gone)
  from.feed('three ')
  assert.ok(replay.possible)
  const b = taker(replay.attempt())
  from.feed('four')
  from.end()
  assert.deepEqual(a, { text: 'one two ', end: '' })
  assert.deepEqual(b, { text: 'one two three four', end: 'end' })
  assert.deepEqual(from.log, ['start'])
})

test('nothing is asked for before an attempt starts', () => {
  const from = source()
  const replay = new Replay(from.body, 100)
  replay.attempt()
  assert.deepEqual(from.log, [])
  from.feed('x')
  from.end()
  assert.deepEqual(taker(replay.attempt()), { text: 'x', end: 'end' })
})

test('a body that has ended can be sent again as often as one likes', () => {
  const from = source(3)
  from.feed('abc')
  from.end()
  const replay = new Replay(from.body, 3)
  for (let attempt = 0; attempt < 3; attempt++) assert.deepEqual(taker(replay.attempt()), { text: 'abc', end: 'end' })
  assert.ok(replay.possible)
})

test('over the limit there is no second attempt, and the first goes on', () => {
  const from = source()
  const replay = new Replay(from.body, 5)
  const a = taker(replay.attempt())
  from.feed('1234')
  assert.ok(replay.possible)
  from.feed('56')
  assert.ok(!replay.possible)
  from.feed('7')
  from.end()
  assert.deepEqual(a, { text: '1234567', end: 'end' })
})

test('a long body is never copied, and can be sent again only while nobody asked for it', () => {
  const from = source(1_000)
  const replay = new Replay(from.body, 5)
  replay.attempt()
  assert.ok(replay.possible)
  const a = taker(replay.attempt())
  assert.ok(!replay.possible)
  from.feed('123456789')
  assert.equal(a.text, '123456789')
})

test('pausing holds for what is kept and for what comes', () => {
  const from = source()
  const replay = new Replay(from.body, 100)
  const first = replay.attempt()
  taker(first)
  for (const text of ['a', 'b', 'c']) from.feed(text)
  first.cancel(gone)
  const second = replay.attempt()
  const got = taker(second, true)
  assert.equal(got.text, 'a')
  second.resume()
  assert.equal(got.text, 'ab')
  from.feed('d')
  second.resume()
  assert.equal(got.text, 'abc')
  second.resume()
  assert.equal(got.text, 'abcd')
  from.end()
  assert.equal(got.end, '')
  second.resume()
  assert.equal(got.end, 'end')
})

test('an early cancel reaches the source only once no attempt will follow', () => {
  const from = source()
  const replay = new Replay(from.body, 100)
  const first = replay.attempt()
  taker(first)
  from.feed('a')
  first.cancel(gone)
  assert.deepEqual(from.log, ['start'])
  replay.settle()
  assert.deepEqual(from.log, ['start', 'cancel client-gone'])

  const late = source()
  const settled = new Replay(late.body, 100)
  const only = settled.attempt()
  const got = taker(only)
  settled.settle()
  late.feed('x')
  only.cancel(gone)
  assert.equal(got.text, 'x')
  assert.deepEqual(late.log, ['start', 'cancel client-gone'])
})

test('a client that breaks off ends the present attempt and every further one', () => {
  const from = source()
  const replay = new Replay(from.body, 100)
  const a = taker(replay.attempt())
  from.feed('a')
  from.fail(gone)
  assert.deepEqual(a, { text: 'a', end: 'client-gone' })
  assert.ok(!replay.possible)
})

test('however it is cut, paused and repeated, each attempt that ends has seen the whole', () => {
  const random = seeded(9)
  for (let round = 0; round < 3_000; round++) {
    const whole = 'abcdefghijklmnopqrst'.slice(0, random.index(20))
    const from = source(random.index(2) === 0 ? undefined : whole.length)
    const replay = new Replay(from.body, 40)
    let body = replay.attempt()
    let got = taker(body, random.index(2) === 0)
    let at = 0
    for (let step = 0; step < 60; step++) {
      const dice = random.index(10)
      if (dice === 0 && step < 30) {
        body.cancel(gone)
        body = replay.attempt()
        got = taker(body, random.index(2) === 0)
      } else if (dice < 4 && at < whole.length) {
        const end = Math.min(whole.length, at + 1 + random.index(3))
        from.feed(whole.slice(at, end))
        at = end
      } else if (dice === 4 && step > 40) replay.settle()
      else body.resume()
    }
    from.feed(whole.slice(at))
    from.end()
    for (let more = 0; more < 30; more++) body.resume()
    assert.deepEqual(got, { text: whole, end: 'end' })
  }
})

test('backoff: full jitter, doubling up to the most', () => {
  const random = seeded(2)
  const highest = (attempt: number): number =>
    Math.max(...Array.from({ length: 2_000 }, () => backoffMs(attempt, 25, 250, random)))
  for (const [attempt, most] of [
    [1, 25],
    [2, 50],
    [3, 100],
    [5, 250],
    [60, 250],
  ] as const) {
    const seen = highest(attempt)
    assert.ok(seen < most && seen > most * 0.95, `${attempt}: ${seen}`)
  }
  assert.throws(() => backoffMs(0, 25, 250, random), RangeError)
})

test('what comes while an attempt is behind reaches it, settled or not', () => {
  const from = source()
  const replay = new Replay(from.body, 100)
  const first = replay.attempt()
  taker(first)
  from.feed('a')
  from.feed('b')
  first.cancel(gone)
  const second = replay.attempt()
  const got = taker(second, true)
  replay.settle()
  from.feed('c')
  from.end()
  for (let more = 0; more < 4; more++) second.resume()
  assert.deepEqual(got, { text: 'abc', end: 'end' })
})
