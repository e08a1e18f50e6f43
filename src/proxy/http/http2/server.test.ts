import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import { test } from 'node:test'
import { bytesBody, emptyBody, type Body, type Sink } from '../body.ts'
import type { Fault } from '../fault.ts'
import { headerField } from '../headers.ts'
import { collect, echo, ends } from '../http1/testing/raw.ts'
import type { Reply, Service } from '../service.ts'
import { connectHttp2, frame, request, serve, settingsFrame, word } from './testing/raw.ts'
import { flag, frameType, preface } from './wire.ts'

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** A body that says its pieces when told to. */
function scripted(length: number | undefined) {
  let sink: Sink | undefined
  const seen = { cancelled: undefined as Fault | undefined, resumed: 0 }
  const body: Body = {
    length,
    start: (to) => void (sink = to),
    resume: () => void seen.resumed++,
    cancel: (fault) => void (seen.cancelled = fault),
  }
  return { body, seen, sink: () => sink ?? assert.fail('not started') }
}
const replying =
  (reply: Reply): Service =>
  () =>
    Promise.resolve(reply)

test('serves a foreign client: many streams, bodies, trailers', async (t) => {
  const { port, outcomes } = await serve(t, echo)
  const session = http2.connect(`http://127.0.0.1:${port}`)
  t.after(() => session.destroy())
  const answers = await Promise.all(
    Array.from({ length: 80 }, async (_, index) => {
      const stream = session.request({ ':path': `/${index}`, ':method': 'POST', 'x-n': `${index}` })
      stream.end(`body ${index}`)
      let text = ''
      stream.on('data', (chunk: Buffer) => void (text += chunk.toString()))
      await once(stream, 'end')
      return text
    }),
  )
  for (const [index, text] of answers.entries())
    assert.equal(text, `POST /${index} @127.0.0.1:${port} [x-n=${index}] body ${index}`)
  assert.equal(outcomes.length, 80)
})

test('frames may be cut anywhere', async (t) => {
  const { port } = await serve(t, echo)
  const whole = await connectHttp2(t, port)
  const padded = Buffer.concat([Buffer.from([3]), Buffer.from('abc'), Buffer.alloc(3)])
  const bytes = [
    whole.headers(1, { ...request('POST', '/cut'), 'x-a': '1' }, false),
    frame(frameType.data, flag.padded, 1, padded),
    frame(99, 7, 1, Buffer.alloc(20)),
    frame(frameType.data, flag.endStream | flag.padded, 1, Buffer.from([2, 0x64, 0, 0])),
  ]
  whole.send(...bytes)
  await whole.until(() => whole.ended(1))
  assert.equal(whole.body(1), 'POST /cut @web [x-a=1] abcd')

  const { socket: cut } = await connectHttp2(t, port)
  cut.destroy()
  const slow = await connectHttp2(t, port)
  for (const byte of Buffer.concat(bytes)) {
    slow.send(Buffer.from([byte]))
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  await slow.until(() => slow.ended(1))
  assert.equal(slow.body(1), whole.body(1))
})

test('a header block may come in many frames, and nothing may come between them', async (t) => {
  const { port } = await serve(t, echo)
  const peer = await connectHttp2(t, port)
  const block = peer.block({ ...request('GET', '/parts'), 'x-long': 'y'.repeat(5000) })
  peer.send(frame(frameType.headers, flag.endStream, 1, block.subarray(0, 10)))
  peer.send(frame(frameType.continuation, 0, 1, block.subarray(10, 4000)))
  peer.send(frame(frameType.continuation, flag.endHeaders, 1, block.subarray(4000)))
  await peer.until(() => peer.ended(1))
  assert.ok(peer.body(1).includes(`x-long=${'y'.repeat(5000)}`))
  peer.send(
    frame(frameType.headers, flag.endStream, 3, block.subarray(0, 10)),
    frame(frameType.ping, 0, 0, Buffer.alloc(8)),
  )
  await peer.end()
  assert.equal(peer.error(0), 'PROTOCOL_ERROR')
})

test('request heads: what is malformed is reset, what is wrong is refused with a status', async (t) => {
  const { port, refused, outcomes } = await serve(t, echo)
  const get = Object.entries(request('GET', '/'))
  const without = (name: string): (readonly [string, string])[] => get.filter(([key]) => key !== name)
  const malformed: Record<string, readonly (readonly [string, string])[]> = {
    'no method': without(':method'),
    'no path': without(':path'),
    'no scheme': without(':scheme'),
    'an empty path': [...without(':path'), [':path', '']],
    'two paths': [...get, [':path', '/b']],
    'a status': [...get, [':status', '200']],
    'an unknown pseudo-header': [...get, [':what', '1']],
    'a pseudo-header at the end': [...without(':path'), ['x-a', '1'], [':path', '/']],
    'upper case': [...get, ['X-A', '1']],
    connection: [...get, ['connection', 'close']],
    'transfer-encoding': [...get, ['transfer-encoding', 'chunked']],
    upgrade: [...get, ['upgrade', 'h2c']],
    te: [...get, ['te', 'gzip']],
    'line ends': [...get, ['x-a', 'a\r\nx-b: 1']],
    NUL: [...get, ['x-a', 'a\0']],
    'a space in a name': [...get, ['x a', '1']],
    'a colon in a name': [...get, ['x:a', '1']],
    'an authority and a host that differ': [...get, ['host', 'admin']],
    'two lengths': [...get, ['content-length', '0'], ['content-length', '0']],
    'a length that is none': [...get, ['content-length', '+1']],
    'a length without DATA': [...get, ['content-length', '1']],
    ':protocol without CONNECT': [...get, [':protocol', 'websocket']],
    'CONNECT with a path': [
      [':method', 'CONNECT'],
      [':authority', 'a:1'],
      [':path', '/'],
    ],
  }
  const statuses: Record<string, readonly [string, readonly (readonly [string, string])[]]> = {
    'no authority': ['400', without(':authority')],
    'user info': ['400', [...without(':authority'), [':authority', 'a@web']]],
    'an empty port': ['400', [...without(':authority'), [':authority', 'web:']]],
    'a fragment': ['400', [...without(':path'), [':path', '/a#b']]],
    'an absolute path': ['400', [...without(':path'), [':path', 'http://web/']]],
    'no slash': ['400', [...without(':path'), [':path', 'a']]],
    'a star': ['400', [...without(':path'), [':path', '*']]],
    'a strange scheme': ['400', [...without(':scheme'), [':scheme', 'ftp']]],
    'a long path': ['414', [...without(':path'), [':path', `/${'a'.repeat(8192)}`]]],
    'CONNECT without a port': [
      '400',
      [
        [':method', 'CONNECT'],
        [':authority', 'a'],
      ],
    ],
    expect: ['417', [...get, ['expect', '200-ok']]],
    'too many fields': ['431', [...get, ...Array.from({ length: 97 }, (_, index) => [`x-${index}`, '1'] as const)]],
    'too large a head': [
      '431',
      [...get, ...Array.from({ length: 4 }, (_, index) => [`x-${index}`, 'v'.repeat(15_500)] as const)],
    ],
  }
  const peer = await connectHttp2(t, port)
  let id = -1
  for (const [what, fields] of Object.entries(malformed)) {
    id += 2
    const one = id
    peer.send(peer.headers(one, fields, true))
    await peer.until(() => peer.error(one) !== undefined || peer.ended(one))
    assert.equal(peer.error(one), 'PROTOCOL_ERROR', what)
  }
  for (const [what, [status, fields]] of Object.entries(statuses)) {
    id += 2
    const one = id
    const block = peer.block(fields)
    const first = block.subarray(0, 16_000)
    peer.send(frame(frameType.headers, flag.endStream | (block.length > 16_000 ? 0 : flag.endHeaders), one, first))
    for (let at = 16_000; at < block.length; at += 16_000)
      peer.send(
        frame(
          frameType.continuation,
          at + 16_000 < block.length ? 0 : flag.endHeaders,
          one,
          block.subarray(at, at + 16_000),
        ),
      )
    await peer.until(() => peer.ended(one))
    assert.equal(peer.heads.get(one)?.[0]?.[':status'], status, what)
  }
  assert.equal(outcomes.length, 0)
  assert.equal(refused.length, Object.keys(malformed).length + Object.keys(statuses).length)
  // 100 fields are not too many, and the tables of both sides are still in step.
  peer.send(
    peer.headers(id + 2, [...get, ...Array.from({ length: 96 }, (_, index) => [`x-${index}`, '1'] as const)], true),
  )
  await peer.until(() => peer.ended(id + 2))
  assert.equal(peer.heads.get(id + 2)?.[0]?.[':status'], '200')
})

test('crumbs of a cookie are joined, Host may stand for :authority, te is not passed on', async (t) => {
  const { port } = await serve(t, echo)
  const peer = await connectHttp2(t, port)
  const fields = Object.entries(request('GET', '/')).filter(([name]) => name !== ':authority')
  const more = [
    ['host', 'Web'],
    ['cookie', 'a=1'],
    ['te', 'trailers'],
    ['cookie', 'b=2'],
  ] as const
  peer.send(peer.headers(1, [...fields, ...more], true))
  await peer.until(() => peer.ended(1))
  assert.equal(peer.body(1), 'GET / @web [cookie=a=1; b=2] ')
})

test('DATA must be as long as content-length says', async (t) => {
  const { port, outcomes } = await serve(t, echo)
  const peer = await connectHttp2(t, port)
  const post = { ...request('POST', '/'), 'content-length': '3' }
  peer.send(peer.headers(1, post, false), peer.data(1, 'abcd', true))
  peer.send(peer.headers(3, post, false), peer.data(3, 'ab', true))
  peer.send(peer.headers(5, post, false), peer.data(5, 'ab'), peer.headers(5, { 'x-t': '1' }, true))
  peer.send(peer.headers(7, post, false), peer.data(7, 'abc', true))
  await peer.until(() => peer.ended(7))
  for (const id of [1, 3, 5]) assert.equal(peer.error(id), 'PROTOCOL_ERROR')
  assert.deepEqual(
    outcomes.map(({ fault }) => fault?.kind),
    ['client-gone', 'client-gone', 'client-gone', undefined],
  )
})

test('trailers in both directions, informational replies before the final one', async (t) => {
  const { port, outcomes } = await serve(t, async (call) => {
    const { trailers, fault } = await collect(call.body)
    if (fault !== undefined) return fault
    call.onInformational?.(103, [headerField('link', '</a>')])
    const { body, sink } = scripted(undefined)
    setImmediate(() => {
      sink().data(Buffer.from('hi'))
      sink().end([headerField('x-sum', JSON.stringify(trailers))])
    })
    return { status: 200, headers: [headerField('x-h', '1')], body }
  })
  const peer = await connectHttp2(t, port)
  peer.send(peer.headers(1, request('POST', '/'), false), peer.data(1, 'a'), peer.headers(1, { 'x-t': 'z' }, true))
  await peer.until(() => peer.ended(1))
  const [early, head, trailers] = peer.heads.get(1) ?? []
  assert.deepEqual(early, { ':status': '103', link: '</a>' })
  assert.deepEqual(head, { ':status': '200', 'x-h': '1' })
  assert.match(trailers?.['x-sum'] ?? '', /"name":"x-t","value":"z"/)
  assert.equal(peer.body(1), 'hi')
  assert.equal(outcomes[0]?.reply?.headers[0]?.name, 'x-h')
  assert.equal(outcomes[0]?.trailers?.[0]?.name, 'x-sum')
  peer.send(peer.headers(3, request('POST', '/'), false), peer.headers(3, { ':path': '/' }, true))
  await peer.until(() => peer.error(3) !== undefined)
  assert.equal(peer.error(3), 'PROTOCOL_ERROR')
})

test('HEAD, 204 and 304 have no body; a short body ends with its DATA', async (t) => {
  const { port } = await serve(t, (call) =>
    Promise.resolve({ status: Number(call.path.slice(1)), headers: [], body: bytesBody(Buffer.from('abc')) }),
  )
  const peer = await connectHttp2(t, port)
  peer.send(
    peer.get(1, '/204'),
    peer.get(3, '/304'),
    peer.headers(5, request('HEAD', '/200'), true),
    peer.get(7, '/200'),
  )
  await peer.until(() => peer.ended(7))
  for (const id of [1, 3, 5]) assert.equal(peer.frames.filter((one) => one.id === id).length, 1)
  assert.equal(peer.heads.get(5)?.[0]?.['content-length'], '3')
  assert.equal(peer.heads.get(1)?.[0]?.['content-length'], undefined)
  assert.equal(peer.frames.filter((one) => one.id === 7 && one.type === frameType.data).length, 1)
})

test('a body waits for the windows of stream and connection, and its source is paused', async (t) => {
  const source = scripted(undefined)
  const { port } = await serve(t, replying({ status: 200, headers: [], body: source.body }))
  const peer = await connectHttp2(t, port, [[4, 10]])
  peer.send(peer.get(1))
  await peer.until(() => peer.heads.has(1))
  assert.equal(source.sink().data(Buffer.from('0123456789abcdefghij')), false)
  source.sink().end()
  await peer.until(() => peer.body(1).length === 10)
  peer.send(frame(frameType.windowUpdate, 0, 1, word(4)))
  await peer.until(() => peer.body(1).length === 14)
  assert.equal(peer.ended(1), false)
  peer.send(settingsFrame([[4, 100]]))
  await peer.until(() => peer.ended(1))
  assert.equal(peer.body(1), '0123456789abcdefghij')
})

test('the source goes on when the window opens', async (t) => {
  const source = scripted(undefined)
  const { port } = await serve(t, replying({ status: 200, headers: [], body: source.body }))
  const peer = await connectHttp2(t, port, [[4, 10]])
  peer.send(peer.get(1))
  await peer.until(() => peer.heads.has(1))
  assert.equal(source.sink().data(Buffer.alloc(12)), false)
  await peer.until(() => peer.body(1).length === 10)
  assert.equal(source.seen.resumed, 0)
  peer.send(frame(frameType.windowUpdate, 0, 1, word(50)))
  await peer.until(() => peer.body(1).length === 12)
  assert.equal(source.seen.resumed, 1)
})

test('gives the connection window back at once, the window of a stream when its reader has taken half', async (t) => {
  const bodies: Body[] = []
  const { port } = await serve(t, (call) => {
    bodies.push(call.body)
    return new Promise(() => {})
  })
  const peer = await connectHttp2(t, port)
  peer.send(peer.headers(1, request('POST', '/'), false))
  const piece = Buffer.alloc(16_000)
  for (let count = 0; count < 4; count++) peer.send(peer.data(1, piece))
  for (let id = 3; id < 19; id += 2)
    peer.send(peer.headers(id, request('POST', '/'), false), ...Array.from({ length: 4 }, () => peer.data(id, piece)))
  const given = (id: number): number =>
    peer.frames
      .filter((one) => one.type === frameType.windowUpdate && one.id === id)
      .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0)
  const first = 1_048_576 - 65_535
  await peer.until(() => given(0) >= first + 524_288)
  assert.equal(given(1), 0, 'nobody has read anything of the stream')
  let taken = 0
  const sink: Sink = { data: (chunk) => (taken += chunk.length) < 20_000, end() {}, fail() {} }
  bodies[0]?.start(sink)
  await new Promise<void>((resolve) => setImmediate(resolve))
  assert.equal(given(1), 0)
  assert.ok(taken < 64_000, 'the reader paused')
  bodies[0]?.resume()
  while (taken < 64_000) bodies[0]?.resume()
  await peer.until(() => given(1) > 0)
  assert.ok(given(1) >= 32_768 && given(1) <= 64_000)
  // Over what is left: the stream is reset, and only that.
  peer.send(...Array.from({ length: 5 }, () => peer.data(3, piece)))
  await peer.until(() => peer.error(3) !== undefined)
  assert.equal(peer.error(3), 'FLOW_CONTROL_ERROR')
})

test('the connection window alone never stops a peer', async (t) => {
  const { port } = await serve(t, () => new Promise(() => {}), {
    limits: {
      streams: 100,
      streamWindowBytes: 1_000_000,
      connectionWindowBytes: 65_535,
      resets: { burst: 9, perSecond: 9 },
    },
  })
  const peer = await connectHttp2(t, port)
  peer.send(
    peer.headers(1, request('POST', '/'), false),
    ...Array.from({ length: 8 }, () => peer.data(1, Buffer.alloc(16_384))),
  )
  await peer.until(() => peer.count(frameType.windowUpdate) > 1)
  assert.equal(peer.error(0), undefined)
})

test('a reset by the client cancels the call; what still comes for the stream is not an error of the connection', async (t) => {
  let cancelled: Fault | undefined
  const { port, outcomes } = await serve(t, (call) => {
    if (call.path === '/2') return echo(call)
    return new Promise((resolve) =>
      call.onCancel((fault) => {
        cancelled = fault
        resolve(fault)
      }),
    )
  })
  const peer = await connectHttp2(t, port)
  peer.send(peer.headers(1, request('POST', '/1'), false), frame(frameType.rstStream, 0, 1, word(8)), peer.get(3, '/2'))
  await peer.until(() => peer.ended(3))
  assert.equal(cancelled?.kind, 'client-gone')
  assert.equal(outcomes[0]?.fault?.kind, 'client-gone')
})

test('an early answer resets the rest of the request without an error', async (t) => {
  const { port, outcomes } = await serve(t, replying({ status: 200, headers: [], body: emptyBody }))
  const peer = await connectHttp2(t, port)
  peer.send(peer.headers(1, request('POST', '/'), false))
  await peer.until(() => peer.error(1) !== undefined)
  assert.equal(peer.error(1), 'NO_ERROR')
  peer.send(peer.data(1, 'late'), peer.headers(1, { 'x-t': '1' }, true), peer.get(3))
  await peer.until(() => peer.ended(3))
  assert.deepEqual(outcomes.map(ends), [
    { status: 200, fault: undefined },
    { status: 200, fault: undefined },
  ])
})

test('a body that breaks off or has the wrong length is reset, never ended', async (t) => {
  const sources = [scripted(3), scripted(3), scripted(undefined)]
  const { port } = await serve(t, (call) =>
    Promise.resolve({ status: 200, headers: [], body: sources[Number(call.path.slice(1))]?.body ?? emptyBody }),
  )
  const peer = await connectHttp2(t, port)
  peer.send(peer.get(1, '/0'), peer.get(3, '/1'), peer.get(5, '/2'))
  await peer.until(() => peer.heads.size === 3)
  sources[0]?.sink().data(Buffer.from('abcd'))
  sources[1]?.sink().end()
  sources[2]
    ?.sink()
    .fail({ kind: 'truncated', side: 'upstream', retry: 'never', endpoint: { host: 'a', port: 1 }, cause: 'x' })
  await peer.until(() => [1, 3, 5].every((id) => peer.error(id) !== undefined))
  for (const id of [1, 3, 5]) assert.deepEqual([peer.error(id), peer.ended(id)], ['INTERNAL_ERROR', false])
})

test('more streams than announced are refused, so that they may be tried again', async (t) => {
  const { port } = await serve(t, () => new Promise(() => {}))
  const peer = await connectHttp2(t, port)
  peer.send(...Array.from({ length: 101 }, (_, index) => peer.get(2 * index + 1)))
  await peer.until(() => peer.error(201) !== undefined)
  assert.equal(peer.error(201), 'REFUSED_STREAM')
  assert.equal(peer.count(frameType.rstStream), 1)
})

const many = (count: number, make: (index: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(index)))
const floods: Record<string, (peer: Awaited<ReturnType<typeof connectHttp2>>) => Buffer> = {
  PING: () => many(5000, () => frame(frameType.ping, 0, 0, Buffer.alloc(8))),
  SETTINGS: () => many(2000, () => settingsFrame()),
  'SETTINGS with many values': () =>
    many(40, () => settingsFrame(Array.from({ length: 2000 }, () => [99, 1] as const))),
  PRIORITY: () => many(5000, () => frame(frameType.priority, 0, 1, Buffer.alloc(5))),
  WINDOW_UPDATE: () => many(5000, () => frame(frameType.windowUpdate, 0, 0, word(1))),
  'unknown frames': () => many(5000, () => frame(77, 0, 0)),
  'empty DATA': (peer) =>
    Buffer.concat([peer.headers(1, request('POST', '/'), false), many(2000, () => peer.data(1, ''))]),
  'empty CONTINUATION': () =>
    Buffer.concat([frame(frameType.headers, 0, 1), many(2000, () => frame(frameType.continuation, 0, 1))]),
  'CONTINUATION that never ends': () =>
    Buffer.concat([
      frame(frameType.headers, 0, 1),
      many(2000, () => frame(frameType.continuation, 0, 1, Buffer.alloc(1000, 0x82))),
    ]),
  'rapid reset': (peer) =>
    many(1000, (index) =>
      Buffer.concat([peer.get(2 * index + 1), frame(frameType.rstStream, 0, 2 * index + 1, word(8))]),
    ),
  'made-you-reset': (peer) =>
    many(1000, (index) =>
      Buffer.concat([peer.get(2 * index + 1), frame(frameType.windowUpdate, 0, 2 * index + 1, word(0))]),
    ),
  'malformed requests': (peer) => many(1000, (index) => peer.headers(2 * index + 1, { 'X-A': '1' }, true)),
}
for (const [what, make] of Object.entries(floods))
  test(`a flood ends the connection: ${what}`, async (t) => {
    let calls = 0
    const { port } = await serve(t, () => {
      calls++
      return new Promise(() => {})
    })
    const peer = await connectHttp2(t, port)
    peer.send(make(peer))
    await peer.end()
    assert.equal(peer.error(0), 'ENHANCE_YOUR_CALM')
    assert.ok(calls < 1000)
  })

test('a peer that never reads what it asks for is cut', async (t) => {
  const reply: Reply = { status: 204, headers: [headerField('x-big', 'b'.repeat(20_000))], body: emptyBody }
  let cut = false
  const { port, outcomes } = await serve(t, replying(reply), { closed: () => (cut = true) })
  const peer = await connectHttp2(t, port)
  peer.socket.pause()
  for (let id = 1; !cut && id < 200_000; id += 2) {
    peer.send(peer.get(id))
    if (id % 101 === 0) await wait(1)
  }
  assert.ok(cut)
  assert.ok(outcomes.length < 2000, 'unread answers do not pile up without bound')
})

test('a drain says GOAWAY twice, serves what came before, refuses nothing that was promised', async (t) => {
  const sources = new Map<string, ReturnType<typeof scripted>>()
  const { port, connections } = await serve(t, (call) => {
    const source = scripted(undefined)
    sources.set(call.path, source)
    return Promise.resolve({ status: 200, headers: [], body: source.body })
  })
  const peer = await connectHttp2(t, port)
  peer.send(peer.get(1, '/1'))
  await peer.until(() => peer.heads.has(1))
  connections[0]?.drain(false)
  await peer.until(() => peer.count(frameType.goAway) === 1)
  // Not known to the server when it said so, and served all the same.
  peer.send(peer.get(3, '/3'))
  await peer.until(() => peer.heads.has(3))
  const ping = peer.frames.find((one) => one.type === frameType.ping)
  peer.send(frame(frameType.ping, flag.ack, 0, ping?.payload))
  await peer.until(() => peer.count(frameType.goAway) === 2)
  assert.equal(peer.frames.findLast((one) => one.type === frameType.goAway)?.payload.readUInt32BE(0), 3)
  peer.send(peer.get(5, '/5'))
  sources.get('/1')?.sink().end()
  sources.get('/3')?.sink().end()
  await peer.end()
  assert.deepEqual([peer.ended(1), peer.ended(3), sources.has('/5')], [true, true, false])
})

test('drained patiently, it is drained when what came before the second GOAWAY is answered; a tunnel does not count', async (t) => {
  const sources = new Map<string, ReturnType<typeof scripted>>()
  const { port, connections } = await serve(t, (call) => {
    if (call.method === 'CONNECT') {
      const incoming: Body = { length: undefined, start() {}, resume() {}, cancel() {} }
      return Promise.resolve({ status: 200, headers: [], body: emptyBody, tunnel: { incoming, send() {} } })
    }
    const source = scripted(undefined)
    sources.set(call.path, source)
    return Promise.resolve({ status: 200, headers: [], body: source.body })
  })
  const peer = await connectHttp2(t, port)
  peer.send(peer.headers(1, { ':method': 'CONNECT', ':authority': 'far.example:443' }, false))
  await peer.until(() => peer.heads.has(1))
  const [connection] = connections
  assert.equal(connection?.drained, false)
  connection?.drain(true)
  await peer.until(() => peer.count(frameType.goAway) === 1)
  assert.equal(connection?.drained, false, 'more may be on its way')
  peer.send(peer.get(3, '/3'))
  await peer.until(() => peer.heads.has(3))
  const ping = peer.frames.find((one) => one.type === frameType.ping)
  peer.send(frame(frameType.ping, flag.ack, 0, ping?.payload))
  await peer.until(() => peer.count(frameType.goAway) === 2)
  assert.equal(connection?.drained, false, 'a call is under way')
  sources.get('/3')?.sink().end()
  await peer.until(() => peer.ended(3))
  assert.equal(connection?.drained, true)
  assert.equal(peer.ended(1), false)
})

test('CONNECT: what comes behind its head is for the tunnel, both ways, each with its own end', async (t) => {
  let asked = ''
  const { port, outcomes } = await serve(t, (call) => {
    asked = `${call.method} ${call.authority} ${call.path} ${call.body.length}`
    let far: Sink | undefined
    const incoming: Body = { length: undefined, start: (to) => void (far = to), resume() {}, cancel() {} }
    const tunnel = {
      incoming,
      send: (outgoing: Body) =>
        outgoing.start({
          data: (chunk) => far?.data(Buffer.from(`(${String(chunk)})`)) !== false,
          end: () => far?.end(),
          fail() {},
        }),
    }
    return Promise.resolve({ status: 200, headers: [], body: emptyBody, tunnel })
  })
  const session = http2.connect(`http://127.0.0.1:${port}`)
  t.after(() => session.destroy())
  const stream = session.request({ ':method': 'CONNECT', ':authority': 'far.example:443' })
  let text = ''
  stream.on('data', (chunk: Buffer) => void (text += String(chunk)))
  const [head] = await once(stream, 'response')
  assert.equal((head as Record<string, unknown>)[':status'], 200)
  stream.end('ping')
  await once(stream, 'end')
  assert.equal(text, '(ping)')
  assert.equal(asked, 'CONNECT far.example:443 far.example:443 0')
  while (outcomes.length === 0) await wait(1)
  assert.deepEqual(outcomes.map(ends), [{ status: 200, fault: undefined }])
})

test('deadlines: an idle connection, an unfinished head, a silent stream, an unfinished request', async (t) => {
  const idle = await serve(t, echo, { idleTimeoutMs: 40 })
  const first = await connectHttp2(t, idle.port)
  first.send(first.get(1))
  await first.until(() => first.ended(1))
  await first.until(() => first.error(0) === 'NO_ERROR')
  const ping = first.frames.find((one) => one.type === frameType.ping)
  if (ping !== undefined) first.send(frame(frameType.ping, flag.ack, 0, ping.payload))
  await first.end()

  const heads = await serve(t, echo, { headersTimeoutMs: 40 })
  const second = await connectHttp2(t, heads.port)
  second.send(frame(frameType.headers, 0, 1, second.block(request('GET', '/')).subarray(0, 5)))
  await second.end()

  const silent = await serve(t, (call) => new Promise((resolve) => call.onCancel(resolve)), { streamIdleTimeoutMs: 40 })
  const third = await connectHttp2(t, silent.port)
  third.send(third.get(1))
  await third.until(() => third.ended(1))
  assert.equal(third.heads.get(1)?.[0]?.[':status'], '504')

  const slow = await serve(t, (call) => new Promise((resolve) => call.onCancel(resolve)), { requestTimeoutMs: 40 })
  const unfinished = await connectHttp2(t, slow.port)
  unfinished.send(unfinished.headers(1, request('POST', '/'), false))
  await unfinished.until(() => unfinished.ended(1))
  assert.equal(unfinished.heads.get(1)?.[0]?.[':status'], '408')

  const alive = await serve(t, () => new Promise(() => {}), { keepAliveMs: 40 })
  const fourth = await connectHttp2(t, alive.port)
  fourth.send(fourth.get(1))
  await fourth.until(() => fourth.count(frameType.ping) > 0)
})

test('extended CONNECT is an upgrade; the client need not give a key', async (t) => {
  const { port, outcomes } = await serve(t, (call) => {
    assert.deepEqual([call.method, call.upgrade, call.path], ['GET', 'websocket', '/chat'])
    assert.match(call.headers.find(({ name }) => name === 'sec-websocket-key')?.value ?? '', /^[A-Za-z0-9+/]{22}==$/)
    const incoming = scripted(undefined)
    const reply: Reply = {
      status: 101,
      headers: [headerField('sec-websocket-accept', 'x'), headerField('sec-websocket-protocol', 'p')],
      body: emptyBody,
      tunnel: {
        incoming: incoming.body,
        send: (outgoing) =>
          outgoing.start({
            data: (chunk) => incoming.sink().data(chunk),
            end: () => incoming.sink().end(),
            fail() {},
          }),
      },
    }
    return Promise.resolve(reply)
  })
  const peer = await connectHttp2(t, port)
  const fields = { ...request('CONNECT', '/chat'), ':protocol': 'websocket', 'sec-websocket-version': '13' }
  const block = Object.entries(fields).toSorted(([a], [b]) => Number(b.startsWith(':')) - Number(a.startsWith(':')))
  peer.send(peer.headers(1, block, false), peer.data(1, 'ping'))
  await peer.until(() => peer.body(1) === 'ping')
  assert.deepEqual(peer.heads.get(1)?.[0], { ':status': '200', 'sec-websocket-protocol': 'p' })
  peer.send(peer.data(1, 'pong', true))
  await peer.until(() => peer.ended(1))
  assert.equal(peer.body(1), 'pingpong')
  assert.deepEqual(outcomes.map(ends), [{ status: 101, fault: undefined }])
})

test('what is not HTTP/2 is answered with GOAWAY', async (t) => {
  const { port } = await serve(t, echo)
  const peer = await connectHttp2(t, port)
  peer.socket.destroy()
  const { connect } = await import('../http1/testing/raw.ts')
  const raw = await connect(t, port)
  raw.send('GET / HTTP/1.1\r\nHost: web\r\n\r\n')
  await raw.end()
  const early = await connect(t, port)
  early.socket.write(Buffer.concat([preface, frame(frameType.ping, 0, 0, Buffer.alloc(8))]))
  await early.end()
})
