import assert from 'node:assert/strict'
import { test } from 'node:test'
import { edgeHeaders } from './edge-headers.ts'
import { headerValue } from './http/headers.ts'
import { clientOf } from './http/service.ts'
import { makeCall } from './http/testing/fake-call.ts'

type Terminal = Parameters<typeof edgeHeaders>[0]
const edge = { keepRequestId: true }
const passed = (headers: Readonly<Record<string, string>>, host: string, more: Partial<Terminal> = {}) => {
  const call = makeCall({ headers, peer: { remote: { host, port: 5000 } } })
  void edgeHeaders({ edge, ...more })?.(() => new Promise(() => {}))(call)
  return call
}
const after = (...args: Parameters<typeof passed>): readonly string[] =>
  passed(...args).headers.map(({ name, value }) => `${name}: ${value}`)

test('a stranger speaks no word of the mesh and does not say how it is connected', () => {
  assert.deepEqual(
    after({ 'x-weft-upstream-fault': 'reset', accept: '*/*', 'x-forwarded-proto': 'https' }, '203.0.113.9'),
    ['accept: */*', 'x-forwarded-for: 203.0.113.9'],
  )
})

test('its address comes behind those that it names', () => {
  assert.deepEqual(after({ 'x-forwarded-for': '192.0.2.1, 192.0.2.2' }, '::ffff:203.0.113.9'), [
    'x-forwarded-for: 192.0.2.1, 192.0.2.2, 203.0.113.9',
  ])
})

test('its request id is kept where that is wanted', () => {
  assert.deepEqual(after({ 'x-request-id': 'a' }, '203.0.113.9'), ['x-request-id: a', 'x-forwarded-for: 203.0.113.9'])
  assert.deepEqual(after({ 'x-request-id': 'a' }, '203.0.113.9', { edge: { keepRequestId: false } }), [
    'x-forwarded-for: 203.0.113.9',
  ])
})

test('where no strangers come there is nothing to do', () => assert.equal(edgeHeaders({}), undefined))

test('the scheme is that of the connection, whatever a stranger says', () => {
  for (const tls of [true, false]) {
    const call = makeCall({ scheme: tls ? 'http' : 'https', peer: { tls } })
    void edgeHeaders({ edge })?.(() => new Promise(() => {}))(call)
    assert.equal(call.scheme, tls ? 'https' : 'http')
  }
})

test('a trusted proxy in front says who the client is, and how it is connected', () => {
  const trustedHops = 2
  const call = passed({ 'x-forwarded-for': '192.0.2.1, 192.0.2.2', 'x-forwarded-proto': 'https' }, '203.0.113.9', {
    trustedHops,
  })
  assert.deepEqual(clientOf(call), { host: '192.0.2.1', port: 0 })
  assert.equal(call.scheme, 'https')
  assert.equal(headerValue(call.headers, 'x-forwarded-proto'), 'https')
  // Who leaves out that proxy is a stranger.
  const direct = passed({ 'x-forwarded-for': '192.0.2.1' }, '203.0.113.9', { trustedHops })
  assert.equal(clientOf(direct).host, '203.0.113.9')
})

test('who comes from within directly is believed, and marked; who came by a proxy is not', () => {
  const more = { edge: { keepRequestId: false }, internalAddresses: [{ prefix: '10.0.0.0', bits: 8 }] }
  const said = { 'x-request-id': 'a', 'x-envoy-internal': 'maybe' }
  assert.deepEqual(after(said, '10.1.2.3', more), [
    'x-request-id: a',
    'x-forwarded-for: 10.1.2.3',
    'x-envoy-internal: true',
  ])
  assert.deepEqual(after(said, '11.1.2.3', more), ['x-forwarded-for: 11.1.2.3'])
  assert.deepEqual(after({ ...said, 'x-forwarded-for': '10.0.0.1' }, '10.1.2.3', more), [
    'x-forwarded-for: 10.0.0.1, 10.1.2.3',
  ])
})
