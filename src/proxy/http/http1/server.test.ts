import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { bytesBody, emptyBody, type Body, type Sink } from '../body.ts'
import type { Fault } from '../fault.ts'
import { headerField } from '../headers.ts'
import type { Reply, Service } from '../service.ts'
import { collect, connect, echo, ends, serve } from './testing/raw.ts'

const head = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`
const get = (path: string, ...more: string[]): string => head(`GET ${path} HTTP/1.1`, 'Host: Web:80', ...more)

const close = 'Connection: close'

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

test('a client that asks faster than it is answered has to wait, and is answered in the end', async (t) => {
  let answer = (): void => {}
  const first = new Promise<void>((resolve) => (answer = resolve))
  const { port, outcomes } = await serve(t, async () => {
    await first
    return { status: 204, headers: [], body: emptyBody }
  })
  const { socket } = await connect(t, port)
  socket.resume()
  const asked = 1000
  let sent = 0
  const more = (): void => {
    while (sent < asked) {
      sent++
      if (!socket.write(get('/', `x: ${'y'.repeat(50_000)}`))) return void socket.once('drain', more)
    }
  }
  more()
  for (let before = -1; before !== sent;) {
    before = sent
    await new Promise<void>((resolve) => setTimeout(resolve, 200))
  }
  // What fits into the kernel's buffers, and no more.
  assert.ok(sent < asked / 2, `${sent} requests have been taken`)
  answer()
  while (outcomes.length < asked) await new Promise<void>((resolve) => setTimeout(resolve, 10))
  assert.ok(outcomes.every(({ status }) => status === 204))
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
  const { port, outcomes } = await serve(t, service)
  const modern = await connect(t, port)
  modern.send(get('/'))
  const text = await modern.until('x-sum: 1\r\n\r\n')
  assert.ok(
    text.includes(`transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1388\r\n${'d'.repeat(5000)}\r\n0\r\nx-sum: 1\r\n\r\n`),
  )
  assert.equal(outcomes[0]?.reply?.status, 200)
  assert.equal(outcomes[0]?.trailers?.[0]?.name, 'x-sum')
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

test('after the last words the connection is cut, though not while they are still being read', async (t) => {
  const { port, connections } = await serve(
    t,
    replying({ status: 200, headers: [], body: bytesBody(Buffer.alloc(8_000_000)) }),
  )
  const peer = await connect(t, port)
  peer.socket.removeAllListeners('data').pause()
  peer.send(get('/', close))
  await new Promise<void>((resolve) => setTimeout(resolve, 2300))
  assert.equal(connections.length, 1)
  let received = 0
  peer.socket.on('data', (piece: Buffer) => (received += piece.length)).resume()
  await once(peer.socket, 'end')
  assert.ok(received > 8_000_000, `${received}`)
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
  assert.deepEqual(outcomes.map(ends), [{ status: 101, fault: undefined }])
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
  for (const connection of connections) connection.drain(false)
  await idle.end()
  assert.match(await busy.end(), /connection: close\r\n\r\nGET \/slow/)
})

test('drained patiently, an idle connection carries one more call, whose reply says that it is the last', async (t) => {
  const { port, connections } = await serve(t, echo)
  const idle = await connect(t, port)
  idle.send(get('/1'))
  await idle.until('GET /1')
  assert.deepEqual(
    connections.map(({ drained }) => drained),
    [false],
  )
  for (const connection of connections) connection.drain(true)
  assert.deepEqual(
    connections.map(({ drained }) => drained),
    [true],
  )
  idle.send(get('/2'))
  assert.match(await idle.end(), /connection: close\r\n\r\nGET \/2/)
})

test('drained patiently in the middle of a reply that promised to keep the connection, it keeps it for one more call', async (t) => {
  const { body, sink } = scripted(3)
  const { port, connections } = await serve(t, (call) =>
    call.path === '/1' ? Promise.resolve({ status: 200, headers: [], body }) : echo(call),
  )
  const client = await connect(t, port)
  client.send(get('/1'))
  await client.until('content-length: 3')
  connections[0]?.drain(true)
  sink().data(Buffer.from('abc'))
  sink().end()
  await client.until('abc')
  client.send(get('/2'))
  assert.match(await client.end(), /abcHTTP\/1\.1 200 OK[\s\S]*connection: close\r\n\r\nGET \/2/)
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

test('a request that is not here in time is answered 408, whatever of it is missing; one that is here may take its time', async (t) => {
  const untilCancelled: Service = (call) => new Promise((resolve) => call.onCancel(resolve))
  const { port, outcomes } = await serve(t, untilCancelled, { requestTimeoutMs: 60 })
  const noHead = await connect(t, port)
  noHead.send('GET / HTTP/1.1\r\n')
  const noBody = await connect(t, port)
  noBody.send(`${head('POST / HTTP/1.1', 'Host: web', 'Content-Length: 3')}ab`)
  assert.match(await noHead.end(), /^HTTP\/1\.1 408 Request Timeout[\s\S]*not complete within 60 ms/)
  assert.match(await noBody.end(), /^HTTP\/1\.1 408 Request Timeout[\s\S]*connection: close/)
  assert.equal(outcomes[0]?.status, 408)
  const slowReply = await serve(t, (call) => new Promise((resolve) => setTimeout(() => resolve(echo(call)), 150)), {
    requestTimeoutMs: 40,
  })
  const patient = await connect(t, slowReply.port)
  patient.send(`${head('POST / HTTP/1.1', 'Host: web', close, 'Content-Length: 3')}abc`)
  assert.match(await patient.end(), /200 OK/)
  // Once it is answered, what still comes of it is another matter.
  const early = await serve(t, () => Promise.resolve({ status: 200, headers: [], body: bytesBody(Buffer.from('x')) }), {
    requestTimeoutMs: 40,
  })
  const answered = await connect(t, early.port)
  answered.send(`${head('POST / HTTP/1.1', 'Host: web', 'Content-Length: 3')}a`)
  assert.match(await answered.end(), /^HTTP\/1\.1 200 OK[^H]*$/)
})

test('a call whose request never ends, and that may last no longer, is the client’s delay', async (t) => {
  const fault: Fault = { kind: 'timeout', side: 'upstream', retry: 'if-idempotent', what: 'stream', timeoutMs: 9 }
  const { port } = await serve(t, () => Promise.resolve(fault))
  const unfinished = await connect(t, port)
  unfinished.send(`${head('POST / HTTP/1.1', 'Host: web', 'Content-Length: 3')}ab`)
  assert.match(await unfinished.end(), /^HTTP\/1\.1 408/)
  const whole = await connect(t, port)
  whole.send(get('/', close))
  assert.match(await whole.end(), /^HTTP\/1\.1 504/)
})

test('HTTP/1.0 without Host is for the default host; with it, and over 1.1, that means nothing', async (t) => {
  const { port } = await serve(t, echo, { defaultHost: 'old.example' })
  const ask = async (...lines: string[]): Promise<string> => {
    const peer = await connect(t, port)
    peer.send(head(...lines))
    return peer.end()
  }
  assert.match(await ask('GET / HTTP/1.0'), /200 OK[\s\S]*@old\.example/)
  assert.match(await ask('GET / HTTP/1.0', 'Host: web'), /@web/)
  assert.match(await ask('GET / HTTP/1.1'), /400 Bad Request/)
})

test('names of replies’ fields in words, or as they came', async (t) => {
  const named: Service = () => {
    const headers = [
      headerField('x-lower', '1'),
      { ...headerField('x-odd', '2'), rawName: 'X-oDD', line: 'X-oDD: 2\r\n' },
    ]
    return Promise.resolve({ status: 200, headers, body: bytesBody(Buffer.from('a: b')) })
  }
  for (const [headerCase, expected] of [
    ['words', 'X-Lower: 1\r\nX-Odd: 2\r\nContent-Length: 4\r\nConnection: close\r\n\r\na: b'],
    ['kept', 'x-lower: 1\r\nX-oDD: 2\r\nContent-Length: 4\r\nConnection: close\r\n\r\na: b'],
    [undefined, 'x-lower: 1\r\nX-oDD: 2\r\ncontent-length: 4\r\nconnection: close\r\n\r\na: b'],
  ] as const) {
    const { port } = await serve(t, named, { headerCase })
    const peer = await connect(t, port)
    peer.send(get('/', close))
    assert.equal(await peer.end(), `HTTP/1.1 200 OK\r\n${expected}`)
  }
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
