import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { Address } from '../base/address.ts'
import type { Cluster, HealthCheck } from './config.ts'
import { buildCluster, buildConfig, buildOutbound, buildTable } from './testing/build-config.ts'
import { curl, eventually, ownAddress, refusingAddress, program, startProxy, type TestProxy } from './testing/world.ts'

const check: HealthCheck = {
  probe: {
    kind: 'http',
    protocol: 'http/1.1',
    method: 'GET',
    host: undefined,
    path: '/healthz',
    expected: [{ from: 200, to: 200 }],
    retriable: [],
    headers: [{ name: 'x-probe', value: 'yes' }],
    send: Buffer.alloc(0),
    receive: [],
    limitBytes: 1024,
  },
  timeoutMs: 2_000,
  intervalMs: 20,
  initialJitterMs: 0,
  intervalJitterMs: 0,
  intervalJitterPercent: 0,
  unhealthyThreshold: 1,
  healthyThreshold: 1,
  noTrafficIntervalMs: 20,
  noTrafficHealthyIntervalMs: 20,
  unhealthyIntervalMs: 20,
  unhealthyEdgeIntervalMs: 20,
  healthyEdgeIntervalMs: 20,
  reuseConnection: true,
}
const tcp = (send: string, ...receive: string[]): HealthCheck => ({
  ...check,
  probe: { kind: 'tcp', send: Buffer.from(send), receive: receive.map((text) => Buffer.from(text)) },
})

interface Program {
  readonly at: Address
  readonly connections: () => number
  readonly heads: string[]
  status: number
  headers: string
}
/** Answers checks as it is told, and calls with its port. */
async function checked(t: TestContext): Promise<Program> {
  let connections = 0
  const heads: string[] = []
  const self = { heads, connections: () => connections, status: 200, headers: '' }
  const at = await program(t, (socket) => {
    connections++
    socket.on('data', (chunk: Buffer) => {
      const head = chunk.toString('latin1')
      const isCheck = head.startsWith('GET /healthz')
      if (isCheck) heads.push(head)
      const text = isCheck ? 'well and fine' : String(socket.localPort)
      const status = isCheck ? self.status : 200
      socket.write(
        `HTTP/1.1 ${status} X\r\n${isCheck ? self.headers : ''}Content-Length: ${text.length}\r\n\r\n${text}`,
      )
    })
  })
  return Object.assign(self, { at })
}

/** A proxy whose every call goes to the cluster; what it says of each endpoint. */
async function proxyTo(
  t: TestContext,
  cluster: Cluster,
): Promise<{
  readonly started: TestProxy
  readonly ask: () => Promise<string>
  readonly health: () => Record<string, { health: string; checkFailed?: string }>
  readonly change: (next: Cluster) => void
}> {
  const at = await ownAddress(t)
  const configOf = (one: Cluster) =>
    buildConfig({
      listeners: [buildOutbound(at)],
      clusters: [one],
      routes: [buildTable('default/web/80', one.name)],
      names: [{ namespace: 'default', name: 'web', port: 80 }],
    })
  const started = await startProxy(t, configOf(cluster))
  const ask = async (): Promise<string> => {
    const { text } = await curl('-x', `http://127.0.0.1:${at.port}`, 'http://web.default/')
    return text.split('\r\n\r\n')[1] ?? ''
  }
  let health: Record<string, { health: string; checkFailed?: string }> = {}
  const refresh = async (): Promise<void> => {
    const explained = await started.proxy.explain({ method: 'GET', authority: 'web.default', path: '/', headers: [] })
    if (explained.side !== 'outbound') return
    health = Object.fromEntries(
      explained.clusters.flatMap(({ endpoints }) =>
        endpoints.map(({ address, health: state, checkFailed = '' }) => [
          address.split(':')[1] ?? '',
          { health: state, checkFailed },
        ]),
      ),
    )
  }
  return {
    started,
    ask,
    health: () => {
      void refresh()
      return health
    },
    change: (next) => started.config.set(configOf(next)),
  }
}

test('calls go where checks pass, and back when they pass again', async (t) => {
  const one = await checked(t)
  const two = await checked(t)
  const { ask, health, started } = await proxyTo(t, buildCluster('c', [one.at, two.at], { healthCheck: check }))
  // A result of a check begins the round anew: two calls may meet one endpoint.
  const several = async () => new Set(await Promise.all(Array.from({ length: 8 }, ask))).size
  assert.equal(await several(), 2, 'checks begin: nobody is refused before the first result')
  await eventually(() => one.heads.length > 1 && two.heads.length > 1)
  assert.match(one.heads[0] ?? '', /^GET \/healthz HTTP\/1\.1\r\n/)
  assert.match(one.heads[0] ?? '', /host: c\r\n/i)
  assert.match(one.heads[0] ?? '', /user-agent: Weft\/HC\r\nx-probe: yes\r\n/i)
  one.status = 500
  await eventually(() => health()[one.at.port]?.health === 'unhealthy')
  assert.equal(health()[one.at.port]?.checkFailed, 'status 500')
  for (let round = 0; round < 6; round++) assert.equal(await ask(), String(two.at.port))
  assert.match(started.metrics.exposition(), /weft_health_checks_total\{cluster="c",result="failed"\} [1-9]/)
  one.status = 200
  await eventually(() => health()[one.at.port]?.health === 'healthy')
  assert.equal(await several(), 2)
})

test('checks use one connection again and again, unless each is to have its own', async (t) => {
  const kept = await checked(t)
  await proxyTo(t, buildCluster('c', [kept.at], { healthCheck: check }))
  await eventually(() => kept.heads.length >= 4)
  assert.equal(kept.connections(), 1)
  const single = await checked(t)
  await proxyTo(t, buildCluster('c', [single.at], { healthCheck: { ...check, reuseConnection: false } }))
  await eventually(() => single.heads.length >= 4)
  assert.ok(single.connections() >= 4)
})

test('an answer may say that the endpoint would rather not; the body has to say what is expected', async (t) => {
  const tired = await checked(t)
  tired.headers = 'x-envoy-degraded: 1\r\n'
  const wordless = await checked(t)
  const { probe } = check
  assert.equal(probe.kind, 'http')
  const words = { ...check, probe: { ...probe, receive: ['well', 'fine'].map((text) => Buffer.from(text)) } }
  const first = await proxyTo(t, buildCluster('c', [tired.at], { healthCheck: words as HealthCheck }))
  await eventually(() => first.health()[tired.at.port]?.health === 'degraded')
  const other = { ...check, probe: { ...probe, receive: ['fine', 'well'].map((text) => Buffer.from(text)) } }
  const second = await proxyTo(t, buildCluster('c', [wordless.at], { healthCheck: other as HealthCheck }))
  await eventually(() => second.health()[wordless.at.port]?.checkFailed === 'the body is not as expected')
})

test('a new endpoint waits for its first good answer; one whose checks end is believed in again', async (t) => {
  const one = await checked(t)
  const late = await checked(t)
  late.status = 503
  const cluster = buildCluster('c', [one.at], { healthCheck: check })
  const { ask, health, change } = await proxyTo(t, cluster)
  await eventually(() => one.heads.length > 0)
  change(buildCluster('c', [one.at, late.at], { healthCheck: check }))
  for (let round = 0; round < 4; round++) assert.equal(await ask(), String(one.at.port))
  await eventually(() => health()[late.at.port]?.checkFailed === 'status 503')
  change(buildCluster('c', [one.at, late.at]))
  await eventually(() => health()[late.at.port]?.health === 'healthy')
  assert.equal(new Set([await ask(), await ask()]).size, 2)
  const before = late.heads.length
  await ask()
  assert.equal(late.heads.length, before)
})

test('silence fails a check after its time, and a port where nobody is at once', async (t) => {
  const mute = await program(t, () => {})
  const nobody = await refusingAddress(t)
  const healthCheck = { ...check, timeoutMs: 50 }
  const { health, started } = await proxyTo(t, buildCluster('c', [mute, nobody], { healthCheck }))
  await eventually(() => health()[mute.port]?.checkFailed === 'no answer within 50 ms')
  await eventually(() => /cannot connect/.test(health()[nobody.port]?.checkFailed ?? ''))
  assert.match(JSON.stringify(started.proxy.describeClusters()), /"check":\{"status":"failed"/)
})

test('TCP: a connection is enough, or a talk', async (t) => {
  const at = await program(t, (socket) => {
    socket.on('data', (chunk: Buffer) => {
      if (chunk.toString() === 'PING') for (const part of ['+PO', 'NG, and ', 'more']) socket.write(part)
    })
  })
  const nobody = await refusingAddress(t)
  const connects = await proxyTo(t, buildCluster('c', [at, nobody], { healthCheck: tcp('') }))
  await eventually(() => connects.health()[nobody.port]?.health === 'unhealthy')
  await eventually(() => connects.health()[at.port]?.health === 'healthy')
  const talks = await proxyTo(t, buildCluster('c', [at], { healthCheck: tcp('PING', 'PONG', 'more') }))
  const silent = await proxyTo(
    t,
    buildCluster('c', [at], { healthCheck: { ...tcp('PING', 'more', 'PONG'), timeoutMs: 100 } }),
  )
  await eventually(() => silent.health()[at.port]?.health === 'unhealthy')
  await eventually(() => talks.health()[at.port]?.health === 'healthy')
})

test('gRPC: the standard health service is asked', async (t) => {
  const asked: string[] = []
  let status = 1
  const server = http2.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      asked.push(`${request.headers[':path']} ${Buffer.concat(chunks).subarray(7).toString()}`)
      response.writeHead(200, { 'content-type': 'application/grpc' })
      response.write(Buffer.of(0, 0, 0, 0, 2, 8, status))
      response.addTrailers({ 'grpc-status': '0' })
      response.end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const at = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  const healthCheck: HealthCheck = {
    ...check,
    probe: { kind: 'grpc', service: 'shop.Cart', authority: undefined, headers: [] },
  }
  const { health } = await proxyTo(t, buildCluster('c', [at], { healthCheck }))
  await eventually(() => asked.length > 2)
  assert.equal(asked[0], '/grpc.health.v1.Health/Check shop.Cart')
  await eventually(() => health()[at.port]?.health === 'healthy')
  status = 2
  await eventually(() => health()[at.port]?.checkFailed === 'it is not serving')
})
