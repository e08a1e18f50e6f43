import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { connect, echo, serve } from './testing/raw.ts'

const head = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`
const get = (path: string, ...more: string[]): string => head(`GET ${path} HTTP/1.1`, 'Host: Web:80', ...more)

/** Sends `request`, whole or byte by byte, and gives what comes back until `Connection: close` takes effect. */
async function ask(t: TestContext, port: number, request: string, bytewise: boolean): Promise<string> {
  const peer = await connect(t, port)
  if (!bytewise) peer.send(request)
  else {
    for (const byte of request) {
      if (peer.socket.destroyed || peer.text() !== '') break
      peer.send(byte)
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
  }
  return peer.end()
}

const statusOfText = (text: string): number => Number(text.slice(9, 12))

/** [what, the request's bytes, the status, a part of the answer]. All are asked whole and byte by byte. */
const close = 'Connection: close'
const cases: readonly (readonly [string, string, number, string?])[] = [
  ['plain', get('/a?b=c', close), 200, 'GET /a?b=c @web:80 []'],
  ['leading empty line', `\r\n${get('/', close)}`, 200],
  ['two leading empty lines', `\r\n\r\n${get('/', close)}`, 400],
  ['no space after colon', head('GET / HTTP/1.1', 'host:web', 'x:y', close), 200, '[x=y]'],
  ['white space around a value', get('/', 'x: \t y z \t', close), 200, '[x=y z]'],
  ['empty value', get('/', 'x:', close), 200, '[x=]'],
  ['obs-text in a value', get('/', 'x: \xe9', close), 200, '[x=\xe9]'],
  ['absolute form outweighs Host', head('GET http://Other:81/p HTTP/1.1', 'Host: web', close), 200, 'GET /p @other:81'],
  ['absolute form without path', head('GET http://other?q HTTP/1.1', 'Host: web', close), 200, 'GET /?q @other'],
  ['an absolute name', head('GET / HTTP/1.1', 'Host: Web.:80', close), 200, '@web:80'],
  ['an absolute name without port', head('GET / HTTP/1.1', 'Host: web.', close), 200, '@web []'],
  ['OPTIONS *', head('OPTIONS * HTTP/1.1', 'Host: web', close), 200, 'OPTIONS * @web'],
  ['IPv6 host', head('GET / HTTP/1.1', 'Host: [::1]:80', close), 200, '@[::1]:80'],
  ['content-length', `${head('POST / HTTP/1.1', 'Host: web', 'Content-Length: 5', close)}hello`, 200, '[] hello'],
  [
    'chunked',
    `${head('POST / HTTP/1.1', 'Host: web', 'Transfer-Encoding: chunked', close)}3\r\nabc\r\n2;x="y"\r\nde\r\n0\r\n\r\n`,
    200,
    'abcde',
  ],
  [
    'chunked, case and trailers',
    `${head('POST / HTTP/1.1', 'Host: web', 'Transfer-Encoding: Chunked', close)}A\r\n0123456789\r\n0\r\nx: y\r\nz: w\r\n\r\n`,
    200,
    '0123456789',
  ],
  [
    'hop-by-hop fields go',
    get('/', 'Connection: close, X-Drop', 'X-Drop: 1', 'Keep-Alive: 1', 'TE: gzip', 'Proxy-Connection: x', 'X-Keep: 1'),
    200,
    '[x-keep=1]',
  ],
  ['HTTP/1.0', head('GET / HTTP/1.0', 'Host: web'), 200],
  ['__proto__ is a name', get('/', '__proto__: x', 'constructor: y', close), 200, '[__proto__=x,constructor=y]'],

  [
    'CL and TE',
    `${head('POST / HTTP/1.1', 'Host: web', 'Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    400,
  ],
  [
    'TE and CL',
    `${head('POST / HTTP/1.1', 'Host: web', 'Transfer-Encoding: chunked', 'Content-Length: 5')}0\r\n\r\n`,
    400,
  ],
  ['CL twice', `${head('POST / HTTP/1.1', 'Host: web', 'Content-Length: 5', 'Content-Length: 5')}hello`, 400],
  ...['+5', '-5', '5,5', '0x5', '5 5', '', '٥', '1e1', '9007199254740993', '18446744073709551621', '5.0'].map(
    (value) =>
      [
        `CL "${value}"`,
        `${head('POST / HTTP/1.1', 'Host: web', `Content-Length: ${Buffer.from(value).toString('latin1')}`)}hello`,
        400,
      ] as const,
  ),
  ...[
    'chunked,',
    ',chunked',
    'xchunked',
    'chunked, chunked',
    'gzip, chunked',
    'identity',
    'chunked;q=1',
    '"chunked"',
    'chunked\x0b',
    '',
  ].map(
    (value) =>
      [
        `TE "${value}"`,
        `${head('POST / HTTP/1.1', 'Host: web', `Transfer-Encoding: ${value}`)}0\r\n\r\n`,
        400,
      ] as const,
  ),
  [
    'TE twice',
    `${head('POST / HTTP/1.1', 'Host: web', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    400,
  ],
  ['TE in 1.0', `${head('POST / HTTP/1.0', 'Host: web', 'Transfer-Encoding: chunked')}0\r\n\r\n`, 400],
  ['bare LF', 'GET / HTTP/1.1\nHost: web\n\n', 400],
  ['bare LF in a head', 'GET / HTTP/1.1\r\nHost: web\nX: y\r\n\r\n', 400],
  ['bare CR in a head', 'GET / HTTP/1.1\r\nHost: web\rX: y\r\n\r\n', 400],
  ['CR CR LF', 'GET / HTTP/1.1\r\nHost: web\r\r\nX: y\r\n\r\n', 400],
  ['folded line', get('/', 'x: y', ' z'), 400],
  ['folded first line', 'GET / HTTP/1.1\r\n Host: web\r\n\r\n', 400],
  ['space before colon', get('/', 'x : y'), 400],
  ['tab before colon', get('/', 'x\t: y'), 400],
  ['empty name', get('/', ': y'), 400],
  ['no colon', get('/', 'xy'), 400],
  ['NUL in a value', get('/', 'x: a\0b'), 400],
  ['control in a value', get('/', 'x: a\x01b'), 400],
  ['DEL in a value', get('/', 'x: a\x7fb'), 400],
  ['odd name', get('/', 'x(y): a'), 400],
  ['non-ASCII name', get('/', 'x\xe9: a'), 400],
  ['no Host', head('GET / HTTP/1.1', 'x: y'), 400],
  ['two Hosts', get('/', 'Host: web'), 400],
  ...[
    'web:',
    'user@web',
    'web/x',
    'web,other',
    'we b',
    '',
    'web:80:80',
    'web:x',
    'web#',
    '[::1',
    'wéb',
    'web\\x',
    'a%00b',
  ].map(
    (value) =>
      [`Host "${value}"`, head('GET / HTTP/1.1', `Host: ${Buffer.from(value).toString('latin1')}`), 400] as const,
  ),
  ['user info in the target', head('GET http://a@b/ HTTP/1.1', 'Host: web'), 400],
  ['https in the target', head('GET https://b/ HTTP/1.1', 'Host: web'), 400],
  ['relative target', head('GET foo HTTP/1.1', 'Host: web'), 400],
  ['fragment', get('/a#b'), 400],
  ['space in the target', get('/a b'), 400],
  ['NUL in the target', get('/a\0b'), 400],
  ['GET *', get('*'), 400],
  ['CONNECT without port', head('CONNECT web HTTP/1.1', 'Host: web'), 400],
  ['two spaces', head('GET  / HTTP/1.1', 'Host: web'), 400],
  ['tab instead of space', head('GET\t/\tHTTP/1.1', 'Host: web'), 400],
  ['odd method', head('G@T / HTTP/1.1', 'Host: web'), 400],
  ['HTTP/0.9', 'GET /\r\n\r\n', 400],
  ['HTTP/1.1 in lower case', head('GET / http/1.1', 'Host: web'), 400],
  ['HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
  ['HTTP/1.2', head('GET / HTTP/1.2', 'Host: web'), 505],
  ['Expect of something else', get('/', 'Expect: 200-ok'), 417],
  ['more than 100 fields', get('/', ...Array.from({ length: 100 }, (_, i) => `x${i}: y`)), 431],
  ...['', 'x', ' 3', '3 ', '-1', '0x3', '+3', 'ffffffffffffffff', '3\t'].map(
    (size) =>
      [
        `chunk size "${size}"`,
        `${head('POST / HTTP/1.1', 'Host: web', 'Transfer-Encoding: chunked')}${size}\r\nabc\r\n0\r\n\r\n`,
        400,
      ] as const,
  ),
  [
    'chunk with bare LF',
    `${head('POST / HTTP/1.1', 'Host: web', 'Transfer-Encoding: chunked')}3\nabc\r\n0\r\n\r\n`,
    400,
  ],
  [
    'LF in a chunk extension',
    `${head('POST / HTTP/1.1', 'Host: web', 'Transfer-Encoding: chunked')}3;a\nb\r\nabc\r\n0\r\n\r\n`,
    400,
  ],
  [
    'chunk longer than said',
    `${head('POST / HTTP/1.1', 'Host: web', 'Transfer-Encoding: chunked')}3\r\nabcd\r\n0\r\n\r\n`,
    400,
  ],
  ['bad trailer', `${head('POST / HTTP/1.1', 'Host: web', 'Transfer-Encoding: chunked')}0\r\nx : y\r\n\r\n`, 400],
  [
    'bare LF in trailers',
    `${head('POST / HTTP/1.1', 'Host: web', 'Transfer-Encoding: chunked')}0\r\nx: y\n\r\n\r\n`,
    400,
  ],
]

for (const [what, request, status, part] of cases) {
  for (const bytewise of [false, true]) {
    test(`${what}${bytewise ? ', byte by byte' : ''} → ${status}`, async (t) => {
      const { port } = await serve(t, echo)
      const answer = await ask(t, port, request, bytewise)
      assert.equal(statusOfText(answer), status, answer)
      if (part !== undefined) assert.ok(answer.includes(part), answer)
      assert.match(answer, /connection: close\r\n/)
    })
  }
}

const sizes: readonly (readonly [string, string, number])[] = [
  ['a request line of 8 KiB', get(`/${'a'.repeat(8192 - 14)}`, close), 200],
  ['a request line one over', get(`/${'a'.repeat(8192 - 13)}`), 414],
  ['a request line without end', `GET /${'a'.repeat(9000)}`, 414],
  ['a head of 60 KiB', get('/', close, `x: ${'a'.repeat(61_440 - 52)}`), 200],
  ['a head one over', get('/', close, `x: ${'a'.repeat(61_440 - 51)}`), 431],
  ['a head without end', `GET / HTTP/1.1\r\nx: ${'a'.repeat(70_000)}`, 431],
  [
    'a chunk line one over',
    `${head('POST / HTTP/1.1', 'Host: web', 'Transfer-Encoding: chunked')}1;${'a'.repeat(4200)}`,
    400,
  ],
  [
    'trailers one over',
    `${head('POST / HTTP/1.1', 'Host: web', 'Transfer-Encoding: chunked')}0\r\nx: ${'a'.repeat(17_000)}`,
    400,
  ],
]
for (const [what, request, status] of sizes) {
  test(`${what} → ${status}`, async (t) => {
    const { port } = await serve(t, echo)
    assert.equal(statusOfText(await ask(t, port, request, false)), status)
  })
}
