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
    for (const [kind, untilS] of [
      ['header', 0],
      ['cookie', 0],
      ['cookie', 1_700_000_001],
    ] as const)
      assert.equal(readSession(kind, writeSession(kind, address, untilS), 1_700_000_000_000), address)
  assert.equal(readSession('cookie', writeSession('cookie', 'a:1', 1_700_000_000), 1_700_000_000_000), undefined)
  // As Envoy 1.40 wrote it for 127.0.0.1:8080.
  assert.equal(writeSession('cookie', '127.0.0.1:8080', 0), 'Cg4xMjcuMC4wLjE6ODA4MA==')
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

test('by a header the value goes both ways', async () => {
  const header: SessionState = { kind: 'header', name: 'x-cart', strict: false }
  const { set = '' } = await told(header, '10.0.0.1:80')
  assert.deepEqual(await told(header, '10.0.0.1:80', { header: { 'x-cart': set } }), {
    wanted: '10.0.0.1:80',
    set: undefined,
  })
})
