import assert from 'node:assert/strict'
import http2 from 'node:http2'
import net from 'node:net'
import { test } from 'node:test'
import { connectHttp2, frame, request, word } from '../../src/proxy/http/http2/testing/raw.ts'
import { flag, frameType } from '../../src/proxy/http/http2/wire.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'
import { startBareProxy } from './bare-proxy.ts'
import { credulous, exchange, statuses } from './raw-exchange.ts'

type Peer = Awaited<ReturnType<typeof connectHttp2>>

const many = (count: number, make: (index: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(index)))
const headersWithout = (block: Buffer, id = 1): Buffer => frame(frameType.headers, flag.endStream, id, block)

/** Indexed: one field of 4,000 octets, put in the table once and then named again and again, one octet each. */
function bomb(peer: Peer, name: string): Buffer {
  const field = peer.block({ [name]: 'x'.repeat(4000) })
  // "With incremental indexing" in place of "without".
  field[0] = 0x40
  const head = peer.block(request('GET', '/'))
  return frame(
    frameType.headers,
    flag.endHeaders | flag.endStream,
    1,
    Buffer.concat([head, field, Buffer.alloc(10_000, 0x80 | 62)]),
  )
}

/** By class: bytes of one connection. Each ends in a refusal of the stream, or of the connection. */
const floods: Readonly<Record<string, (peer: Peer) => Buffer>> = {
  '34 PING': () => many(20_000, () => frame(frameType.ping, 0, 0, Buffer.alloc(8))),
  '34 SETTINGS': () => many(10_000, () => frame(frameType.settings, 0, 0)),
  '34 PRIORITY': () => many(20_000, () => frame(frameType.priority, 0, 1, Buffer.alloc(5))),
  '34 WINDOW_UPDATE': () => many(20_000, () => frame(frameType.windowUpdate, 0, 0, word(1))),
  '34 frames of no known kind': () => many(20_000, () => frame(77, 0, 0)),
  '34 empty DATA': (peer) =>
    Buffer.concat([peer.headers(1, request('POST', '/'), false), many(10_000, () => peer.data(1, ''))]),
  '35 rapid reset': (peer) =>
    many(5000, (index) =>
      Buffer.concat([peer.get(2 * index + 1), frame(frameType.rstStream, 0, 2 * index + 1, word(8))]),
    ),
  '36 made you reset, by a window of nothing': (peer) =>
    many(5000, (index) =>
      Buffer.concat([peer.get(2 * index + 1), frame(frameType.windowUpdate, 0, 2 * index + 1, word(0))]),
    ),
  '36 made you reset, by a window too wide': (peer) =>
    many(5000, (index) =>
      Buffer.concat([peer.get(2 * index + 1), frame(frameType.windowUpdate, 0, 2 * index + 1, word(0x7fff_ffff))]),
    ),
  '36 made you reset, by DATA behind the end': (peer) =>
    many(5000, (index) => Buffer.concat([peer.get(2 * index + 1), peer.data(2 * index + 1, 'x')])),
  '37 empty CONTINUATION': () =>
    Buffer.concat([headersWithout(Buffer.alloc(0)), many(10_000, () => frame(frameType.continuation, 0, 1))]),
  '37 CONTINUATION without end': () =>
    Buffer.concat([
      headersWithout(Buffer.alloc(0)),
      many(10_000, () => frame(frameType.continuation, 0, 1, Buffer.alloc(2000, 0x82))),
    ]),
  '38 HPACK bomb': (peer) => bomb(peer, 'x-bomb'),
  '38 HPACK bomb of cookies': (peer) => bomb(peer, 'cookie'),
  '38 HPACK bomb of hosts': (peer) => bomb(peer, 'host'),
  '39 a connection window that overflows': () => frame(frameType.windowUpdate, 0, 0, word(0x7fff_ffff)),
  '30 trailers without END_STREAM': (peer) =>
    Buffer.concat([peer.headers(1, request('POST', '/'), false), peer.headers(1, { 'x-a': '1' }, false)]),
  '30 trailers again and again': (peer) =>
    Buffer.concat([
      peer.headers(1, request('POST', '/'), false),
      many(2000, () => peer.headers(1, { 'x-a': '1' }, true)),
    ]),
  '24 DATA beyond the length': (peer) =>
    Buffer.concat([
      peer.headers(1, { ...request('POST', '/'), 'content-length': '1' }, false),
      peer.data(1, 'GET /smuggled HTTP/1.1\r\nhost: web\r\n\r\n', true),
    ]),
  '23 line ends in a value': (peer) => peer.get(1, '/', { 'x-a': 'a\r\nGET /smuggled HTTP/1.1\r\n\r\n' }),
  '23 line ends in the path': (peer) => peer.get(1, '/ HTTP/1.1\r\nhost: web\r\n\r\nGET /smuggled'),
  '23 line ends in the method': (peer) =>
    peer.headers(1, { ...request('GET', '/'), ':method': 'GET /smuggled HTTP/1.1\r\n\r\nGET' }, true),
  '23 line ends in the authority': (peer) =>
    peer.headers(1, { ...request('GET', '/'), ':authority': 'web\r\n\r\nGET /smuggled' }, true),
  '23 a transfer coding': (peer) => peer.get(1, '/', { 'transfer-encoding': 'chunked' }),
  '25 CONNECT': (peer) => peer.headers(1, { ':method': 'CONNECT', ':authority': 'web:80' }, true),
  '25 no path': (peer) => peer.headers(1, { ':method': 'GET', ':scheme': 'http', ':authority': 'web' }, true),
}

test('no HTTP/2 connection costs more than its limits, reaches the program, or ends the proxy', async (t) => {
  if (!requires(t, 'linux')) return
  const { at, asked } = await credulous(t)
  const proxy = await startBareProxy(createWorld(t), at, {
    filters: [
      {
        name: 'rbac',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
          rules: {
            action: 'DENY',
            policies: {
              guard: {
                permissions: [{ url_path: { path: { prefix: '/smuggled' } } }],
                principals: [{ any: true }],
              },
            },
          },
        },
      },
    ],
  })
  const get = 'GET /good HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n'
  assert.deepEqual(statuses(await exchange(t, proxy.at, get)), [200])
  asked.length = 0
  const before = proxy.peakBytes()
  for (const [what, make] of Object.entries(floods)) {
    const peer = await connectHttp2(t, proxy.at.port)
    peer.send(make(peer))
    await until(`${what}: it is refused`, () => {
      const status = peer.heads.get(1)?.[0]?.[':status']
      return peer.over || peer.error(1) !== undefined || (status !== undefined && status >= '400')
    })
    peer.socket.destroy()
    assert.deepEqual(statuses(await exchange(t, proxy.at, get)), [200], `after ${what}`)
  }
  // Those that were reset at once may have reached it, a few of them.
  assert.ok(
    asked.every(({ line, body }) => /^(GET|POST) \/(good)?$/.test(line) && !body.includes('smuggled')),
    JSON.stringify(asked),
  )
  assert.ok(asked.length < 2000, `${asked.length} calls reached the program`)
  const grown = proxy.peakBytes() - before
  t.diagnostic(`memory grew by ${grown} bytes at most`)
  assert.ok(grown < 48 * 1024 * 1024, `${grown} bytes`)
  assert.ok(proxy.child.isRunning)
})

test('32: who never finishes a head is cut, and nobody else waits', async (t) => {
  if (!requires(t, 'linux')) return
  const { at } = await credulous(t)
  const proxy = await startBareProxy(createWorld(t), at)
  const slow = Array.from({ length: 200 }, (_, index) => {
    const socket = net
      .connect(proxy.at)
      .on('error', () => {})
      .resume()
    t.after(() => socket.destroy())
    socket.write(index % 2 === 0 ? 'GET / HTTP/1.1\r\nHost: w' : 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    if (index % 2 === 1)
      socket.write(Buffer.concat([frame(frameType.settings, 0, 0), headersWithout(Buffer.alloc(1, 0x82))]))
    return socket
  })
  const dripping = setInterval(() => {
    for (const [index, socket] of slow.entries()) if (index % 2 === 0 && !socket.destroyed) socket.write('x')
  }, 500)
  t.after(() => clearInterval(dripping))
  const good = http2.connect(`http://127.0.0.1:${proxy.at.port}`).on('error', () => {})
  t.after(() => good.destroy())
  await until('all slow ones are cut', () => slow.every(({ destroyed }) => destroyed), { withinMs: 60_000 })
  const answer = await exchange(t, proxy.at, 'GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n')
  assert.deepEqual(statuses(answer), [200])
  assert.ok(proxy.child.isRunning)
})
