import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { changePath, locationOf, rewrite, rewriteByEndpoint } from './change-url.ts'

/** As the control plane tells it. Source of the rows: Gateway API, HTTPPathModifier. */
const cases = [
  [{ kind: 'prefix', length: 4, value: '/xyz' }, '/foo/bar?q=1', '/xyz/bar?q=1'],
  [{ kind: 'prefix', length: 4, value: '/xyz' }, '/foo', '/xyz'],
  [{ kind: 'prefix', length: 4, value: '/xyz' }, '/foo/', '/xyz/'],
  [{ kind: 'prefix', length: 4, value: '/xyz' }, '/foo?q=/foo', '/xyz?q=/foo'],
  [{ kind: 'strip', length: 4 }, '/foo/bar', '/bar'],
  [{ kind: 'strip', length: 4 }, '/foo/', '/'],
  [{ kind: 'strip', length: 4 }, '/foo?q=1', '/?q=1'],
  [{ kind: 'full', value: '/one' }, '/foo/bar?q=1', '/one?q=1'],
  [{ kind: 'full', value: '/one?own' }, '/foo/bar?q=1', '/one?own'],
] as const
for (const [change, target, changed] of cases)
  test(`${target} by ${JSON.stringify(change)}`, () => assert.equal(changePath(change, target), changed))

const anywhere = { scheme: undefined, host: undefined, port: undefined, path: undefined, stripQuery: false }
const locations = [
  [{}, 'web:8080', 'http://web:8080/a?q=1'],
  [{ port: 8080 }, 'web', 'http://web:8080/a?q=1'],
  [{ port: 80 }, 'web:8080', 'http://web/a?q=1'],
  [{ scheme: 'https', port: 443 }, 'web:8080', 'https://web/a?q=1'],
  [{ scheme: 'https' }, 'web:80', 'https://web/a?q=1'],
  [{ scheme: 'https' }, 'web:8080', 'https://web:8080/a?q=1'],
  [{ host: 'new.example' }, 'web:8080', 'http://new.example/a?q=1'],
  [{ host: 'new.example', port: 443 }, 'web', 'http://new.example:443/a?q=1'],
  [{ port: 8080 }, '[::1]:80', 'http://[::1]:8080/a?q=1'],
  [{ path: { kind: 'full', value: '/b' }, stripQuery: true }, 'web', 'http://web/b'],
] as const
for (const [action, authority, location] of locations)
  test(`${JSON.stringify(action)} for ${authority} leads to ${location}`, () =>
    assert.equal(locationOf({ ...anywhere, ...action }, { scheme: 'http', authority, path: '/a?q=1' }), location))

test('the upstream sees the new host and path; OPTIONS * has no path to change', async () => {
  const seen: string[] = []
  const layer = rewrite('inner.example', { kind: 'full', value: '/b' })
  const service = layer?.((call) => {
    seen.push(`${call.authority} ${call.path}`)
    return Promise.resolve(makeReply())
  })
  assert.ok(service)
  await service(makeCall({ path: '/a?q' }))
  await service(makeCall({ method: 'OPTIONS', path: '*' }))
  assert.deepEqual(seen, ['inner.example /b?q', 'inner.example *'])
})
test('nothing to change is no layer', () => assert.equal(rewrite(undefined, undefined), undefined))

test('the endpoint of each attempt says the host; what was asked is told once, and comes back without a name', () => {
  assert.equal(rewriteByEndpoint('fixed.example'), undefined)
  assert.equal(rewrite({ kind: 'endpoint' }, undefined), undefined)
  const call = makeCall({ authority: 'asked.example' })
  const named = rewriteByEndpoint({ kind: 'endpoint' }, true)
  const seen = ['one.example', 'two.example', undefined].map((hostname) => {
    named?.(call, hostname === undefined ? {} : { hostname })
    return call.authority
  })
  assert.deepEqual(seen, ['one.example', 'two.example', 'asked.example'])
  assert.deepEqual(
    call.headers.filter(({ name }) => name === 'x-forwarded-host').map(({ value }) => value),
    ['asked.example'],
  )
})
