// One bootstrap, two proxies, one log server: the same calls and connections make the same entries with Envoy and with ours.
import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import net, { type Server } from 'node:net'
import tls from 'node:tls'
import { test } from 'node:test'
import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import { realEnvoy } from '../../src/base/testing/real-envoy.ts'
import { createTestAuthority } from '../../src/proxy/testing/certificates.ts'
import { freePort } from '../world/free-port.ts'
import { startLogCollector, type LogCollector } from '../world/programs/log-collector.ts'
import { until } from '../world/until.ts'
import { startEnvoy } from './bare-envoy.ts'
import { startOurs } from './bare-proxy.ts'
import { bootstrap, listenerNames, type Ports, type World } from './log-servers-bootstrap.ts'

const { skip } = realEnvoy()
async function startPrograms(): Promise<Pick<World, 'program' | 'grpc' | 'udp'> & { stop: () => void }> {
  const program = http.createServer((request, response) => {
    const { url = '' } = request
    if (url.endsWith('/reset')) return void response.socket?.resetAndDestroy()
    if (url.endsWith('/slow')) return
    const status = Number(/[0-9]{3}$/.exec(url)?.[0] ?? 200)
    request.resume().on('end', () => response.writeHead(status, { 'x-reply': 'r', 'x-two': ['a', 'b'] }).end('hello'))
  })
  const grpc = http2.createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/grpc' })
    response.write('hello')
    response.addTrailers({ 'grpc-status': '13', 'x-t': 'behind it' })
    response.end()
  })
  const udp = dgram.createSocket('udp4').on('message', (_, { port }) => udp.send('answer', port, '127.0.0.1'))
  udp.bind(0, '127.0.0.1')
  await once(udp, 'listening')
  const portOf = async (server: Server | http2.Http2Server): Promise<number> => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }
  return {
    program: await portOf(program),
    grpc: await portOf(grpc),
    udp: udp.address().port,
    stop() {
      program.close()
      program.closeAllConnections()
      grpc.close()
      udp.close()
    },
  }
}

interface Asked {
  readonly to?: 'web' | 'guarded' | 'granted' | 'by-http' | 'traced'
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string
}
const requests: readonly Asked[] = [
  {
    path: '/some?q=1',
    headers: { 'x-user': 'ann', referer: 'http://r/', 'x-forwarded-for': '10.1.1.1', 'x-two': ['a', 'b'] },
  },
  { path: '/some', method: 'POST', body: 'twelve bytes' },
  { path: '/some', method: 'PUT', body: 'x', headers: { 'transfer-encoding': 'chunked' } },
  { path: '/some', method: 'HEAD' },
  { path: '/own' },
  { path: '/gone' },
  { path: '/empty' },
  { path: '/missing' },
  { path: '/nothing' },
  { path: '/retried/500' },
  { path: '/slow/slow' },
  { path: '/rewritten/x' },
  { path: '/some/reset' },
  { path: '/some/404' },
  { to: 'guarded', path: '/some', headers: { 'x-known': 'yes' } },
  { to: 'guarded', path: '/some' },
  { to: 'granted', path: '/some', headers: { 'x-known': 'yes' } },
  { to: 'granted', path: '/some' },
  { to: 'by-http', path: '/some' },
  { to: 'traced', path: '/some' },
  { to: 'traced', path: '/some', headers: { 'x-client-trace-id': 'c' } },
  { to: 'traced', path: '/some', headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00' } },
]

const ask = (port: number, { path, method = 'GET', headers = {}, body = '' }: Asked): Promise<void> =>
  new Promise((resolve, reject) => {
    const all = { host: 'shop.example:80', 'user-agent': 'tester', accept: 'any', ...headers }
    http
      .request(
        { port, host: '127.0.0.1', path, method, headers: all as http.OutgoingHttpHeaders, agent: false },
        (one) => one.resume().on('end', () => resolve()),
      )
      .on('error', reject)
      .end(body)
  })

const askGrpc = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const session = http2.connect(`http://127.0.0.1:${port}`).on('error', reject)
    const head = { ':path': '/grpc/x', ':method': 'POST', ':authority': 'shop.example', te: 'trailers' }
    const stream = session.request({ ...head, 'content-type': 'application/grpc' }).on('error', reject)
    stream.resume().on('end', () => {
      session.close()
      resolve()
    })
    stream.end('body')
  })

const says = 'GET /some HTTP/1.1\r\nhost: s\r\nconnection: close\r\n\r\n'

const askSecurely = (port: number, world: World, more: tls.ConnectionOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', ca: world.trust, servername: 'one.example', ...more }
    const socket = tls.connect({ ...options, checkServerIdentity: () => undefined }, () => socket.write(says))
    socket
      .resume()
      .on('end', () => resolve())
      .on('error', reject)
  })

const askRaw = (port: number): Promise<void> =>
  new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(says))
    socket
      .resume()
      .on('close', () => resolve())
      .on('error', () => {})
  })

async function askDatagram(port: number): Promise<void> {
  const socket = dgram.createSocket('udp4')
  socket.send('question', port, '127.0.0.1')
  await once(socket, 'message')
  socket.close()
}

/** All calls and connections, one after the other. */
async function askAll(ports: Ports, world: World): Promise<void> {
  for (const asked of requests) await ask(ports[asked.to ?? 'web'], asked)
  await askGrpc(ports.web)
  const { keyPem: key, chainPem: cert } = world.client
  await askSecurely(ports.secure, world, { key, cert, ciphers: 'TLS_AES_128_GCM_SHA256' })
  await askSecurely(ports['raw-secure'], world, { maxVersion: 'TLSv1.2', servername: 'two.example' })
  await askRaw(ports.raw)
  await askRaw(ports['raw-gone'])
  await askDatagram(ports.datagrams)
}

type Flat = Readonly<Record<string, JsonValue>>

/** By dotted path; what differs from run to run is only there. */
function flat(value: JsonValue, program: number): Flat {
  const found: Record<string, JsonValue> = {}
  const walk = (one: JsonValue, at: string): void => {
    if (one !== null && typeof one === 'object')
      for (const [name, inner] of Object.entries(one)) walk(inner, at === '' ? name : `${at}.${name}`)
    else found[at] = comparable(at.slice(at.lastIndexOf('.') + 1), one, program)
  }
  walk(value, '')
  return found
}

function comparable(name: string, value: JsonValue, program: number): JsonValue {
  if (/^(startTime|timeTo.*|duration|timeUnixNano)$/.test(name)) return 'a time'
  if (/^(streamId|requestId|traceId|spanId)$/.test(name)) return 'an id'
  return name === 'portValue' && value !== program && value !== 1 && value !== 0 ? 'a port' : value
}

/** Not known to us, or said in other words, or written by each proxy as it writes. */
const differs: readonly (readonly [log: RegExp, field: RegExp])[] = [
  [/./, /\.(upstream|downstream)HeaderBytes(Sent|Received)$/],
  [/./, /^response\.responseHeadersBytes$/],
  // Of calls we do not count what heads and frames have.
  [/^(web|guarded|granted|failures|secure$)/, /WireBytes(Sent|Received)$/],
  // What became of a connection that a chain has taken stands in that chain's own log.
  [/^raw-listener$/, /upstream|streamId|WireBytes/],
  [/^secure-listener-http$/, /^protocolVersion$/],
  [/^secure-listener/, /(sentBytes|responseBodyBytes)$/],
]

/** Of answers of our own, whose words are ours. */
const ownWords = (entry: Flat): boolean =>
  entry['commonProperties.accessLogType'] === 'DownstreamEnd' &&
  entry['commonProperties.timeToFirstUpstreamRxByte'] === undefined

/** Of calls that are sent on with a path of their own (Envoy sends two fields along that say what was asked), or with so little time that its digits count. */
const headOfItsOwn = (entry: Flat): boolean =>
  entry['request.originalPath'] !== undefined || entry['request.path'] === '/slow/slow'

function byLog({ entries, records }: LogCollector, program: number): ReadonlyMap<string, readonly Flat[]> {
  const logs = new Map<string, Flat[]>()
  const add = (log: string, kind: string, entry: JsonObject): void => {
    const one = flat(entry, program)
    const kept = Object.entries(one).filter(
      ([field]) =>
        !differs.some(([logs, fields]) => logs.test(log) && fields.test(field)) &&
        !(/(responseBodyBytes|sentBytes)$/.test(field) && ownWords(one)) &&
        !(field === 'request.requestHeadersBytes' && headOfItsOwn(one)),
    )
    const list = logs.get(log) ?? []
    logs.set(log, [...list, { kind, ...Object.fromEntries(kept) }])
  }
  for (const { log, kind, entry } of entries) add(log, kind, entry)
  for (const { resource, scope, record } of records) {
    const attributes = resource['attributes'] as { key: string; value: { stringValue: string } }[]
    const name = attributes.find(({ key }) => key === 'log_name')?.value.stringValue ?? ''
    add(name, 'otlp', { resource, scope: scope ?? null, record })
  }
  return logs
}

test('the same calls and connections make the same entries as with Envoy', { skip }, async (t) => {
  const authority = await createTestAuthority()
  const programs = await startPrograms()
  t.after(() => programs.stop())
  const world: World = {
    ...programs,
    own: await authority.issue('spiffe://test/server'),
    client: await authority.issue(['spiffe://test/client', 'dns:client.example']),
    trust: authority.bundlePem,
  }
  const [theirs, ours] = await Promise.all(
    [startEnvoy, startOurs].map(async (start) => {
      const collector = await startLogCollector()
      t.after(() => collector.stop())
      const free = await Promise.all(listenerNames.map(() => freePort()))
      // Cast: a port for each name.
      const ports = Object.fromEntries(listenerNames.map((name, at) => [name, free[at]])) as unknown as Ports
      const isOpen = (): Promise<true | undefined> =>
        new Promise((resolve) => {
          const socket = net.connect(ports.web, '127.0.0.1', () => resolve(socket.destroy() && true))
          socket.on('error', () => resolve(undefined))
        })
      await start(t, bootstrap(world, collector, ports), isOpen)
      await askAll(ports, world)
      await until('all entries have come', () => collector.entries.length >= 49 && collector.records.length >= 23)
      return collector
    }),
  )
  assert.ok(theirs && ours)
  const expected = byLog(theirs, world.program)
  const found = byLog(ours, world.program)
  assert.deepEqual([...found.keys()].toSorted(), [...expected.keys()].toSorted())
  for (const [log, entries] of expected) {
    assert.equal(found.get(log)?.length, entries.length, log)
    for (const [index, entry] of entries.entries())
      assert.deepEqual(found.get(log)?.[index], entry, `${log} ${index}: ${JSON.stringify(entry['request.path'])}`)
  }
  const identified = ({ streams }: LogCollector): unknown =>
    streams
      .map(({ identifier }) => {
        const { node, logName } = identifier as { node: JsonObject; logName: string }
        const { id, cluster, locality, metadata } = node
        return { logName, id, cluster, locality, team: (metadata as JsonObject)['team'] }
      })
      .toSorted((a, b) => (a.logName < b.logName ? -1 : 1))
  assert.deepEqual(identified(ours), identified(theirs))
  for (const { posts } of [theirs, ours])
    assert.deepEqual(
      posts.slice(0, 1).map((one) => [one[':path'], one['x-tenant'], one['content-type']]),
      [['/v1/logs', 'one', 'application/x-protobuf']],
    )
})
