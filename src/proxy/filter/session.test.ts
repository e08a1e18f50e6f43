import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../base/testing/manual-clock.ts'
import type { SessionState } from '../config.ts'
import { emptyBody } from '../http/body.ts'
import { headerValue } from '../http/headers.ts'
import { isFault, type Service } from '../http/service.ts'
import { makeCall } from '../http/testing/fake-call.ts'
import { session } from './session.ts'
import { readSession, writeSession } from './session-value.ts'

const clock = manualClock(1_700_000_000_000)
const cookie: SessionState = { kind: 'cookie', name: 'cart', path: '/shop', ttlS: 60, attributes: [], strict: false }

/** What the client is told when a call with these headers goes to `taken`, and where it was wanted to go. */
async function told(
  state: SessionState,
  taken: string | undefined,
  { path = '/shop/a', header = {} }: { path?: string; header?: Readonly<Record<string, string>> } = {},
): Promise<{ wanted: string | undefined; set: string | undefined }> {
  const call = makeCall({ path, headers: header })
  let wanted: string | undefined
  const upstream: Service = (sent) => {
    wanted = sent.session?.wanted
    if (sent.session !== undefined) sent.session.taken = taken
    return Promise.resolve({ status: 200, headers: [], body: emptyBody })
  }
  const answer = await session(state, clock)(upstream)(call)
  assert.ok(!isFault(answer))
  return { wanted, set: headerValue(answer.headers, state.kind === 'header' ? state.name : 'set-cookie') }
}

test('values are read as they were written, until they end; what is none of ours is none', () => {
  for (const address of ['10.0.0.1:80', '[2001:db8::1]:65535'])
    for (const [kind, untilS, atMostS] of [
      ['header', 0, 0],
      ['cookie', 0, 0],
      ['cookie', 1_700_000_001, 0],
      ['cookie', 1_700_000_001, 1_700_000_009],
    ] as const) {
      const value = { address, untilS, atMostS }
      assert.deepEqual(readSession(kind, writeSession(kind, value), 1_700_000_000_000), value)
    }
  for (const ends of [
    { untilS: 1_700_000_000, atMostS: 0 },
    { untilS: 1_700_000_009, atMostS: 1_700_000_000 },
  ])
    assert.equal(
      readSession('cookie', writeSession('cookie', { address: 'a:1', ...ends }), 1_700_000_000_000),
      undefined,
    )
  // As Envoy 1.40 wrote it for 127.0.0.1:8080.
  assert.equal(writeSession('cookie', { address: '127.0.0.1:8080', untilS: 0, atMostS: 0 }), 'Cg4xMjcuMC4wLjE6ODA4MA==')
  for (const odd of ['', 'AAAA', 'CgA', '/////w==', 'Cv8BMTI3', '!']) readSession('cookie', odd, 0)
  assert.equal(readSession('cookie', 'Cv8BMTI3', 0), undefined, 'longer than it is')
})

test('a client is told where its session is, once, and again when it had to move', async () => {
  const first = await told(cookie, '10.0.0.1:80')
  assert.match(first.set ?? '', /^cart="[A-Za-z0-9+/=]+"; Max-Age=60; Path=\/shop; HttpOnly$/)
  const brought = { cookie: `other=1; ${(first.set ?? '').split(';')[0]}` }
  assert.deepEqual(await told(cookie, '10.0.0.1:80', { header: brought }), { wanted: '10.0.0.1:80', set: undefined })
  const moved = await told(cookie, '10.0.0.2:80', { header: brought })
  assert.equal(moved.wanted, '10.0.0.1:80')
  assert.match(moved.set ?? '', /^cart=/)
  assert.deepEqual(await told(cookie, undefined, { header: brought }), { wanted: '10.0.0.1:80', set: undefined })
  assert.deepEqual(await told(cookie, '10.0.0.1:80', { path: '/shopping' }), { wanted: undefined, set: undefined })
})

test('a session that is used goes on past its idle time, not past its end; one that is not used is over', async () => {
  const idle: SessionState = { ...cookie, ttlS: 0, idleS: 10 }
  const first = await told(idle, '10.0.0.1:80')
  assert.match(
    first.set ?? '',
    /^cart="[A-Za-z0-9+/=]+"; Path=\/shop; HttpOnly$/,
    'it lives as long as the browser at most',
  )
  let jar = (first.set ?? '').split(';')[0] ?? ''
  const ask = async (state: SessionState, taken = '10.0.0.1:80') => {
    const one = await told(state, taken, { header: { cookie: jar } })
    if (one.set !== undefined) jar = one.set.split(';')[0] ?? ''
    return one
  }
  assert.deepEqual(await ask(idle), { wanted: '10.0.0.1:80', set: undefined }, 'within a second nothing is new')
  for (let count = 0; count < 4; count++) {
    clock.advance(9000)
    const again = await ask(idle)
    assert.equal(again.wanted, '10.0.0.1:80')
    assert.match(again.set ?? '', /^cart=/)
  }
  clock.advance(10_000)
  assert.equal((await ask(idle)).wanted, undefined)

  const both: SessionState = { ...cookie, ttlS: 15, idleS: 10 }
  jar = ''
  assert.match((await ask(both)).set ?? '', /; Max-Age=15;/)
  clock.advance(9000)
  assert.match((await ask(both)).set ?? '', /; Max-Age=6;/, 'what is left of it')
  clock.advance(5000)
  assert.deepEqual(await ask(both), { wanted: '10.0.0.1:80', set: undefined }, 'its end stays the same')
  clock.advance(1000)
  assert.equal((await ask(both)).wanted, undefined, 'used, and over')
})

test('a session that an Envoy began, or that began before there was an idle time, gets one', async () => {
  const nowS = Math.floor(clock.wallMs() / 1000)
  const began = (untilS: number): Promise<{ set: string | undefined }> => {
    const value = writeSession('cookie', { address: '10.0.0.1:80', untilS, atMostS: 0 })
    const state: SessionState = { ...cookie, ttlS: untilS === 0 ? 0 : 60, idleS: 10 }
    return told(state, '10.0.0.1:80', { header: { cookie: `cart=${value}` } })
  }
  const inside = ({ set = '' }: { set: string | undefined }): unknown =>
    readSession('cookie', /"(.*?)"/.exec(set)?.[1] ?? '', 0)
  assert.deepEqual(inside(await began(0)), { address: '10.0.0.1:80', untilS: nowS + 10, atMostS: 0 })
  assert.deepEqual(inside(await began(nowS + 30)), { address: '10.0.0.1:80', untilS: nowS + 10, atMostS: nowS + 30 })
})

test('by a header the value goes both ways', async () => {
  const header: SessionState = { kind: 'header', name: 'x-cart', strict: false }
  const { set = '' } = await told(header, '10.0.0.1:80')
  assert.deepEqual(await told(header, '10.0.0.1:80', { header: { 'x-cart': set } }), {
    wanted: '10.0.0.1:80',
    set: undefined,
  })
})
