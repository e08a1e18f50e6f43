import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forwardedHost, within } from './client-address.ts'
import { makeCall } from './http/testing/fake-call.ts'
import { clientOf } from './http/service.ts'
import { requestHeaders } from './request-headers.ts'

const cases: readonly (readonly [list: string | undefined, skipped: number, host: string | undefined])[] = [
  [undefined, 0, undefined],
  ['', 0, undefined],
  ['192.0.2.1', 0, '192.0.2.1'],
  ['192.0.2.1', 1, undefined],
  ['192.0.2.1,192.0.2.2', 0, '192.0.2.2'],
  [' 192.0.2.1 , 192.0.2.2', 1, '192.0.2.1'],
  ['192.0.2.1, 192.0.2.2, 192.0.2.3', 2, '192.0.2.1'],
  ['192.0.2.1, 192.0.2.2, 192.0.2.3', 3, undefined],
  ['192.0.2.1, 2001:db8::1', 0, '2001:db8::1'],
  ['192.0.2.1, unknown', 0, undefined],
  ['192.0.2.1, 192.0.2.2:80', 0, undefined],
  [', 192.0.2.2', 1, undefined],
]
for (const [list, skipped, host] of cases)
  test(`${JSON.stringify(list)} without ${skipped} → ${host ?? 'nobody'}`, () =>
    assert.equal(forwardedHost(list, skipped), host))

test('an address is from within when one of the ranges has it', () => {
  const test = within([
    { prefix: '10.0.0.0', bits: 8 },
    { prefix: 'fd00::', bits: 8 },
  ])
  assert.deepEqual(['10.9.9.9', '11.0.0.1', 'fd12::1', '::ffff:10.0.0.1'].map(test), [true, false, true, true])
  assert.equal(within()('10.0.0.1'), false)
})

const inside = (headers: Readonly<Record<string, string>>, more: object = {}) => {
  const terminal = { forwardClientCert: 'sanitize', clientCertParts: [], generateRequestId: false, ...more } as const
  const call = makeCall({ headers })
  void requestHeaders(terminal, () => undefined)(() => new Promise(() => {}))(call)
  return { client: clientOf(call).host, seen: call.headers.map(({ name, value }) => `${name}: ${value}`) }
}

test('where no strangers come, x-forwarded-for says who the client is', () => {
  assert.equal(inside({}).client, '127.0.0.1')
  assert.equal(inside({ 'x-forwarded-for': '192.0.2.1, 192.0.2.2' }).client, '192.0.2.2')
  assert.equal(inside({ 'x-forwarded-for': '192.0.2.1, 192.0.2.2' }, { trustedHops: 1 }).client, '192.0.2.1')
})

test('nobody says of itself that it is from within', () => {
  const internalAddresses = [{ prefix: '10.0.0.0', bits: 8 }]
  const said = { 'x-envoy-internal': 'true', 'x-forwarded-for': '10.0.0.1', 'x-forwarded-proto': 'http' }
  assert.deepEqual(inside(said).seen, ['x-forwarded-for: 10.0.0.1', 'x-forwarded-proto: http'])
  assert.deepEqual(inside(said, { internalAddresses }).seen, [
    'x-forwarded-for: 10.0.0.1',
    'x-forwarded-proto: http',
    'x-envoy-internal: true',
  ])
})
