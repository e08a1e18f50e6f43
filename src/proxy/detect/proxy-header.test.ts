import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { writeProxyHeader } from '../upstream/proxy-header.ts'
import { longestProxyHeader, readProxyHeader } from './proxy-header.ts'

const read = (text: string) => readProxyHeader(Buffer.from(text, 'latin1'))
const v2 = (rest: readonly number[], body: Buffer = Buffer.alloc(0)): Buffer =>
  Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), Buffer.from(rest), body])
const from4 = { remote: { host: '203.0.113.7', port: 5000 }, local: { host: '10.0.0.1', port: 443 } }
const from6 = { remote: { host: '2001:db8::7', port: 5000 }, local: { host: '2001:db8::1', port: 443 } }

test('what is written is read again, cut anywhere, and what follows stays', () => {
  for (const version of ['v1', 'v2'] as const) {
    for (const from of [from4, from6]) {
      const header = writeProxyHeader(version, from)
      for (let at = 1; at < header.length; at++) assert.equal(readProxyHeader(header.subarray(0, at)), 'more')
      assert.deepEqual(readProxyHeader(Buffer.concat([header, Buffer.from('PROXY hello')])), {
        kind: 'header',
        version: version === 'v1' ? 1 : 2,
        length: header.length,
        addresses: { source: from.remote, destination: from.local },
      })
    }
    const mixed = readProxyHeader(writeProxyHeader(version, { remote: from4.remote, local: from6.local }))
    assert.deepEqual(mixed !== 'more' && 'addresses' in mixed && mixed.addresses, {
      source: from4.remote,
      destination: from6.local,
    })
    const unknown = readProxyHeader(writeProxyHeader(version, { remote: { host: '', port: 0 }, local: from4.local }))
    assert.equal(unknown !== 'more' && 'addresses' in unknown && unknown.addresses, undefined)
  }
})

test('version 1 as the specification shows it', () => {
  assert.deepEqual(read('PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n'), {
    kind: 'header',
    version: 1,
    length: 56,
    addresses: {
      source: { host: '255.255.255.255', port: 65_535 },
      destination: { host: '255.255.255.255', port: 65_535 },
    },
  })
  assert.deepEqual(read('PROXY UNKNOWN ffff:: x y\r\nGET'), {
    kind: 'header',
    version: 1,
    length: 26,
    addresses: undefined,
  })
  assert.equal(read('GET / HTTP/1.1\r\n') !== 'more' && (read('GET /') as { kind: string }).kind, 'none')
  assert.equal(read('PR'), 'more')
})

test('what is nearly a header is refused, with the reason', () => {
  const bad: readonly (readonly [string | Buffer, RegExp])[] = [
    ['PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n', /6 words/],
    ['PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n', /6 words/],
    ['PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n', /a port/],
    ['PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n', /a port/],
    ['PROXY TCP4 1.2.3.4 ::1 1 2\r\n', /an address/],
    ['PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n', /an address/],
    ['PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n', /neither/],
    [`PROXY ${'x'.repeat(200)}`, /107 bytes/],
    [v2([0x31, 0x11, 0, 12], Buffer.alloc(12)), /0x31/],
    [v2([0x22, 0x11, 0, 12], Buffer.alloc(12)), /0x22/],
    [v2([0x21, 0x11, 0, 11], Buffer.alloc(11)), /11 bytes of addresses/],
    [v2([0x21, 0x12, 0, 12], Buffer.alloc(12)), /transport 2/],
    [v2([0x21, 0x41, 0, 12], Buffer.alloc(12)), /family 4/],
    [v2([0x21, 0x11, 0xff, 0xff]), /at most 16384/],
  ]
  for (const [bytes, why] of bad) {
    const seen = typeof bytes === 'string' ? read(bytes) : readProxyHeader(bytes)
    assert.ok(seen !== 'more' && seen.kind === 'bad', String(bytes))
    assert.match(seen.why, why)
  }
})

test('version 2: LOCAL, unspecified and Unix addresses leave the socket its own; additions are passed over', () => {
  for (const bytes of [
    v2([0x20, 0, 0, 0]),
    v2([0x21, 0, 0, 3], Buffer.alloc(3)),
    v2([0x21, 0x31, 0, 216], Buffer.alloc(216)),
  ]) {
    const seen = readProxyHeader(bytes)
    assert.ok(seen !== 'more' && seen.kind === 'header')
    assert.equal(seen.addresses, undefined)
    assert.equal(seen.length, bytes.length)
  }
  const withMore = v2(
    [0x21, 0x11, 0, 20],
    Buffer.concat([Buffer.of(1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 0, 10), Buffer.alloc(8)]),
  )
  const seen = readProxyHeader(withMore)
  assert.ok(seen !== 'more' && seen.kind === 'header')
  assert.deepEqual(seen.addresses, {
    source: { host: '1.2.3.4', port: 9 },
    destination: { host: '5.6.7.8', port: 10 },
  })
  assert.equal(seen.length, withMore.length)
})

test('no bytes throw, and none make it wait for more than it may hold', () => {
  const random = seeded(7)
  const starts = [writeProxyHeader('v1', from4), writeProxyHeader('v2', from6)]
  for (let round = 0; round < 5000; round++) {
    const bytes = Buffer.from(starts[round % 2] ?? Buffer.alloc(0))
    for (let flips = random.below(4); flips >= 0; flips--)
      bytes[Math.floor(random.below(bytes.length))] = Math.floor(random.below(256))
    readProxyHeader(bytes.subarray(0, Math.floor(random.below(bytes.length + 1))))
    assert.notEqual(readProxyHeader(Buffer.concat([bytes, Buffer.alloc(longestProxyHeader)])), 'more')
  }
})
