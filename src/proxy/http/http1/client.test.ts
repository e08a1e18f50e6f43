import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { bytesBody, type Sink } from '../body.ts'
import type { Fault } from '../fault.ts'
import { headerField, headerValue } from '../headers.ts'
import { isFault, type Call, type Reply } from '../service.ts'
import { client, collect, listen, rawPeer, testCall, type RawPeer } from './testing/raw.ts'

/** A raw server that answers the first request with `answer`, then tells `answered`, and a codec connection to it. */
async function against(
  t: TestContext,
  answer: string,
  {
    bytewise = false,
    end = false,
    call = testCall(),
    answered,
  }: { bytewise?: boolean; end?: boolean; call?: Call; answered?: () => void } = {},
): Promise<{ answer: Reply | Fault; request: string; events: string[]; usable: () => boolean; peer: RawPeer }> {
  const peers: RawPeer[] = []
  const port = await listen(t, (socket) => {
    const peer = rawPeer(socket)
    peers.push(peer)
    void peer.until('\r\n\r\n').then(
      async () => {
        if (!bytewise) peer.send(answer)
        else {
          for (const byte of answer) {
            if (socket.destroyed) break
            peer.send(byte)
            await new Promise<void>((resolve) => setImmediate(resolve))
          }
        }
        if (end) socket.end()
        answered?.()
      },
      () => {},
    )
  })
  const { connection, events } = await client(t, port)
  const got = await connection.send(call)
  const [peer] = peers
  assert.ok(peer !== undefined)
  return { answer: got, request: peer.text(), events, usable: () => connection.usable, peer }
}

const ok = 'HTTP/1.1 200 OK\r\n'
/** [what, the reply's bytes, status and body, is the connection good for another call]. Each whole and byte by byte. */
const good: readonly (readonly [string, string, string, boolean])[] = [
  ['content-length', `${ok}Content-Length: 5\r\n\r\nhello`, '200 hello', true],
  ['no body', `${ok}Content-Length: 0\r\n\r\n`, '200 ', true],
  ['chunked', `${ok}Transfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\nx: y\r\n\r\n`, '200 abcde', true],
  ['no reason', 'HTTP/1.1 299\r\nContent-Length: 1\r\n\r\nx', '299 x', true],
  ['204', 'HTTP/1.1 204 No Content\r\n\r\n', '204 ', true],
  ['304 with a length', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', '304 ', true],
  ['informational before', `HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${ok}Content-Length: 1\r\n\r\nx`, '200 x', true],
  ['close said', `${ok}Connection: close\r\nContent-Length: 1\r\n\r\nx`, '200 x', false],
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx', '200 x', false],
  ['something unasked behind', `${ok}Content-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n\r\n`, '200 x', false],
]
for (const [what, bytes, expected, reusable] of good) {
  for (const bytewise of [false, true]) {
    test(`reply: ${what}${bytewise ? ', byte by byte' : ''}`, async (t) => {
      const { answer, usable } = await against(t, bytes, { bytewise })
      assert.ok(!isFault(answer), JSON.stringify(answer))
      const { text, fault } = await collect(answer.body)
      assert.equal(fault, undefined)
      assert.equal(`${answer.status} ${text}`, expected)
      await new Promise<void>((resolve) => setTimeout(resolve, 5))
      assert.equal(usable(), reusable)
    })
  }
}

const bad: readonly (readonly [string, string])[] = [
  ['CL and TE', `${ok}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['CL twice', `${ok}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`],
  ['CL odd', `${ok}Content-Length: +5\r\n\r\nhello`],
  ['TE odd', `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
  ['TE in 1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
  ['folded', `${ok}x: y\r\n z\r\n\r\n`],
  ['space before colon', `${ok}x : y\r\n\r\n`],
  ['NUL', `${ok}x: \0\r\n\r\n`],
  ['status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
  ['status below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
  ['status 000', 'HTTP/1.1 000 OK\r\n\r\n'],
  ['status 600', 'HTTP/1.1 600 OK\r\n\r\n'],
  ['no HTTP', 'SSH-2.0-x\r\n\r\n'],
  ['HTTP/2', 'HTTP/2 200\r\n\r\n'],
  ['unasked 101', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'],
  ['too many 1xx', `${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(11)}${ok}\r\n`],
  ['head too long', `${ok}x: ${'y'.repeat(70_000)}`],
]
for (const [what, bytes] of bad) {
  test(`bad reply: ${what}`, async (t) => {
    const { answer, usable } = await against(t, bytes)
    assert.ok(isFault(answer) && answer.kind === 'bad-reply', JSON.stringify(answer))
    assert.equal(usable(), false)
  })
}

test('a reply until the end of the connection, also when it is read late', async (t) => {
  for (const waitMs of [0, 20]) {
    const { answer, usable } = await against(t, `${ok}\r\nall of it`, { end: true })
    assert.ok(!isFault(answer))
    await new Promise<void>((resolve) => setTimeout(resolve, waitMs))
    assert.deepEqual(await collect(answer.body), { text: 'all of it' })
    assert.equal(usable(), false)
  }
})

test('a server that closes behind a whole reply takes nothing from who reads it late', async (t) => {
  for (const [bytes, expected] of [
    [`${ok}Content-Length: 5\r\n\r\nhello`, { text: 'hello' }],
    [`${ok}Content-Length: 5\r\nConnection: close\r\n\r\nhello`, { text: 'hello' }],
    [`${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, { text: 'hello' }],
  ] as const) {
    const { answer, usable } = await against(t, bytes, { end: true })
    assert.ok(!isFault(answer))
    await new Promise<void>((resolve) => setTimeout(resolve, 20))
    assert.deepEqual(await collect(answer.body), expected)
    assert.equal(usable(), false)
  }
  const { answer } = await against(t, `${ok}Content-Length: 9\r\n\r\nhello`, { end: true })
  assert.ok(!isFault(answer))
  await new Promise<void>((resolve) => setTimeout(resolve, 20))
  const { text, fault } = await collect(answer.body)
  assert.deepEqual([text, fault?.kind], ['hello', 'truncated'])
})

test('a reply cut off is truncated, before the head a reset', async (t) => {
  for (const framing of ['Content-Length: 9', 'Transfer-Encoding: chunked']) {
    const { answer } = await against(t, `${ok}${framing}\r\n\r\n3\r\nabc\r\n`, { end: true })
    assert.ok(!isFault(answer))
    const { fault } = await collect(answer.body)
    assert.equal(fault?.kind, framing.startsWith('C') ? 'truncated' : 'truncated')
  }
  const { answer } = await against(t, 'HTTP/1.1 2', { end: true })
  assert.ok(isFault(answer) && answer.kind === 'reset' && answer.sentBytes > 0, JSON.stringify(answer))
})

test('writes requests in normal form', async (t) => {
  const get = await against(t, `${ok}Content-Length: 0\r\n\r\n`, {
    call: testCall({ headers: [headerField('x', 'y')] }),
  })
  assert.equal(get.request, 'GET / HTTP/1.1\r\nhost: web\r\nx: y\r\n\r\n')
  const empty = await against(t, `${ok}Content-Length: 0\r\n\r\n`, { call: testCall({ method: 'POST' }) })
  assert.match(empty.request, /content-length: 0\r\n/)
  const post = await against(t, `${ok}Content-Length: 0\r\n\r\n`, {
    call: testCall({ method: 'POST', body: bytesBody(Buffer.from('abc')) }),
  })
  assert.ok(post.request.endsWith('content-length: 3\r\n\r\nabc'))
  const streamed = await against(t, `${ok}Content-Length: 0\r\n\r\n`, {
    call: testCall({
      method: 'POST',
      body: { ...bytesBody(Buffer.from('abc')), length: undefined },
    }),
  })
  assert.ok(streamed.request.endsWith('transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'), streamed.request)
})

test('HEAD keeps the length that was stated and reads no body', async (t) => {
  const { answer, usable } = await against(t, `${ok}Content-Length: 9\r\n\r\n`, { call: testCall({ method: 'HEAD' }) })
  assert.ok(!isFault(answer))
  assert.equal(headerValue(answer.headers, 'content-length'), '9')
  assert.equal(answer.body.length, 0)
  assert.equal(usable(), true)
})

test('an early answer stops the upload and gives up the connection', async (t) => {
  let cancelled: Fault | undefined
  let sink: Sink | undefined
  const call = testCall({
    method: 'POST',
    body: {
      length: 1_000_000,
      start: (to) => void (sink = to),
      resume() {},
      cancel: (fault) => void (cancelled = fault),
    },
  })
  const { answer, usable, events } = await against(t, 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno', {
    call,
  })
  assert.ok(!isFault(answer))
  assert.ok(sink !== undefined)
  assert.deepEqual(await collect(answer.body), { text: 'no' })
  assert.equal(cancelled?.kind, 'client-gone')
  assert.equal(usable(), false)
  assert.deepEqual(events, ['closed'])
})

test('cancel tears the call down: fault before the head, truncation after it', async (t) => {
  const fault: Fault = { kind: 'timeout', side: 'upstream', retry: 'if-idempotent', what: 'request', timeoutMs: 5 }
  const early = testCall()
  const before = await against(t, '', { call: early, answered: () => early.cancel(fault) })
  assert.equal(before.answer, fault)
  assert.deepEqual(before.events, ['closed'])
  const late = testCall()
  const { answer } = await against(t, `${ok}Content-Length: 9\r\n\r\nabc`, { call: late })
  assert.ok(!isFault(answer))
  const body = collect(answer.body)
  late.cancel(fault)
  assert.deepEqual(await body, { text: 'abc', fault })
})

test('an upgrade opens a tunnel', async (t) => {
  const { answer, request, peer } = await against(
    t,
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nx: y\r\n\r\nhello',
    { call: testCall({ upgrade: 'websocket' }) },
  )
  assert.match(request, /connection: upgrade\r\nupgrade: websocket\r\n/)
  assert.ok(!isFault(answer) && answer.tunnel !== undefined)
  const { tunnel } = answer
  assert.deepEqual(
    answer.headers.map(({ name }) => name),
    ['x'],
  )
  const heard = collect(tunnel.incoming)
  tunnel.send(bytesBody(Buffer.from('out')))
  assert.ok((await peer.end()).endsWith('out'))
  peer.socket.end(' bye')
  assert.deepEqual(await heard, { text: 'hello bye' })
})

test('a server that closes an idle connection makes it unusable before anything is written', async (t) => {
  const { answer, usable, events, peer } = await against(t, `${ok}Content-Length: 0\r\n\r\n`)
  assert.ok(!isFault(answer))
  assert.equal(usable(), true)
  peer.socket.end()
  while (!events.includes('closed')) await new Promise<void>((resolve) => setImmediate(resolve))
  assert.equal(usable(), false)
})

test('a slow consumer holds the reply back', async (t) => {
  let sent = 0
  const port = await listen(t, (socket) => {
    socket.once('data', () => {
      socket.write(`${ok}Content-Length: 50000000\r\n\r\n`)
      const chunk = Buffer.alloc(65_536)
      const pour = (): void => {
        while (sent < 50_000_000) {
          sent += chunk.length
          if (!socket.write(chunk)) return void socket.once('drain', pour)
        }
      }
      pour()
    })
  })
  const { connection } = await client(t, port)
  const answer = await connection.send(testCall())
  assert.ok(!isFault(answer))
  let taken = 0
  answer.body.start({
    data(chunk) {
      taken += chunk.length
      return false
    },
    end() {},
    fail() {},
  })
  await new Promise<void>((resolve) => setTimeout(resolve, 100))
  assert.ok(taken < 200_000 && sent < 20_000_000, `${taken} taken, ${sent} sent`)
  answer.body.cancel({ kind: 'client-gone', side: 'downstream', retry: 'never', cause: 'test' })
  assert.equal(connection.usable, false)
})
