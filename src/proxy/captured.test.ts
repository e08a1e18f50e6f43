import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostOfHttp1, namedHost } from './captured.ts'
import { nameIndex } from './route/names.ts'

test('the first Host of an HTTP/1 connection, however it is cut', () => {
  const head = 'GET /a HTTP/1.1\r\nAccept: */*\r\nHOST:  Web.Shop:80 \r\nX: y\r\n\r\n'
  for (let cut = 1; cut <= head.length; cut++) {
    const seen = hostOfHttp1(Buffer.from(head.slice(0, cut)))
    assert.deepEqual(seen, cut < head.indexOf('\r\nX') + 2 ? 'more' : { host: 'web.shop:80' }, `after ${cut} bytes`)
  }
  assert.deepEqual(hostOfHttp1(Buffer.from('GET / HTTP/1.0\r\n\r\nHost: body\r\n')), { host: '' })
  assert.deepEqual(hostOfHttp1(Buffer.from(`GET /${'a'.repeat(20_000)}`)), { host: '' }, 'a head without an end')
  for (const other of ['\x16\x03\x01', 'PRI * HTTP/2.0\r\n\r\n', 'SSH-2.0-x\r\n'])
    assert.equal(hostOfHttp1(Buffer.from(other, 'latin1')), 'raw')
})

test('a virtual IP is a name of its service', () => {
  const ports = [{ port: 80, protocol: 'http' as const }]
  const find = nameIndex(
    new Map([
      ['default/web', { namespace: 'default', name: 'web', ports, virtualIp: '241.1.2.3' }],
      ['default/new', { namespace: 'default', name: 'new', ports }],
    ]),
  )
  assert.equal(find('241.1.2.3', 80, 'other'), 'default/web/80')
  assert.equal(find('241.1.2.3', 81, 'other'), undefined)
  assert.equal(find('241.1.2.4', 80, 'default'), undefined)
  assert.equal(find('web.mesh', 80, 'default'), 'default/web/80')
  assert.equal(find('web.mesh', 80, 'other'), undefined)
})

test('the host that a client names, by HTTP or by TLS', () => {
  assert.deepEqual(namedHost(Buffer.from('GET / HTTP/1.1\r\nHost: web\r\n\r\n')), { by: 'http', host: 'web' })
  assert.equal(namedHost(Buffer.from('SSH-2.0-x\r\n')), 'raw')
  const name = Buffer.from('a.far.example')
  const server = Buffer.concat([Buffer.from([0, 0, 0, name.length + 5, 0, name.length + 3, 0, 0, name.length]), name])
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32),
    Buffer.from([0, 0, 2, 0x13, 1, 1, 0, 0, server.length]),
    server,
  ])
  const hello = Buffer.concat([Buffer.from([22, 3, 1, 0, body.length + 4, 1, 0, 0, body.length]), body])
  assert.deepEqual(namedHost(hello), { by: 'tls', host: 'a.far.example' })
  assert.equal(namedHost(hello.subarray(0, 20)), 'more')
})
