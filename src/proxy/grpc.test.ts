import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import http2, { type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { test, type TestContext } from 'node:test'
import type { Address } from '../base/address.ts'
import type { HttpFilter, RetryPolicy, RouteTable } from './config.ts'
import { buildCluster, buildConfig, buildInbound, buildOutbound, buildTable } from './testing/build-config.ts'
import { createTestAuthority } from './testing/certificates.ts'
import { ownAddress, refusingAddress, program, startProxy, type TestProxy } from './testing/world.ts'

const webId = 'spiffe://weft.local/ns/default/sa/web'

interface Mesh {
  readonly at: Address
  readonly outbound: TestProxy
  readonly inbound: TestProxy
}

/** caller → outbound proxy → mTLS → inbound proxy → the programs of one cluster, HTTP/2 all the way. */
async function mesh(
  t: TestContext,
  programs: readonly Address[],
  { route = {}, filters = [] }: { route?: Partial<Forward>; filters?: readonly HttpFilter[] } = {},
): Promise<Mesh> {
  const authority = await createTestAuthority()
  const trustPem = authority.bundlePem
  const [inboundAt, at] = [await ownAddress(t), await ownAddress(t)]
  const inbound = await startProxy(
    t,
    buildConfig({
      listeners: [buildInbound(inboundAt, 'program', { strict: true, filters })],
      clusters: [buildCluster('program', programs, { upstreamProtocol: 'h2' })],
      trustPem,
    }),
    { identity: await authority.issue(webId) },
  )
  const outbound = await startProxy(
    t,
    buildConfig({
      listeners: [buildOutbound(at)],
      clusters: [buildCluster('default/web/80', [inboundAt], { peerIds: [webId], upstreamProtocol: 'h2' })],
      routes: [withForward(buildTable('default/web/80', 'default/web/80'), route)],
      names: [{ namespace: 'default', name: 'web', port: 80 }],
      trustPem,
    }),
    { identity: await authority.issue('spiffe://weft.local/ns/default/sa/caller') },
  )
  return { at, outbound, inbound }
}

interface Forward {
  readonly timeoutMs: number
  readonly grpcTimeoutMaxMs: number
  readonly idleTimeoutMs: number
  readonly retry: RetryPolicy
}
const withForward = (table: RouteTable, more: Partial<Forward>): RouteTable => ({
  ...table,
  virtualHosts: table.virtualHosts.map((host) => ({
    ...host,
    routes: host.routes.map((one) => ({ ...one, action: { ...one.action, ...more } as typeof one.action })),
  })),
})

type Handler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void

async function server(t: TestContext, handler: Handler): Promise<Address> {
  const one = http2.createServer()
  one.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => {})
    handler(stream, headers)
  })
  return program(t, (socket) => void one.emit('connection', socket))
}
const trailersOnly = (stream: ServerHttp2Stream, status: number): void =>
  stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': status }, { endStream: true })
const answerOk: Handler = (stream) => {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.end(Buffer.alloc(5))
}

async function call(
  t: TestContext,
  { host, port }: Address,
  more: Record<string, string> = {},
): Promise<{ head: IncomingHttpHeaders; trailers: IncomingHttpHeaders | undefined }> {
  const client = http2.connect(`http://${host}:${port}`)
  client.on('error', () => {})
  t.after(() => client.destroy())
  const stream = client.request({
    ':method': 'POST',
    ':authority': 'web',
    ':path': '/shop.Orders/List',
    'content-type': 'application/grpc',
    te: 'trailers',
    ...more,
  })
  let head: IncomingHttpHeaders = {}
  let trailers: IncomingHttpHeaders | undefined
  stream.on('response', (fields) => void (head = fields))
  stream.on('trailers', (fields) => void (trailers = fields))
  stream.on('error', () => {})
  stream.end(Buffer.alloc(5))
  stream.resume()
  await once(stream, 'close')
  return { head, trailers }
}

const counted = ({ metrics }: TestProxy, labels: string): boolean =>
  new RegExp(`weft_requests_total\\{[^}]*${labels}[^}]*\\} 1`).test(metrics.exposition())

test('a refusal is told in the terms of gRPC, as a head without a body', async (t) => {
  const { at, outbound, inbound } = await mesh(t, [await refusingAddress(t)])
  const { head, trailers } = await call(t, at)
  assert.equal(trailers, undefined)
  assert.deepEqual(
    [head[':status'], head['content-type'], head['grpc-status'], head['x-weft-fault']],
    [200, 'application/grpc', '14', 'not-processed'],
  )
  assert.match(String(head['grpc-message']), /did not take the request/)
  assert.equal(head['x-weft-upstream-fault'], undefined)
  assert.ok(counted(outbound, 'grpc_status="14",flags="UR"'))
  assert.ok(counted(inbound, 'grpc_status="14",flags="UF"'))
  // Anybody else hears of it as before.
  assert.equal((await call(t, at, { 'content-type': 'text/plain' })).head[':status'], 503)
})

test('who may not, and what is not there', async (t) => {
  const denyAll: HttpFilter = { kind: 'authorize', rules: { action: 'allow', policies: [] } }
  const { at } = await mesh(t, [await server(t, answerOk)], { filters: [denyAll] })
  assert.equal((await call(t, at)).head['grpc-status'], '7')
  assert.equal((await call(t, at, { ':authority': 'web:81' })).head['grpc-status'], '14')
})

test('the status in trailers is what metrics show', async (t) => {
  const { at, outbound, inbound } = await mesh(t, [await server(t, answerOk)])
  const { trailers } = await call(t, at)
  assert.equal(trailers?.['grpc-status'], '0')
  for (const one of [outbound, inbound]) assert.ok(counted(one, 'grpc_status="0"'))
})

test('the deadline of the caller, within that of the route, is told on and kept', async (t) => {
  const told: unknown[] = []
  const noting = await server(t, (stream, headers) => {
    told.push(headers['grpc-timeout'])
    answerOk(stream, headers)
  })
  const bounded = await mesh(t, [noting], { route: { grpcTimeoutMaxMs: 60_000 } })
  for (const asked of ['1H', '30S']) await call(t, bounded.at, { 'grpc-timeout': asked })
  // Whole milliseconds of what is left when it goes on: none of them may have passed.
  const [hour, half] = told.map((text) => Number(/^(\d+)m$/.exec(String(text))?.[1]))
  assert.ok(hour !== undefined && hour > 59_000 && hour <= 60_000, String(told))
  assert.ok(half !== undefined && half > 29_000 && half <= 30_000, String(told))

  const silent = await server(t, () => {})
  for (const grpcTimeoutMaxMs of [0, 20]) {
    const { at } = await mesh(t, [silent], { route: { grpcTimeoutMaxMs, timeoutMs: 60_000 } })
    const { head } = await call(t, at, { 'grpc-timeout': grpcTimeoutMaxMs === 0 ? '20m' : '1H' })
    assert.deepEqual([head['grpc-status'], head['x-weft-fault']], ['4', 'timeout'])
  }
})

test('how long a stream may be silent is for the route to say', async (t) => {
  const { at } = await mesh(t, [await server(t, () => {})], { route: { idleTimeoutMs: 20 } })
  const { head } = await call(t, at)
  assert.deepEqual([head['grpc-status'], head['x-weft-fault']], ['14', 'timeout'])
  assert.match(String(head['grpc-message']), /idle timeout of 20 ms/)
  assert.equal((await call(t, at, { 'content-type': 'text/plain' })).head[':status'], 504)
})

test('a status that the policy names is tried again; another one is not', async (t) => {
  let calls = 0
  const flaky = await server(t, (stream, headers) => {
    calls++
    if (calls % 2 === 1) trailersOnly(stream, Number(headers['x-fail']))
    else answerOk(stream, headers)
  })
  const retry: RetryPolicy = {
    retries: 2,
    on: new Set(['unavailable']),
    onIfIdempotent: new Set(),
    perTryTimeoutMs: 0,
    backoffBaseMs: 1,
    backoffMaxMs: 1,
    hostSelectionAttempts: 0,
  }
  const { at } = await mesh(t, [flaky], { route: { retry } })
  const again = await call(t, at, { 'x-fail': '14' })
  assert.deepEqual([again.trailers?.['grpc-status'], calls], ['0', 2])
  const not = await call(t, at, { 'x-fail': '13' })
  assert.deepEqual([not.head['grpc-status'], calls], ['13', 3])
})

/** A frame of a message; of the trailers with the highest bit set. */
const frame = (text: string, flags = 0): Buffer => {
  const head = Buffer.alloc(5)
  head[0] = flags
  head.writeUInt32BE(text.length, 1)
  return Buffer.concat([head, Buffer.from(text)])
}

test('gRPC-Web, in bytes and as text: what a browser sends reaches the program as gRPC, and trailers come back as a frame', async (t) => {
  const seen: unknown[] = []
  const echo = await server(t, (stream, headers) => {
    seen.push(headers['content-type'])
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'x-more': 'a' }))
    stream.on('data', (chunk: Buffer) => void stream.write(chunk))
    stream.on('end', () => stream.end())
  })
  const { at, inbound } = await mesh(t, [echo], { filters: [{ kind: 'grpc-web' }] })
  const post = async (type: string, body: Uint8Array<ArrayBuffer> | string): Promise<Response> => {
    const url = new URL(`http://${at.host}:${at.port}/shop.Orders/List`)
    return fetchAs(url, 'web', type, body)
  }
  const expected = Buffer.concat([frame('hello'), frame('grpc-status: 0\r\nx-more: a\r\n', 0x80)])
  const bytes = await post('application/grpc-web+proto', new Uint8Array(frame('hello')))
  assert.equal(bytes.headers.get('content-type'), 'application/grpc-web+proto')
  assert.deepEqual(Buffer.from(await bytes.arrayBuffer()), expected)
  // Two pieces, each padded.
  const pieces = [frame('hello').subarray(0, 4), frame('hello').subarray(4)]
  const text = await post('application/grpc-web-text', pieces.map((one) => one.toString('base64')).join(''))
  assert.equal(text.headers.get('content-type'), 'application/grpc-web-text+proto')
  const decoded = ((await text.text()).match(/[^=]+=*/g) ?? []).map((one) => Buffer.from(one, 'base64'))
  assert.deepEqual(Buffer.concat(decoded), expected)
  const odd = await post('application/grpc-web-text', 'AAA!')
  assert.deepEqual([odd.status, odd.headers.get('grpc-status')], [200, '13'])
  const away = new URL(`http://${at.host}:${at.port}/shop.Orders/List`)
  const nobody = await fetchAs(away, 'web:81', 'application/grpc-web', '')
  assert.deepEqual(
    [nobody.status, nobody.headers.get('grpc-status')],
    [200, '14'],
    'by HTTP/1.1 in the terms of gRPC too',
  )
  assert.deepEqual(seen.slice(0, 2), ['application/grpc', 'application/grpc'])
  assert.match(inbound.metrics.exposition(), /weft_requests_total\{[^}]*grpc_status="0"[^}]*\} 2/)
})

/** A browser's fetch, through the proxy that an absolute URL is sent to. */
async function fetchAs(at: URL, host: string, type: string, body: Uint8Array<ArrayBuffer> | string): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  const request = http.request({
    host: at.hostname,
    port: at.port,
    method: 'POST',
    path: `http://${host}${at.pathname}`,
    headers: { host, 'content-type': type, 'content-length': Buffer.byteLength(body) },
  })
  request.on('error', reject)
  request.on('response', (reply) => {
    const chunks: Buffer[] = []
    reply.on('data', (chunk: Buffer) => void chunks.push(chunk))
    reply.on('end', () => {
      const headers = Object.entries(reply.headers).map(([name, value]): [string, string] => [name, String(value)])
      resolve(new Response(Buffer.concat(chunks), { status: reply.statusCode ?? 0, headers }))
    })
  })
  request.end(body)
  return promise
}
