import { collect, testCall } from '../../../src/proxy/http/http1/testing/raw.ts'
import { http1Client } from '../../../src/proxy/http/http1/client.ts'
import { isFault } from '../../../src/proxy/http/service.ts'
import { MemorySocket, settledBy } from '../memory-socket.ts'
import type { Target } from '../target.ts'

const seeds = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n',
  'HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end',
  'HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\nConnection: keep-alive\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nframes',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 503 \r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
]

/** What the client says of a reply, for a call of this kind. */
async function exchange(pieces: readonly Buffer[], method: string, upgrade: string | undefined): Promise<string> {
  const socket = new MemorySocket()
  const informational: number[] = []
  const connection = http1Client(socket.asSocket(), {
    endpoint: { host: '127.0.0.1', port: 1 },
    idle() {},
    closed() {},
  })
  const told = connection
    .send(testCall({ method, upgrade, onInformational: (status) => informational.push(status) }))
    .then(async (answer) => {
      if (isFault(answer)) return `fault ${answer.kind}`
      const { text, trailers, fault } = await collect(answer.tunnel?.incoming ?? answer.body)
      const fields = answer.headers.map(({ name, value }) => `${name}=${value}`).join()
      return `${answer.status} [${fields}] ${text} ${JSON.stringify(trailers)} ${fault?.kind ?? ''}`
    })
  await socket.feed(pieces)
  socket.push(null)
  await socket.settled()
  connection.destroy()
  return `${method} ${informational.join()} ${(await settledBy([told], 'call')).join()}`
}

export const http1Replies: Target = {
  name: 'http1-client',
  seeds: seeds.map((text) => Buffer.from(text, 'latin1')),
  words: [
    '\r\n',
    '\n',
    '\0',
    ' ',
    'HTTP/1.1 200 OK\r\n',
    'Content-Length: 5\r\n',
    'Content-Length: 6\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Connection: close\r\n',
    '0\r\n\r\n',
    '99999999999999999999',
  ],
  async read(pieces) {
    const told = [
      await exchange(pieces, 'GET', undefined),
      await exchange(pieces, 'HEAD', undefined),
      await exchange(pieces, 'GET', 'websocket'),
    ]
    return told.join('\n')
  },
}
