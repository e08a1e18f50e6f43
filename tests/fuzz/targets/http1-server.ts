import { serveHttp1 } from '../../../src/proxy/http/http1/server.ts'
import { serveBytes } from '../serve.ts'
import type { Target } from '../target.ts'

const seeds = [
  'GET / HTTP/1.1\r\nHost: web\r\n\r\n',
  'GET http://web:80/a?b=c HTTP/1.1\r\nHost: web:80\r\nUser-Agent: x\r\nAccept: */*\r\nConnection: keep-alive, foo\r\nFoo: bar\r\n\r\n',
  'POST /p HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\n\r\nhelloGET /next HTTP/1.1\r\nHost: web\r\n\r\n',
  'POST /c HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\nTrailer: x-t\r\n\r\n5;ext="a;b"\r\nhello\r\n0A\r\n0123456789\r\n0\r\nx-t: 1\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n',
  'PUT /e HTTP/1.1\r\nHost: web\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc',
  'GET /ws HTTP/1.1\r\nHost: web\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n\r\nbytes behind',
  'HEAD / HTTP/1.0\r\nHost: web\r\nConnection: close\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n\r\nGET /%41/../b HTTP/1.1\r\nhost: web\r\n\r\n',
  'CONNECT web:443 HTTP/1.1\r\nHost: web:443\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0',
]

export const http1Server: Target = {
  name: 'http1-server',
  seeds: seeds.map((text) => Buffer.from(text, 'latin1')),
  words: [
    '\r\n',
    '\r\n\r\n',
    '\n',
    ' ',
    '\t',
    '\0',
    'Content-Length: 0\r\n',
    'content-length: 5, 5\r\n',
    'Content-Length: +5\r\n',
    'Transfer-Encoding: chunked\r\n',
    'transfer-encoding: gzip, chunked\r\n',
    'Transfer-Encoding : chunked\r\n',
    ' folded\r\n',
    'Host: other\r\n',
    'HTTP/1.1',
    'HTTP/2.0',
    'PRI * ',
    '0\r\n\r\n',
    'fffffffff\r\n',
    'Connection: close\r\n',
    'X: '.padEnd(300, 'y'),
  ],
  async read(pieces) {
    let second = ''
    const { calls, refused, socket } = await serveBytes(pieces, (memory, parts) =>
      serveHttp1(memory.asSocket(), {
        ...parts,
        http2: (taken) => void taken.on('data', (chunk: Buffer) => (second += chunk.toString('latin1'))).resume(),
      }),
    )
    return [...calls, ...refused, second, socket.bytes().toString('latin1')].join('\n')
  },
}
