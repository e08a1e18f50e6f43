import assert from 'node:assert/strict'
import { test } from 'node:test'
import { edgeHeaders } from './edge-headers.ts'
import { makeCall } from './http/testing/fake-call.ts'

const edge = { keepRequestId: true, streams: 100, streamWindowBytes: 65_536, connectionWindowBytes: 1_048_576 }
const after = (headers: Readonly<Record<string, string>>, host: string, keepRequestId = true): readonly string[] => {
  const call = makeCall({ headers, peer: { remote: { host, port: 5000 } } })
  void edgeHeaders({ ...edge, keepRequestId })?.(() => new Promise(() => {}))(call)
  return call.headers.map(({ name, value }) => `${name}: ${value}`)
}

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
  assert.deepEqual(after({ 'x-request-id': 'a' }, '203.0.113.9', false), ['x-forwarded-for: 203.0.113.9'])
})

test('where no strangers come there is nothing to do', () => assert.equal(edgeHeaders(undefined), undefined))

test('the scheme is that of the connection, whatever a stranger says', () => {
  for (const tls of [true, false]) {
    const call = makeCall({ scheme: tls ? 'http' : 'https', peer: { tls } })
    void edgeHeaders(edge)?.(() => new Promise(() => {}))(call)
    assert.equal(call.scheme, tls ? 'https' : 'http')
  }
})
