import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { bytesBody, emptyBody, type Body, type Sink } from '../body.ts'
import type { Fault } from '../fault.ts'
import { headerField } from '../headers.ts'
import type { Reply, Service } from '../service.ts'
import { collect, connect, echo, serve } from './testing/raw.ts'

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
  ['no space after colon', head('GET / HTTP/1.1', 'host:web', 'x:y', close), 200, '[x=y]'],
  ['white space around a value', get('/', 'x: \t y z \t', close), 200, '[x=y z]'],
  ['empty value', get('/', 'x:', close), 200, '[x=]'],
  ['obs-text in a value', get('/', 'x: \xe9', close), 200, '[x=\xe9]'],
  ['absolute form outweighs Host', head('GET http://Other:81/p HTTP/1.1', 'Host: web', close), 200, 'GET /p @other:81'],
  ['absolute form without path', head('GET http://other?q HTTP/1.1', 'Host: web', close), 200, 'GET /?q @other'],
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

test('keeps the connection, answers pipelined requests in order, one at a time', async (t) => {
  let inFlight = 0
  const { port, outcomes } = await serve(t, async (call) => {
    assert.equal(++inFlight, 1)
    await new Promise<void>((resolve) => setTimeout(resolve, call.path === '/1' ? 20 : 1))
    inFlight--
    return echo(call)
  })
  const peer = await connect(t, port)
  peer.send(get('/1') + `${head('POST /2 HTTP/1.1', 'Host: web', 'Content-Length: 3')}abc` + get('/3'))
  const text = await peer.until('GET /3')
  assert.ok(text.indexOf('GET /1') < text.indexOf('POST /2') && text.indexOf('POST /2') < text.indexOf('GET /3'))
  assert.equal(text.match(/HTTP\/1\.1 200/g)?.length, 3)
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    [200, 200, 200],
  )
})

test('HTTP/1.0 with keep-alive is kept, without is closed', async (t) => {
  const { port } = await serve(t, echo)
  const peer = await connect(t, port)
  peer.send(head('GET /1 HTTP/1.0', 'Host: web', 'Connection: keep-alive'))
  assert.match(await peer.until('GET /1'), /connection: keep-alive\r\n/)
  peer.send(head('GET /2 HTTP/1.0', 'Host: web'))
  assert.match(await peer.end(), /GET \/2/)
})

/** A body that says its pieces when told to. */
const scripted = (length: number | undefined): { body: Body; sink: () => Sink; cancelled: () => Fault | undefined } => {
  let sink: Sink | undefined
  let cancelled: Fault | undefined
  return {
    body: { length, start: (to) => void (sink = to), resume() {}, cancel: (fault) => void (cancelled = fault) },
    sink: () => sink ?? assert.fail('not started'),
    cancelled: () => cancelled,
  }
}
const replying =
  (reply: Reply): Service =>
  () =>
    Promise.resolve(reply)

test('frames replies: chunks with trailers, to HTTP/1.0 until the end', async (t) => {
  const service: Service = () => {
    const { body, sink } = scripted(undefined)
    setImmediate(() => {
      sink().data(Buffer.from('abc'))
      sink().data(Buffer.alloc(5000, 'd'))
      sink().end([headerField('x-sum', '1')])
    })
    return Promise.resolve({ status: 200, headers: [], body })
  }
  const { port } = await serve(t, service)
  const modern = await connect(t, port)
  modern.send(get('/'))
  const text = await modern.until('x-sum: 1\r\n\r\n')
  assert.ok(
    text.includes(`transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1388\r\n${'d'.repeat(5000)}\r\n0\r\nx-sum: 1\r\n\r\n`),
  )
  const old = await connect(t, port)
  old.send(head('GET / HTTP/1.0', 'Host: web'))
  assert.ok((await old.end()).endsWith(`\r\n\r\nabc${'d'.repeat(5000)}`))
})

test('HEAD, 204 and 304 have no body; a stated length stays', async (t) => {
  const answers: Record<string, Reply> = {
    '/head': { status: 200, headers: [headerField('content-length', '77')], body: emptyBody },
    '/local': { status: 200, headers: [], body: bytesBody(Buffer.from('12345')) },
    '/204': { status: 204, headers: [], body: emptyBody },
    '/304': { status: 304, headers: [headerField('content-length', '9')], body: emptyBody },
  }
  const { port } = await serve(t, (call) => Promise.resolve(answers[call.path] ?? assert.fail()))
  const peer = await connect(t, port)
  peer.send(
    head('HEAD /head HTTP/1.1', 'Host: web') +
      head('HEAD /local HTTP/1.1', 'Host: web') +
      get('/204') +
      get('/304', close),
  )
  assert.equal(
    await peer.end(),
    'HTTP/1.1 200 OK\r\ncontent-length: 77\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n' +
      'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\nconnection: close\r\n\r\n',
  )
})

test('a reply that breaks off is seen as broken', async (t) => {
  for (const length of [10, undefined]) {
    const { body, sink } = scripted(length)
    const { port, outcomes } = await serve(t, replying({ status: 200, headers: [], body }))
    const peer = await connect(t, port)
    peer.send(get('/'))
    while (!peer.text().includes('\r\n\r\n')) {
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    sink().data(Buffer.from('abc'))
    await peer.until('abc')
    sink().fail({
      kind: 'truncated',
      side: 'upstream',
      retry: 'never',
      endpoint: { host: 'x', port: 1 },
      cause: 'reset',
    })
    const text = await peer.end()
    assert.ok(!text.endsWith('0\r\n\r\n'), text)
    assert.equal(outcomes[0]?.fault?.kind, 'truncated')
  }
})

test('a body of another length than announced is never passed off as whole', async (t) => {
  const { body, sink } = scripted(3)
  const { port } = await serve(t, replying({ status: 200, headers: [], body }))
  const peer = await connect(t, port)
  peer.send(get('/'))
  await peer.until('\r\n\r\n')
  sink().data(Buffer.from('abcd'))
  assert.ok(!(await peer.end()).includes('abcd'))
})

test('100 Continue is passed on, and no more than asked after an early answer', async (t) => {
  const { port } = await serve(t, async (call) => {
    call.onInformational?.(100, [])
    return echo(call)
  })
  const peer = await connect(t, port)
  peer.send(head('POST / HTTP/1.1', 'Host: web', 'Content-Length: 2', 'Expect: 100-continue'))
  await peer.until('HTTP/1.1 100 Continue\r\n\r\n')
  peer.send('ok')
  assert.match(await peer.until('ok'), /HTTP\/1\.1 200 OK/)
})

test('an answer before the request has ended says close, and is heard in spite of what still comes', async (t) => {
  const { port, outcomes } = await serve(
    t,
    replying({ status: 413, headers: [], body: bytesBody(Buffer.from('too large')) }),
  )
  const peer = await connect(t, port)
  peer.send(head('POST / HTTP/1.1', 'Host: web', 'Content-Length: 10000000'))
  for (let sent = 0; sent < 20; sent++) peer.send('x'.repeat(10_000))
  const text = await peer.end()
  assert.match(text, /413 Content Too Large\r\ncontent-length: 9\r\nconnection: close\r\n\r\ntoo large$/)
  assert.equal(outcomes.length, 1)
})

test('a client that goes away ends its call', async (t) => {
  let told: Fault | undefined
  let gone = (): void => {}
  const ended = new Promise<void>((resolve) => (gone = resolve))
  const { port, outcomes } = await serve(t, (call) => {
    call.onCancel((fault) => {
      told = fault
      gone()
    })
    return new Promise(() => {})
  })
  const peer = await connect(t, port)
  peer.send(get('/'))
  await new Promise<void>((resolve) => setTimeout(resolve, 10))
  peer.socket.destroy()
  await ended
  assert.equal(told?.kind, 'client-gone')
  await new Promise<void>((resolve) => setImmediate(resolve))
  assert.equal(outcomes[0]?.fault?.kind, 'client-gone')
})

test('a slow reader holds its reply back; memory stays bounded', async (t) => {
  let given = 0
  let paused = 0
  const chunk = Buffer.alloc(65_536)
  const total = 400 * chunk.length
  let sink: Sink | undefined
  const pour = (): void => {
    while (given < total) {
      given += chunk.length
      if (sink?.data(chunk) === false) {
        paused++
        return
      }
    }
    sink?.end()
  }
  const body: Body = {
    length: total,
    start(to) {
      sink = to
      pour()
    },
    resume: pour,
    cancel() {},
  }
  const { port, outcomes } = await serve(t, replying({ status: 200, headers: [], body }))
  const peer = await connect(t, port)
  peer.socket.pause()
  peer.send(get('/', close))
  await new Promise<void>((resolve) => setTimeout(resolve, 100))
  assert.ok(given < 16_000_000, `${given} bytes went to a client that does not read`)
  assert.ok(paused > 0)
  let received = 0
  peer.socket.removeAllListeners('data')
  peer.socket.on('data', (piece: Buffer) => (received += piece.length))
  peer.socket.resume()
  await once(peer.socket, 'end')
  assert.ok(received > total)
  assert.equal(outcomes[0]?.fault, undefined)
})

test('a slow consumer holds the request back', async (t) => {
  let taken = 0
  let resume = (): void => {}
  const { port } = await serve(t, (call) => {
    resume = () => call.body.resume()
    return new Promise((resolve) => {
      call.body.start({
        data(chunk) {
          taken += chunk.length
          return false
        },
        end: () => resolve({ status: 200, headers: [], body: emptyBody }),
        fail() {},
      })
    })
  })
  const peer = await connect(t, port)
  const total = 8_000_000
  peer.send(head('POST / HTTP/1.1', 'Host: web', `Content-Length: ${total}`, close))
  const flushed = new Promise<void>((resolve) => peer.socket.write(Buffer.alloc(total), () => resolve()))
  await new Promise<void>((resolve) => setTimeout(resolve, 100))
  assert.ok(taken < 200_000, `${taken} bytes were taken while paused`)
  const pump = setInterval(() => resume(), 0)
  t.after(() => clearInterval(pump))
  await flushed
  await peer.end()
  assert.equal(taken, total)
})

test('an upgrade becomes a tunnel both ways, each end on its own', async (t) => {
  const service: Service = (call) => {
    assert.equal(call.upgrade, 'websocket')
    const { body, sink } = scripted(undefined)
    return Promise.resolve({
      status: 101,
      headers: [headerField('sec-websocket-accept', 'x')],
      body: emptyBody,
      tunnel: {
        incoming: body,
        send: (outgoing) =>
          outgoing.start({
            data: (chunk) => sink().data(Buffer.from(chunk.toString('latin1').toUpperCase())),
            end: () => {
              sink().data(Buffer.from('bye'))
              sink().end()
            },
            fail() {},
          }),
      },
    })
  }
  const { port, outcomes } = await serve(t, service)
  const peer = await connect(t, port)
  peer.send(get('/', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: k') + 'early')
  const text = await peer.until('EARLY')
  assert.match(
    text,
    /101 Switching Protocols\r\nsec-websocket-accept: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nEARLY$/,
  )
  peer.send('more')
  await peer.until('MORE')
  peer.socket.end()
  assert.ok((await peer.end()).endsWith('MOREbye'))
  while (outcomes.length === 0) await new Promise<void>((resolve) => setImmediate(resolve))
  assert.deepEqual(outcomes, [{ status: 101, fault: undefined }])
})

test('an upgrade to h2c is not offered', async (t) => {
  const { port } = await serve(t, (call) => {
    assert.equal(call.upgrade, undefined)
    return echo(call)
  })
  const peer = await connect(t, port)
  peer.send(get('/', 'Connection: Upgrade, HTTP2-Settings, close', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'))
  assert.match(await peer.end(), /GET \/ @web:80 \[\]/)
})

test('drain closes idle connections and lets the call in flight answer with close', async (t) => {
  const { port, connections } = await serve(t, async (call) => {
    await new Promise<void>((resolve) => setTimeout(resolve, 30))
    return echo(call)
  })
  const idle = await connect(t, port)
  idle.send(get('/'))
  await idle.until('GET /')
  const busy = await connect(t, port)
  busy.send(get('/slow'))
  while (connections.length < 2) await new Promise<void>((resolve) => setImmediate(resolve))
  await new Promise<void>((resolve) => setTimeout(resolve, 5))
  for (const connection of connections) connection.drain()
  await idle.end()
  assert.match(await busy.end(), /connection: close\r\n\r\nGET \/slow/)
})

test('deadlines: head, idle, silent call', async (t) => {
  const slow = await serve(t, echo, { headersTimeoutMs: 30 })
  const dripping = await connect(t, slow.port)
  dripping.send('GET / HTTP/1.1\r\n')
  await dripping.end()
  const lazy = await serve(t, echo, { idleTimeoutMs: 30 })
  await (await connect(t, lazy.port)).end()
  const mute = await serve(t, (call) => new Promise((resolve) => call.onCancel(resolve)), { streamIdleTimeoutMs: 50 })
  const waiting = await connect(t, mute.port)
  waiting.send(get('/', close))
  assert.match(await waiting.end(), /504 Gateway Timeout/)
})

test('a broken request body ends the call with its fault', async (t) => {
  const { port, outcomes } = await serve(t, async (call) => {
    const { fault } = await collect(call.body)
    return fault ?? assert.fail('no fault')
  })
  const peer = await connect(t, port)
  peer.send(`${head('POST / HTTP/1.1', 'Host: web', 'Transfer-Encoding: chunked')}zz\r\n`)
  assert.match(await peer.end(), /400 Bad Request[\s\S]*the request body is broken: no chunk size/)
  assert.equal(outcomes[0]?.fault?.kind, 'bad-request')
})
