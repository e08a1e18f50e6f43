import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PathShape } from './config.ts'
import { faultStatus } from './http/fault.ts'
import { headerValue } from './http/headers.ts'
import { isFault } from './http/service.ts'
import { makeCall, makeReply } from './http/testing/fake-call.ts'
import { paths, underscores, upgradeRefused } from './manners.ts'

/** Where a path goes, or what is answered. */
async function fate(path: string, shape: Partial<PathShape>): Promise<string> {
  let seen = ''
  const service = paths({ normalize: false, mergeSlashes: false, ...shape })((call) => {
    seen = call.path
    return Promise.resolve(makeReply())
  })
  const answer = await service(makeCall({ path }))
  if (isFault(answer)) return String(faultStatus(answer))
  const to = headerValue(answer.headers, 'location')
  return to === undefined ? seen : `${answer.status} ${to}`
}

const normalize = true
const cases: readonly (readonly [path: string, shape: Partial<PathShape>, fate: string])[] = [
  ['/a%2Fb', {}, '/a%2Fb'],
  ['/a%2Fb', { normalize }, '400'],
  ['/a%2fb/../c%5C', { normalize, escapedSlashes: 'keep' }, '/c%5C'],
  ['/a%2fb', { normalize, escapedSlashes: 'keep' }, '/a%2fb'],
  ['/a%2fb', { escapedSlashes: 'refuse' }, '400'],
  ['/a%5Cb', { escapedSlashes: 'refuse' }, '400'],
  ['/a?b=%2F', { escapedSlashes: 'refuse' }, '/a?b=%2F'],
  ['/a%252Fb', { escapedSlashes: 'refuse' }, '/a%252Fb'],
  ['/a%2F..%2fb?c=%2F', { escapedSlashes: 'decode' }, '/a/../b?c=%2F'],
  ['/a%2F..%2fb?c=%2F', { normalize, escapedSlashes: 'decode' }, '/b?c=%2F'],
  ['/a%5Cb', { normalize, escapedSlashes: 'decode' }, '400'],
  ['/a%2Fb?c', { escapedSlashes: 'redirect' }, '307 /a/b?c'],
  ['/a/b%20c', { escapedSlashes: 'redirect' }, '/a/b%20c'],
  ['/x%2F..%2Fb', { normalize, escapedSlashes: 'redirect' }, '307 /b'],
  // Not to the host "evil.example".
  ['/%2Fevil.example', { escapedSlashes: 'redirect' }, '307 http://web.test//evil.example'],
]
for (const [path, shape, expected] of cases)
  test(`${path} with ${JSON.stringify(shape)} → ${expected}`, async () =>
    assert.equal(await fate(path, shape), expected))

test('fields whose names have an underscore pass, are dropped, or refuse the call', async () => {
  const ask = async (action: 'refuse' | 'drop', headers: Record<string, string>): Promise<string> => {
    let seen = ''
    const service = underscores(action)?.((call) => {
      seen = call.headers.map(({ name }) => name).join(' ')
      return Promise.resolve(makeReply())
    })
    const answer = await service?.(makeCall({ headers }))
    return answer !== undefined && isFault(answer) ? String(faultStatus(answer)) : seen
  }
  const headers = { 'x-a': '1', x_a: '2', x: 'a_b' }
  assert.equal(await ask('drop', headers), 'x-a x')
  assert.equal(await ask('refuse', headers), '400')
  assert.equal(await ask('refuse', { 'x-a': 'a_b' }), 'x-a')
  assert.equal(underscores(undefined), undefined)
})

test('an upgrade is taken where the route says so, else where the listener does', async () => {
  const fateOf = async (upgrade: string, ofRoute?: [string, boolean][]): Promise<number | undefined> => {
    const action = { kind: 'forward', clusters: [], timeoutMs: 0, retry: undefined } as const
    const route = ofRoute === undefined ? action : { ...action, upgrades: new Map(ofRoute) }
    const fault = await upgradeRefused(upgrade, ['websocket'], route)
    return fault && faultStatus(fault)
  }
  assert.equal(await fateOf('WebSocket'), undefined)
  assert.equal(await fateOf('spdy/3.1'), 403)
  assert.equal(await fateOf('websocket', [['websocket', false]]), 403)
  assert.equal(await fateOf('websocket', [['spdy/3.1', true]]), undefined)
  assert.equal(await fateOf('SPDY/3.1', [['spdy/3.1', true]]), undefined)
  assert.equal(
    (await upgradeRefused('foo', ['websocket'], { kind: 'direct', status: 200, body: '' }))?.kind,
    'bad-request',
  )
  assert.equal(upgradeRefused('websocket', ['websocket'], { kind: 'direct', status: 200, body: '' }), undefined)
})
