import { createSweeper } from '../../../src/base/sweeper.ts'
import { manualClock } from '../../../src/base/testing/manual-clock.ts'
import { collect, testCall } from '../../../src/proxy/http/http1/testing/raw.ts'
import { http2Client } from '../../../src/proxy/http/http2/client.ts'
import { frameType } from '../../../src/proxy/http/http2/wire.ts'
import { isFault } from '../../../src/proxy/http/service.ts'
import { MemorySocket, settledBy } from '../memory-socket.ts'
import type { Target } from '../target.ts'
import { data, endOf, headers, raw, settings } from './http2-frames.ts'

const ok = { ':status': '200', 'content-type': 'text/plain' }
const seeds = [
  [headers(1, ok, true), headers(3, { ':status': '204' }, true)],
  [
    headers(1, ok, false),
    data(1, 'hello', true),
    headers(3, ok, false),
    data(3, 'x'),
    headers(3, { 'grpc-status': '0' }, true),
  ],
  [
    headers(1, { ':status': '103', link: '</a>' }, false),
    headers(1, { ...ok, 'content-length': '2' }, false),
    data(1, 'ab', true),
  ],
  [raw(frameType.rstStream, 0, 1, '\0\0\0\x07'), headers(3, ok, true)],
  [raw(frameType.goAway, 0, 0, '\0\0\0\x01\0\0\0\0'), headers(1, ok, true)],
  [
    raw(frameType.ping, 0, 0, '12345678'),
    settings([
      [3, 1],
      [4, 0],
    ]),
    headers(1, ok, false),
  ],
].map((frames) => Buffer.concat([settings(), ...frames]))

export const http2Replies: Target = {
  name: 'http2-client',
  seeds,
  words: [
    ...seeds.map((bytes) => bytes.toString('latin1')),
    ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((type) => raw(type, 0, 1, '\0\0\0\0').toString('latin1')),
    raw(frameType.pushPromise, 4, 1, '\0\0\0\x02').toString('latin1'),
  ],
  async read(pieces) {
    const clock = manualClock()
    const sweeper = createSweeper(clock, 100)
    const socket = new MemorySocket()
    const connection = http2Client(socket.asSocket(), {
      endpoint: { host: '127.0.0.1', port: 1 },
      sweeper,
      changed() {},
      closed() {},
      keepAliveMs: 0,
    })
    const told = ['/a', '/b'].map(async (path) => {
      const answer = await connection.send(testCall({ path }))
      if (isFault(answer)) return `fault ${answer.kind}`
      const { text, trailers, fault } = await collect(answer.body)
      const fields = answer.headers.map(({ name, value }) => `${name}=${value}`).join()
      // What had come before a body was broken off may have been given on or not.
      return `${answer.status} [${fields}] ${fault?.kind ?? `${text} ${JSON.stringify(trailers)}`}`
    })
    await socket.feed(pieces)
    connection.destroy()
    await socket.settled()
    sweeper.close()
    if (clock.pending > 0) throw new Error(`${clock.pending} timers are left`)
    return [...(await settledBy(told, 'call')), endOf(socket.bytes())].join('\n')
  },
}
