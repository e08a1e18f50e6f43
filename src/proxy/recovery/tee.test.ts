import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Body, Sink } from '../http/body.ts'
import { faultSentence, type Fault } from '../http/fault.ts'
import { createTee } from './tee.ts'

const gone: Fault = { kind: 'client-gone', side: 'downstream', retry: 'never', cause: 'test' }

/** A body that the test feeds. */
function fed() {
  let to: Sink | undefined
  const log: string[] = []
  const body: Body = {
    length: undefined,
    start: (sink) => void (to = sink),
    resume: () => void log.push('resume'),
    cancel: (fault) => void log.push(`cancel ${faultSentence(fault)}`),
  }
  const feed = (text: string): boolean | undefined => to?.data(Buffer.from(text))
  return { body, log, feed, end: () => to?.end(), fail: (fault: Fault) => to?.fail(fault) }
}

/** A consumer that says what it got, and pauses while it is told to. */
function taker(body: Body) {
  const got: string[] = []
  const state = { full: false }
  const start = (): void =>
    body.start({
      data: (chunk) => (got.push(chunk.toString()), !state.full),
      end: () => void got.push('.'),
      fail: (fault) => void got.push(`!${faultSentence(fault)}`),
    })
  return { got, state, start }
}

test('both get all bytes and the end; only the original sets the pace', () => {
  const source = fed()
  const tee = createTee(source.body, 10)
  const copy = tee.copy()
  const [main, second] = [taker(tee.main), taker(copy)]
  second.state.full = true
  main.start()
  second.start()
  assert.equal(source.feed('ab'), true)
  assert.equal(source.feed('cd'), true, 'the copy is full, and nobody waits for it')
  source.end()
  assert.deepEqual(main.got, ['ab', 'cd', '.'])
  assert.deepEqual(second.got, ['ab'])
  second.state.full = false
  copy.resume()
  assert.deepEqual(second.got, ['ab', 'cd', '.'])
  tee.abandon(gone)
  assert.deepEqual(second.got, ['ab', 'cd', '.'], 'it has had its end')
})

test('the original may pause although the copy does not', () => {
  const source = fed()
  const tee = createTee(source.body, 10)
  const [main, second] = [taker(tee.main), taker(tee.copy())]
  main.state.full = true
  main.start()
  second.start()
  assert.equal(source.feed('ab'), false)
  tee.main.resume()
  assert.deepEqual(source.log, ['resume'])
  assert.deepEqual(second.got, ['ab'])
})

test('a copy that falls too far behind is failed, and the original hears nothing of it', () => {
  const source = fed()
  const tee = createTee(source.body, 3)
  const [main, late] = [taker(tee.main), taker(tee.copy())]
  main.start()
  source.feed('ab')
  source.feed('cd')
  late.start()
  source.end()
  assert.deepEqual(main.got, ['ab', 'cd', '.'])
  assert.deepEqual(late.got, ['!the client went away: a mirror took its copy of the body too slowly'])
})

test('a copy that keeps up has no limit, and one that gave up gets nothing more', () => {
  const source = fed()
  const tee = createTee(source.body, 3)
  const quitter = tee.copy()
  const [main, second, third] = [taker(tee.main), taker(tee.copy()), taker(quitter)]
  for (const one of [main, second, third]) one.start()
  source.feed('abcdef')
  quitter.cancel(gone)
  source.feed('ghijkl')
  source.end()
  assert.deepEqual(second.got, ['abcdef', 'ghijkl', '.'])
  assert.deepEqual(third.got, ['abcdef'])
})

test('what breaks the original breaks its copies: the client, the upstream, or that it is over', () => {
  for (const how of ['fail', 'cancel', 'abandon'] as const) {
    const source = fed()
    const tee = createTee(source.body, 10)
    const [main, second] = [taker(tee.main), taker(tee.copy())]
    main.start()
    second.start()
    source.feed('a')
    if (how === 'fail') source.fail(gone)
    else if (how === 'cancel') tee.main.cancel(gone)
    else tee.abandon(gone)
    assert.deepEqual(second.got, ['a', '!the client went away: test'], how)
    assert.deepEqual(source.log, how === 'cancel' ? ['cancel the client went away: test'] : [], how)
  }
})
