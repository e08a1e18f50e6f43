import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2, { type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { test, type TestContext } from 'node:test'
import type { Address } from '../base/address.ts'
import type { HttpFilter, RetryPolicy, RouteTable } from './config.ts'
import { buildCluster, buildConfig, buildInbound, buildOutbound, buildTable } from './testing/build-config.ts'
import { createTestAuthority } from './testing/certificates.ts'
import { freeAddress, program, startProxy, type TestProxy } from './testing/world.ts'

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
  const [inboundAt, at] = [await freeAddress(), await freeAddress()]
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
  const { at, outbound, inbound } = await mesh(t, [await freeAddress()])
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
  const silent = await server(t, (_stream, headers) => void told.push(headers['grpc-timeout']))
  const { at } = await mesh(t, [silent], { route: { grpcTimeoutMaxMs: 100, timeoutMs: 60_000 } })
  const { head } = await call(t, at, { 'grpc-timeout': '1H' })
  assert.deepEqual([head['grpc-status'], head['x-weft-fault']], ['4', 'timeout'])
  assert.equal((await call(t, at, { 'grpc-timeout': '50m' })).head['grpc-status'], '4')
  assert.deepEqual(told, ['100m', '50m'])
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
