import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2, { type ServerHttp2Stream } from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../../base/clock.ts'
import { createSweeper } from '../../../base/sweeper.ts'
import { bytesBody, type Body, type Sink } from '../body.ts'
import type { Fault } from '../fault.ts'
import { headerField, headerValue } from '../headers.ts'
import { collect, listen, testCall } from '../http1/testing/raw.ts'
import { isFault, type Call, type Reply } from '../service.ts'
import { http2Client, type Http2ClientConnection } from './client.ts'
import { frame, RawHttp2, settingsFrame, word } from './testing/raw.ts'
import { errorCode, flag, frameType, preface } from './wire.ts'

/** A codec connection to a port; `events` notes "closed". */
async function client(
  t: TestContext,
  port: number,
  keepAliveMs = 0,
  more: Partial<Parameters<typeof http2Client>[1]> = {},
): Promise<{ connection: Http2ClientConnection; events: string[] }> {
  const sweeper = createSweeper(systemClock, 20)
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  t.after(() => {
    socket.destroy()
    sweeper.close()
  })
  await once(socket, 'connect')
  const events: string[] = []
  const connection = http2Client(socket, {
    endpoint: { host: '127.0.0.1', port },
    sweeper,
    changed() {},
    closed: () => events.push('closed'),
    keepAliveMs,
    ...more,
  })
  return { connection, events }
}

/** A server that says exactly what it is told to. */
async function rawServer(t: TestContext, keepAliveMs = 0) {
  let peer: RawHttp2 | undefined
  const port = await listen(t, (socket) => (peer = new RawHttp2(socket, preface.length)))
  const { connection, events } = await client(t, port, keepAliveMs)
  while (peer === undefined) await new Promise<void>((resolve) => setImmediate(resolve))
  peer.send(settingsFrame([[8, 1]]))
  return { peer, connection, events }
}

const reply = (answer: Reply | Fault): Reply => (isFault(answer) ? assert.fail(answer.kind) : answer)
const fault = (answer: Reply | Fault): Fault => (isFault(answer) ? answer : assert.fail(`${answer.status}`))
const post = (more: Partial<Call> = {}): ReturnType<typeof testCall> =>
  testCall({ method: 'POST', body: bytesBody(Buffer.from('hello')), ...more })

test('speaks with a foreign server: many calls at once, bodies and trailers', async (t) => {
  const server = http2.createServer()
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    let text = ''
    stream.on('data', (chunk: Buffer) => void (text += chunk.toString()))
    stream.on('end', () => {
      stream.respond({ ':status': 200, 'x-path': headers[':path'] }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': String(text.length) }))
      stream.end(
        `${headers[':method']} ${headers[':authority']} ${String(headers['x-a'])} ${headers['content-length']} ${text}`,
      )
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { connection } = await client(t, (server.address() as AddressInfo).port)
  await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const call = post({ path: `/${index}`, headers: [headerField('x-a', `${index}`)] })
      const { status, headers, body } = reply(await connection.send(call))
      const { text, trailers } = await collect(body)
      assert.deepEqual([status, headerValue(headers, 'x-path')], [200, `/${index}`])
      assert.equal(text, `POST web ${index} 5 hello`)
      assert.match(JSON.stringify(trailers), /"value":"5"/)
    }),
  )
  assert.equal(connection.active, 0)
  const head = reply(await connection.send(testCall({ method: 'GET' })))
  assert.equal((await collect(head.body)).text, 'GET web undefined undefined ')
  connection.destroy()
})

test('room follows what the server allows', async (t) => {
  const { peer, connection } = await rawServer(t)
  const room = (): number => connection.room
  assert.equal(room(), 100)
  peer.send(settingsFrame([[3, 2]]))
  while (room() !== 2) await new Promise<void>((resolve) => setImmediate(resolve))
  void connection.send(testCall())
  assert.deepEqual([room(), connection.active], [1, 1])
})

test('what the server did not look at may be tried again; what it did may not', async (t) => {
  const { peer, connection, events } = await rawServer(t)
  const answers = Array.from({ length: 4 }, () => connection.send(post()))
  await peer.until(() => peer.heads.size === 4)
  peer.send(frame(frameType.rstStream, 0, 1, word(errorCode.refusedStream)))
  peer.send(frame(frameType.rstStream, 0, 3, word(errorCode.internal)))
  peer.send(frame(frameType.goAway, 0, 0, Buffer.concat([word(5), word(0)])))
  const [refused, reset, , unseen] = answers
  assert.equal(fault(await (refused ?? assert.fail())).kind, 'not-processed')
  const broken = fault(await (reset ?? assert.fail()))
  assert.ok(broken.kind === 'reset' && broken.sentBytes > 5)
  assert.equal(fault(await (unseen ?? assert.fail())).kind, 'not-processed')
  assert.equal(connection.room, 0)
  assert.deepEqual(events, [])
  peer.send(frame(frameType.headers, flag.endHeaders | flag.endStream, 5, peer.block({ ':status': '200' })))
  assert.equal(reply(await (answers[2] ?? assert.fail())).status, 200)
  await peer.end()
  assert.deepEqual(events, ['closed'])
})

test('a connection that is lost: unanswered calls are reset, begun answers truncated', async (t) => {
  const { peer, connection } = await rawServer(t)
  const first = connection.send(testCall())
  const second = connection.send(testCall())
  await peer.until(() => peer.heads.size === 2)
  peer.send(peer.headers(1, { ':status': '200' }, false), peer.data(1, 'abc'))
  const begun = collect(reply(await first).body)
  peer.socket.destroy()
  const { text, fault: cut } = await begun
  assert.deepEqual([text, cut?.kind], ['abc', 'truncated'])
  assert.equal(fault(await second).kind, 'reset')
})

test('replies that are none', async (t) => {
  const { peer, connection } = await rawServer(t)
  const bad: Record<string, readonly [Readonly<Record<string, string>>, boolean]> = {
    'no status': [{ 'x-a': '1' }, true],
    'a status of four digits': [{ ':status': '2000' }, true],
    'a status of zero': [{ ':status': '000' }, true],
    '101': [{ ':status': '101' }, false],
    'a path': [{ ':status': '200', ':path': '/' }, true],
    connection: [{ ':status': '200', connection: 'close' }, true],
    'a length without DATA': [{ ':status': '200', 'content-length': '3' }, true],
    'an informational end': [{ ':status': '103' }, true],
  }
  let id = -1
  for (const [what, [fields, end]] of Object.entries(bad)) {
    id += 2
    const answer = connection.send(testCall())
    const one = id
    await peer.until(() => peer.heads.has(one))
    peer.send(peer.headers(one, fields, end))
    assert.equal(fault(await answer).kind, 'bad-reply', what)
    await peer.until(() => peer.error(one) === 'PROTOCOL_ERROR')
  }
  for (const end of [true, false]) {
    const early = connection.send(testCall())
    id += 2
    await peer.until(() => peer.heads.has(id))
    peer.send(peer.data(id, 'body first', end))
    assert.equal(fault(await early).kind, 'bad-reply', 'DATA before the head')
  }
  const answer = connection.send(testCall())
  id += 2
  await peer.until(() => peer.heads.has(id))
  for (let count = 0; count < 11; count++) peer.send(peer.headers(id, { ':status': '103' }, false))
  assert.equal(fault(await answer).kind, 'bad-reply')
  // A reply that is shorter or longer than it says is never one that looks complete.
  for (const text of ['ab', 'abcd']) {
    const next = connection.send(testCall())
    id += 2
    await peer.until(() => peer.heads.has(id))
    peer.send(peer.headers(id, { ':status': '200', 'content-length': '3' }, false), peer.data(id, text, true))
    const { fault: broken } = await collect(reply(await next).body)
    assert.equal(broken?.kind, 'truncated')
  }
})

test('the tenth informational reply is passed on; HEAD keeps the length that it states', async (t) => {
  const { peer, connection } = await rawServer(t)
  const seen: number[] = []
  const answer = connection.send(testCall({ method: 'HEAD', onInformational: (status) => void seen.push(status) }))
  await peer.until(() => peer.heads.has(1))
  for (let count = 0; count < 10; count++) peer.send(peer.headers(1, { ':status': '103' }, false))
  peer.send(peer.headers(1, { ':status': '200', 'content-length': '7' }, true))
  const { headers, body } = reply(await answer)
  assert.deepEqual([seen.length, headerValue(headers, 'content-length'), body.length], [10, '7', 0])
})

test('an early answer ends the request; a cancelled call is reset, and its body let go', async (t) => {
  const { peer, connection } = await rawServer(t)
  const bodies = [0, 1].map(() => {
    const seen = { cancelled: undefined as Fault | undefined, sink: undefined as Sink | undefined }
    const body: Body = {
      length: undefined,
      start: (sink) => void (seen.sink = sink),
      resume() {},
      cancel: (why) => void (seen.cancelled = why),
    }
    return { body, seen }
  })
  const first = connection.send(post({ body: bodies[0]?.body ?? assert.fail() }))
  await peer.until(() => peer.heads.has(1))
  peer.send(peer.headers(1, { ':status': '413' }, true))
  assert.equal(reply(await first).status, 413)
  await peer.until(() => peer.error(1) !== undefined)
  assert.ok(bodies[0]?.seen.cancelled !== undefined)
  assert.equal(connection.active, 0)

  const call = post({ body: bodies[1]?.body ?? assert.fail() })
  const second = connection.send(call)
  call.cancel({ kind: 'client-gone', side: 'downstream', retry: 'never', cause: 'left' })
  assert.equal(fault(await second).kind, 'client-gone')
  await peer.until(() => peer.error(3) === 'CANCEL')
  assert.ok(bodies[1]?.seen.cancelled !== undefined)
})

test('te: trailers goes with gRPC, the window of a reply is given back as it is read', async (t) => {
  const { peer, connection } = await rawServer(t)
  const answer = connection.send(testCall({ headers: [headerField('content-type', 'application/grpc+proto')] }))
  await peer.until(() => peer.heads.has(1))
  assert.equal(peer.heads.get(1)?.[0]?.['te'], 'trailers')
  peer.send(peer.headers(1, { ':status': '200' }, false))
  let got = 0
  reply(await answer).body.start({ data: (chunk) => (got += chunk.length) > 0, end() {}, fail() {} })
  for (let count = 0; count < 40; count++) peer.send(peer.data(1, Buffer.alloc(16_384)))
  await peer.until(() => peer.frames.some((one) => one.type === frameType.windowUpdate && one.id === 1))
  assert.ok(got >= 524_288)
})

test('an upgrade is an extended CONNECT, its key is answered', async (t) => {
  const { peer, connection } = await rawServer(t)
  const key = headerField('sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ==')
  const answer = connection.send(testCall({ upgrade: 'websocket', path: '/chat', headers: [key] }))
  await peer.until(() => peer.heads.has(1))
  const head = peer.heads.get(1)?.[0]
  assert.deepEqual([head?.[':method'], head?.[':protocol'], head?.[':path']], ['CONNECT', 'websocket', '/chat'])
  peer.send(peer.headers(1, { ':status': '200' }, false), peer.data(1, 'hi', true))
  const { status, headers, tunnel } = reply(await answer)
  assert.equal(status, 101)
  assert.equal(headerValue(headers, 'sec-websocket-accept'), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  assert.equal((await collect(tunnel?.incoming ?? assert.fail())).text, 'hi')
  tunnel?.send(bytesBody(Buffer.from('bye')))
  await peer.until(() => peer.ended(1))
  assert.equal(peer.body(1), 'bye')
  assert.equal(connection.active, 0)
})

test('a server that neither speaks nor answers PING is given up', async (t) => {
  const { peer, connection } = await rawServer(t, 40)
  void connection.send(testCall())
  await peer.until(() => peer.count(frameType.ping) > 0)
  connection.destroy()
})

test('a server is asked whether it lives without calls too, where that is wanted, and given up at its time', async (t) => {
  let heard: RawHttp2 | undefined
  const port = await listen(t, (socket) => (heard = new RawHttp2(socket, preface.length)))
  const gone = Promise.withResolvers<void>()
  const { connection } = await client(t, port, 40, { asksIdle: true, pongMs: 40, closed: () => gone.resolve() })
  assert.equal(connection.active, 0)
  await gone.promise
  assert.ok((heard?.count(frameType.ping) ?? 0) > 0)
})
