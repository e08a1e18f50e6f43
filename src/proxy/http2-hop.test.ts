import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import http2, { type ClientHttp2Session, type ServerHttp2Stream } from 'node:http2'
import net from 'node:net'
import { test, type TestContext } from 'node:test'
import type { Address } from '../base/address.ts'
import type { Cluster } from './config.ts'
import { buildCluster, buildConfig, buildInbound, buildOutbound, buildTable } from './testing/build-config.ts'
import { createTestAuthority } from './testing/certificates.ts'
import { curl, ownAddress, program, startProxy, type TestProxy } from './testing/world.ts'

const callerId = 'spiffe://weft.local/ns/default/sa/caller'
const webId = 'spiffe://weft.local/ns/default/sa/web'

interface Mesh {
  readonly outboundAt: Address
  readonly outbound: TestProxy
  readonly inbound: TestProxy
}

/** caller → outbound proxy → mTLS with HTTP/2 → inbound proxy → program. */
async function mesh(
  t: TestContext,
  upstream: Address,
  protocol: Cluster['upstreamProtocol'] = 'http/1.1',
): Promise<Mesh> {
  const authority = await createTestAuthority()
  const trustPem = authority.bundlePem
  const [inboundAt, outboundAt] = [await ownAddress(t), await ownAddress(t)]
  const inbound = await startProxy(
    t,
    buildConfig({
      listeners: [buildInbound(inboundAt, 'program', { strict: true })],
      clusters: [buildCluster('program', [upstream], { upstreamProtocol: protocol })],
      trustPem,
    }),
    { identity: await authority.issue(webId) },
  )
  const outbound = await startProxy(
    t,
    buildConfig({
      listeners: [buildOutbound(outboundAt)],
      clusters: [buildCluster('default/web/80', [inboundAt], { peerIds: [webId], upstreamProtocol: 'h2' })],
      routes: [buildTable('default/web/80', 'default/web/80')],
      names: [{ namespace: 'default', name: 'web', port: 80 }],
      trustPem,
    }),
    { identity: await authority.issue(callerId) },
  )
  return { outboundAt, outbound, inbound }
}

const connections = ({ proxy }: TestProxy): number =>
  (proxy.describeClusters() as readonly { connections?: number }[])[0]?.connections ?? 0

async function webServer(t: TestContext, handler: http.RequestListener): Promise<Address> {
  const server = http.createServer(handler)
  return program(t, (socket) => void server.emit('connection', socket))
}
const echoing: http.RequestListener = (request, response) => {
  let body = ''
  request.setEncoding('latin1').on('data', (chunk: string) => (body += chunk))
  request.on('end', () =>
    response.end(JSON.stringify({ ...request.headers, method: request.method, url: request.url, body })),
  )
}

/** A session of Node's own HTTP/2 with a proxy, in plain text. */
function session(t: TestContext, at: Address): ClientHttp2Session {
  const client = http2.connect(`http://${at.host}:${at.port}`)
  client.on('error', () => {})
  t.after(() => client.destroy())
  return client
}

async function ask(
  client: ClientHttp2Session,
  headers: Record<string, string>,
  body?: string,
): Promise<{ status: number | undefined; text: string; trailers: http2.IncomingHttpHeaders | undefined }> {
  const stream = client.request({ ':authority': 'web', ...headers }, { endStream: body === undefined })
  let status: number | undefined
  let text = ''
  let trailers: http2.IncomingHttpHeaders | undefined
  stream.on('response', (head) => void (status = head[':status']))
  stream.on('trailers', (fields) => void (trailers = fields))
  stream.on('data', (chunk: Buffer) => void (text += chunk.toString('latin1')))
  if (body !== undefined) stream.end(body)
  await once(stream, 'close')
  return { status, text, trailers }
}

test('HTTP/1.1 on both ends, HTTP/2 between: one connection carries all', async (t) => {
  const { outboundAt, outbound } = await mesh(t, await webServer(t, echoing))
  const url = `http://${outboundAt.host}:${outboundAt.port}`
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => curl('-x', url, `http://web/${index}`, '-d', `n=${index}`)),
  )
  for (const [index, { status, text }] of answers.entries()) {
    assert.equal(status, 200)
    const seen = JSON.parse(text.slice(text.indexOf('{'))) as Record<string, string>
    assert.deepEqual([seen.method, seen.url, seen.body, seen.host], ['POST', `/${index}`, `n=${index}`, 'web'])
    assert.match(seen['x-forwarded-client-cert'] ?? '', new RegExp(`^By=${webId};Hash=[0-9a-f]{64};URI=${callerId}$`))
  }
  assert.equal(connections(outbound), 1)
})

test('HTTP/2 on one end, HTTP/1.1 on the other', async (t) => {
  const { outboundAt } = await mesh(
    t,
    await webServer(t, (request, response) => {
      response.writeHead(201, { trailer: 'x-sum', 'x-te': request.headers.te ?? 'none' })
      request.on('data', (chunk) => void response.write(chunk))
      request.on('end', () => {
        response.addTrailers({ 'x-sum': '9' })
        response.end()
      })
    }),
  )
  const { status, text, trailers } = await ask(session(t, outboundAt), { ':method': 'POST', ':path': '/' }, 'abc')
  assert.deepEqual([status, text, trailers?.['x-sum']], [201, 'abc', '9'])
})

test('HTTP/2 all the way: both directions flow at once, trailers arrive, as gRPC wants it', async (t) => {
  const server = http2.createServer()
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.respond({ ':status': 200, 'x-te': headers.te ?? 'none' }, { waitForTrailers: true })
    stream.on('data', (chunk: Buffer) => void stream.write(`<${chunk.toString()}>`))
    stream.on('end', () => stream.end())
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.on('error', () => {})
  })
  const upstream = await program(t, (socket) => void server.emit('connection', socket))
  const { outboundAt } = await mesh(t, upstream, 'h2')
  const client = session(t, outboundAt)
  const stream = client.request({
    ':authority': 'web',
    ':method': 'POST',
    ':path': '/echo.Echo/Chat',
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  const [head] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
  assert.equal(head['x-te'], 'trailers')
  for (const word of ['one', 'two']) {
    stream.write(word)
    const [chunk] = (await once(stream, 'data')) as [Buffer]
    assert.equal(chunk.toString(), `<${word}>`)
  }
  const trailers = once(stream, 'trailers')
  stream.end()
  const [fields] = (await trailers) as [http2.IncomingHttpHeaders]
  assert.equal(fields['grpc-status'], '0')
})

test('a large body passes both ways, and a slow reader stops the writer', async (t) => {
  const size = 8_000_000
  let written = 0
  const { outboundAt } = await mesh(
    t,
    await webServer(t, (request, response) => {
      if (request.method === 'POST') {
        let got = 0
        request.on('data', (chunk: Buffer) => void (got += chunk.length))
        request.on('end', () => response.end(String(got)))
        return
      }
      const piece = Buffer.alloc(64_000, 'x')
      const more = (): void => {
        while (written < 200_000_000) {
          written += piece.length
          if (!response.write(piece)) return void response.once('drain', more)
        }
        response.end()
      }
      response.on('close', () => (written = Math.min(written, 199_999_999)))
      more()
    }),
  )
  const client = session(t, outboundAt)
  const upload = await ask(client, { ':method': 'POST', ':path': '/' }, 'x'.repeat(size))
  assert.equal(upload.text, String(size))
  const slow = client.request({ ':authority': 'web', ':path': '/' })
  await once(slow, 'response')
  let before = -1
  while (before !== written) {
    before = written
    await new Promise<void>((resolve) => setTimeout(resolve, 200))
  }
  assert.ok(written < 40_000_000, `${written} bytes were written for a reader that reads none`)
  // Others on the same connections are not held up.
  assert.equal((await ask(client, { ':method': 'POST', ':path': '/' }, 'abc')).text, '3')
  slow.close()
})

test('a WebSocket crosses: HTTP/1.1 to HTTP/2 to HTTP/1.1', async (t) => {
  const upstream = await program(t, (socket) => {
    socket.once('data', (bytes: Buffer) => {
      const text = bytes.toString()
      assert.match(text, /upgrade: websocket\r\n/i)
      assert.match(text, /sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n/i)
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
          'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
      )
      socket.on('data', (chunk) => socket.write(chunk))
      socket.on('end', () => socket.end())
    })
  })
  const { outboundAt } = await mesh(t, upstream)
  const socket = net.connect({ ...outboundAt, allowHalfOpen: true })
  t.after(() => socket.destroy())
  let text = ''
  socket.on('data', (chunk: Buffer) => void (text += chunk.toString()))
  socket.write(
    'GET http://web/ HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  )
  while (!text.includes('\r\n\r\n')) await once(socket, 'data')
  assert.match(text, /^HTTP\/1\.1 101 /)
  assert.match(text, /sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/)
  socket.write('frame')
  while (!text.endsWith('frame')) await once(socket, 'data')
  socket.end()
  await once(socket, 'end')
})

test('a WebSocket that the program refuses stays an ordinary reply', async (t) => {
  const { outboundAt } = await mesh(t, await webServer(t, (_request, response) => response.writeHead(403).end('no')))
  const url = `http://${outboundAt.host}:${outboundAt.port}`
  const fields = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']
  const { text } = await curl('-x', url, 'http://web/', ...fields.flatMap((field) => ['-H', field]))
  assert.match(text, /^HTTP\/1\.1 403 /)
})

test('a drain of the receiver loses no call', async (t) => {
  const waiting: (() => void)[] = []
  const arrived = Promise.withResolvers<void>()
  const program = await webServer(t, (_request, response) => {
    if (waiting.push(() => response.end('late')) === 10) arrived.resolve()
  })
  const { outboundAt, inbound } = await mesh(t, program)
  const client = session(t, outboundAt)
  const calls = Array.from({ length: 10 }, () => ask(client, { ':path': '/' }))
  await arrived.promise
  const drained = inbound.proxy.drain(5000)
  for (const answer of waiting) answer()
  for (const { status, text } of await Promise.all(calls)) assert.deepEqual([status, text], [200, 'late'])
  await drained
  assert.equal((await ask(client, { ':path': '/' })).status, 503)
})

test('more calls than one connection takes open another, and what goes idle closes', async (t) => {
  let active = 0
  let most = 0
  const held: (() => void)[] = []
  const server = http2.createServer({ settings: { maxConcurrentStreams: 5 } })
  server.on('stream', (stream: ServerHttp2Stream) => {
    most = Math.max(most, ++active)
    held.push(() => {
      active--
      stream.respond({ ':status': 200 })
      stream.end('ok')
    })
  })
  const upstream = await program(t, (socket) => void server.emit('connection', socket))
  const at = await ownAddress(t)
  const inbound = await startProxy(
    t,
    buildConfig({
      listeners: [buildInbound(at, 'program', { mesh: false })],
      clusters: [buildCluster('program', [upstream], { upstreamProtocol: 'h2', idleTimeoutMs: 300 })],
    }),
  )
  const client = session(t, at)
  const first = ask(client, { ':path': '/' })
  while (held.length < 1) await new Promise<void>((resolve) => setTimeout(resolve, 5))
  const rest = Array.from({ length: 11 }, () => ask(client, { ':path': '/' }))
  while (most < 12) await new Promise<void>((resolve) => setTimeout(resolve, 5))
  assert.equal(connections(inbound), 3)
  for (const release of held) release()
  for (const { text } of await Promise.all([first, ...rest])) assert.equal(text, 'ok')
  while (connections(inbound) > 0) await new Promise<void>((resolve) => setTimeout(resolve, 20))
})

test('an endpoint of several workers gets as many connections while calls overlap, and they share the calls', async (t) => {
  const held: (() => void)[] = []
  const perConnection = new Map<object, number>()
  const server = http2.createServer()
  server.on('stream', (stream: ServerHttp2Stream) => {
    const { session: on } = stream
    if (on !== undefined) perConnection.set(on, (perConnection.get(on) ?? 0) + 1)
    held.push(() => {
      stream.respond({ ':status': 200 })
      stream.end('ok')
    })
  })
  const upstream = await program(t, (socket) => void server.emit('connection', socket))
  const at = await ownAddress(t)
  const cluster = buildCluster('program', [upstream], { upstreamProtocol: 'h2' })
  const endpoints = cluster.endpoints.map((endpoint) => ({ ...endpoint, workers: 3 }))
  const inbound = await startProxy(
    t,
    buildConfig({ listeners: [buildInbound(at, 'program', { mesh: false })], clusters: [{ ...cluster, endpoints }] }),
  )
  const client = session(t, at)
  const calls: ReturnType<typeof ask>[] = []
  const call = async (): Promise<void> => {
    const wanted = held.length + 1
    calls.push(ask(client, { ':path': '/' }))
    while (held.length < wanted) await new Promise<void>((resolve) => setTimeout(resolve, 5))
  }
  await call()
  held.pop()?.()
  await calls[0]
  await call()
  assert.equal(connections(inbound), 1, 'calls one after the other need no second worker')
  for (let more = 0; more < 30; more++) await call()
  assert.equal(connections(inbound), 3)
  const counts = [...perConnection.values()]
  assert.ok(
    counts.every((count) => count >= 9),
    `${counts.join()}`,
  )
  for (const release of held) release()
  for (const { text } of await Promise.all(calls)) assert.equal(text, 'ok')
})

test('a port that speaks TLS offers HTTP/2 and HTTP/1.1', async (t) => {
  const authority = await createTestAuthority()
  const at = await ownAddress(t)
  const listener = buildInbound(at, 'program', { mesh: false })
  const filterChains = listener.filterChains.map((chain) => ({
    ...chain,
    match: { ...chain.match, transportProtocol: undefined },
    tls: {
      certificate: 'own',
      trust: undefined,
      peer: { kind: 'spiffe', ids: [] },
      requireClientCertificate: false,
      alpn: ['h2', 'http/1.1'],
    } as const,
  }))
  const clusters = [buildCluster('program', [await webServer(t, echoing)])]
  await startProxy(t, buildConfig({ listeners: [{ ...listener, filterChains }], clusters }), {
    identity: await authority.issue(webId),
  })
  const url = `https://127.0.0.1:${at.port}/`
  assert.match((await curl('-k', '--http2', url)).text, /^HTTP\/2 200/)
  assert.match((await curl('-k', '--http1.1', url)).text, /^HTTP\/1\.1 200/)
})

test('HTTP/2 in a tunnel takes the path of every call, down to a program that speaks it too', async (t) => {
  const server = http2.createServer()
  server.on('stream', (stream: ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
    stream.respond({ ':status': 200, 'x-path': String(headers[':path']) }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '7' }))
    stream.end('ok')
  })
  const at = await program(t, (socket) => void server.emit('connection', socket))
  const { outboundAt, outbound } = await mesh(t, at, 'h2')
  const socket = net.connect(outboundAt.port, outboundAt.host)
  t.after(() => socket.destroy())
  socket.write('CONNECT web:80 HTTP/1.1\r\nHost: web:80\r\n\r\n')
  const [answer] = (await once(socket, 'data')) as [Buffer]
  assert.match(answer.toString(), /^HTTP\/1\.1 200 /)
  const client = http2.connect('http://elsewhere:1', { createConnection: () => socket })
  client.on('error', () => {})
  t.after(() => client.destroy())
  for (const path of ['/a', '/b']) {
    const { status, text, trailers } = await ask(client, {
      ':method': 'POST',
      ':path': path,
      ':authority': 'elsewhere:1',
    })
    assert.deepEqual([status, text, trailers?.['x-sum']], [200, 'ok', '7'])
  }
  assert.match(outbound.metrics.exposition(), /weft_requests_total\{[^}]*destination_service="default\/web"[^}]*\} 2/)
})
