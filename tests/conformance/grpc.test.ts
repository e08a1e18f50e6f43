import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { backendOf, firstDifference } from './compare.ts'
import { callGrpc } from './grpc.ts'

const field = (number: number, value: Buffer | string): Buffer => {
  const bytes = Buffer.from(value as string)
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes])
}

/** A gRPC echo for /s/Echo behind a proxy that takes CONNECT; everything else is unimplemented. */
async function startEcho(): Promise<{ proxy: string; tunnels: () => number; close: () => void }> {
  const server = http2
    .createServer()
    .on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
      const { ':path': path = '', ':authority': authority = '' } = headers
      if (path !== '/s/Echo') {
        stream.respond({ ':status': 200, 'grpc-status': '12' }, { endStream: true })
        return
      }
      const header = field(2, Buffer.concat([field(1, 'x-a'), field(2, String(headers['x-a']))]))
      const context = field(4, Buffer.concat([field(1, 'ns'), field(4, 'web-x-0')]))
      const message = field(1, Buffer.concat([field(1, path), header, field(3, authority), context]))
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]))
    })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  let tunnels = 0
  const proxy = http.createServer().on('connect', ({ url }, client) => {
    if (url !== 'web:7070') return client.end('HTTP/1.1 404 Not Found\r\n\r\n')
    tunnels++
    const upstream = net.connect((server.address() as AddressInfo).port, '127.0.0.1')
    client.write('HTTP/1.1 200 OK\r\n\r\n')
    client.on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
    client.pipe(upstream).pipe(client)
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  return {
    proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    tunnels: () => tunnels,
    close: () => void (server.close(), proxy.close()),
  }
}

test('conformance: gRPC calls go through a tunnel, and their answers are compared as those of HTTP', async (t) => {
  const echo = await startEcho()
  t.after(echo.close)
  const call = { authority: 'web:7070', path: '/s/Echo', metadata: { 'x-a': 'b' } }
  const replies = await callGrpc({ proxy: echo.proxy, target: 'web:7070' }, call, 2)
  assert.deepEqual(replies.map(backendOf), ['web', 'web'])
  assert.equal(echo.tunnels(), 1)
  const [reply] = replies
  assert.ok(reply !== undefined)
  const same = (expected: Parameters<typeof firstDifference>[2]): string =>
    firstDifference(reply, '', expected) ?? 'fits'
  const seen = { metadata: { 'X-A': 'b' }, absentMetadata: ['x-c'], fullMethod: '/s/Echo', host: 'web:7070' }
  assert.equal(same({ grpcCode: 0, backend: { service: 'web', namespace: 'ns' }, backendRequest: seen }), 'fits')
  assert.match(same({ grpcCode: 12 }), /^gRPC code 0, expected 12/)
  assert.match(same({ grpcCodeNot: 0 }), /must not be/)
  assert.match(same({ backendRequest: { metadata: { 'x-a': 'c' } } }), /^request header x-a is "b"/)
  assert.match(same({ backendRequest: { absentMetadata: ['x-a'] } }), /must be absent/)
  assert.match(same({ backendRequest: { fullMethod: '/s/Other' } }), /^path/)

  const [refused] = await callGrpc({ proxy: echo.proxy, target: 'web:7070' }, { ...call, path: '/s/Other' }, 1)
  assert.deepEqual(refused?.headers['grpc-status'], ['12'])
  const [lost] = await callGrpc({ proxy: echo.proxy, target: 'nobody:7070' }, call, 1)
  assert.match(lost?.error ?? '', /CONNECT nobody:7070 was answered with 404/)
})
