import { seeded } from '../../../src/base/random.ts'
import { edgeLimits } from '../../../src/proxy/http/http2/limits.ts'
import { serveHttp2 } from '../../../src/proxy/http/http2/server.ts'
import { frameType, preface } from '../../../src/proxy/http/http2/wire.ts'
import { serveBytes } from '../serve.ts'
import type { Target } from '../target.ts'
import { endOf, data, headers, raw, settings } from './http2-frames.ts'

const get = { ':method': 'GET', ':scheme': 'http', ':authority': 'web', ':path': '/' }
const post = { ...get, ':method': 'POST', ':path': '/p', 'content-type': 'text/plain', te: 'trailers' }
const opening = Buffer.concat([preface, settings()])

const seeds = [
  [headers(1, get, true)],
  [headers(1, post, false), data(1, 'hello', true), headers(3, get, true)],
  [
    headers(1, { ...post, 'content-length': '5' }, false),
    data(1, 'he'),
    data(1, 'llo'),
    headers(1, { 'x-t': '1' }, true),
  ],
  [
    settings([
      [3, 10],
      [4, 100],
      [1, 0],
    ]),
    headers(1, get, true),
    raw(frameType.ping, 0, 0, '12345678'),
  ],
  [headers(1, post, false), raw(frameType.rstStream, 0, 1, '\0\0\0\x08'), headers(3, get, true)],
  [
    raw(frameType.windowUpdate, 0, 0, '\0\0\x10\0'),
    headers(1, post, false),
    raw(frameType.windowUpdate, 0, 1, '\0\0\0\x01'),
    data(1, '', true),
  ],
  [
    headers(1, { ...get, cookie: 'a=b', authorization: 'x' }, true),
    headers(3, { ...get, ':path': '/?q' }, true),
    headers(5, get, true),
  ],
  [
    headers(
      1,
      { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', ':authority': 'web', ':path': '/ws' },
      false,
    ),
    data(1, 'frames'),
  ],
  [raw(frameType.goAway, 0, 0, '\0\0\0\0\0\0\0\0'), headers(1, get, true)],
  [raw(frameType.headers, 1 | 8, 1, `\x02${'\x82\x86\x84\x41\x03web'}\0\0`), raw(frameType.continuation, 4, 1, '')],
].map((frames) => Buffer.concat([opening, ...frames]))

export const http2Server: Target = {
  name: 'http2-server',
  seeds,
  words: [
    ...seeds.map((bytes) => bytes.toString('latin1', opening.length)),
    ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((type) => raw(type, 0, 1, '\0\0\0\0').toString('latin1')),
    settings([[4, 2 ** 31 - 1]]).toString('latin1'),
    settings([[5, 100]]).toString('latin1'),
    raw(frameType.windowUpdate, 0, 0, '\x7f\xff\xff\xff').toString('latin1'),
    '\xff\xff\xff',
  ],
  async read(pieces) {
    const { calls, refused, socket } = await serveBytes(pieces, (memory, parts) =>
      serveHttp2(memory.asSocket(), { ...parts, random: seeded(1), limits: edgeLimits, keepAliveMs: 0 }),
    )
    return [...calls, ...refused, endOf(socket.bytes())].join('\n')
  },
}
