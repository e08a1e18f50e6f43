import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import net, { type AddressInfo, type Socket } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import type { Cluster } from '../config.ts'
import { envoyLimits, inHighPriority } from '../config/priority.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { collect, testCall } from '../http/http1/testing/raw.ts'
import { makeCall } from '../http/testing/fake-call.ts'
import { isFault } from '../http/service.ts'
import { buildCluster } from '../testing/build-config.ts'
import { program } from '../testing/world.ts'
import { answering, ask, startUpstream } from './testing/upstream.ts'

test('one connection serves call after call, also under a new configuration', async (t) => {
  const { at, sockets } = await answering(t)
  const upstream = startUpstream(t)
  for (let round = 0; round < 5; round++) assert.equal(await ask(upstream, buildCluster('web', [at])), 'ok')
  assert.equal(sockets.length, 1)
  assert.deepEqual(upstream.describe()['web'], {
    connections: 1,
    pending: 0,
    requests: 0,
    endpoints: { [`127.0.0.1:${at.port}`]: { connections: 1, idle: 1 } },
  })
})

test('where connections say who asks, each downstream has its own', async (t) => {
  const heads: string[] = []
  const at = await program(t, (socket) => {
    socket.on('data', (chunk: Buffer) => {
      const head = /^PROXY \S+ (\S+) \S+ (\S+)/.exec(chunk.toString('latin1'))
      if (head !== null) heads.push(`${head[1]}:${head[2]}`)
      if (chunk.includes('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
  })
  const upstream = startUpstream(t)
  const cluster: Cluster = { ...buildCluster('web', [at]), proxyHeaders: new Map([['', 'v1']]) }
  for (const port of [1, 2, 1, 2])
    assert.equal(await ask(upstream, cluster, makeCall({ peer: { remote: { host: '10.0.0.1', port } } })), 'ok')
  assert.deepEqual(heads, ['10.0.0.1:1', '10.0.0.1:2'])
})

test('connections come from where the cluster says, over HTTP and raw; what leads nowhere is a failure', async (t) => {
  const from: (string | undefined)[] = []
  const at = await program(t, (socket) => {
    from.push(socket.remoteAddress)
    socket.on('data', () => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  })
  const upstream = startUpstream(t)
  const plain = buildCluster('web', [at])
  const of = (...hosts: readonly string[]): Cluster => ({
    ...plain,
    sourceAddresses: hosts.map((host) => ({ host, port: 0 })),
  })
  for (const cluster of [plain, of('127.0.0.6'), of('::1', '127.0.0.7'), plain])
    assert.equal(await ask(upstream, cluster), 'ok')
  assert.deepEqual(from, ['127.0.0.1', '127.0.0.6', '127.0.0.7'])
  assert.deepEqual(Object.keys(upstream.describe()['web']?.endpoints ?? {}), [
    `127.0.0.1:${at.port}`,
    `127.0.0.1:${at.port} from 127.0.0.6:0`,
    `127.0.0.1:${at.port} from [::1]:0,127.0.0.7:0`,
  ])
  assert.equal(await ask(upstream, of('192.0.2.1')), 'connect-failed')
  assert.equal(await ask(upstream, of('::1')), 'connect-failed')
  const [endpoint] = plain.endpoints
  const raw = await upstream.connectTcp(of('127.0.0.8'), endpoint ?? assert.fail(), makeCall().peer)
  assert.ok('socket' in raw)
  raw.socket.on('error', () => {}).destroy()
  assert.equal(from.at(-1), '127.0.0.8')
})

test('an endpoint may be a Unix socket, with a path or an abstract name; one that is not there is a failure', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-upstream-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  const upstream = startUpstream(t)
  for (const [host, listen] of [
    [path.join(folder, 'web.sock'), path.join(folder, 'web.sock')],
    [`@${folder}`, `\0${folder}`],
  ] as const) {
    const server = net.createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', () => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
    })
    server.listen(listen)
    await once(server, 'listening')
    t.after(() => server.close())
    const cluster = buildCluster('web', [{ host, port: 0 }])
    assert.equal(await ask(upstream, cluster), 'ok')
    assert.equal(await ask(upstream, cluster), 'ok')
    assert.deepEqual(upstream.describe()['web']?.endpoints[host], { connections: 1, idle: 1 })
  }
  assert.equal(
    await ask(upstream, buildCluster('web', [{ host: path.join(folder, 'gone'), port: 0 }])),
    'connect-failed',
  )
})

test('an idle connection that the server closed is not used', async (t) => {
  const { at, sockets } = await answering(t)
  const upstream = startUpstream(t)
  const cluster = buildCluster('web', [at])
  await ask(upstream, cluster)
  sockets[0]?.end()
  while (upstream.describe()['web']?.connections !== 0) await new Promise<void>((resolve) => setImmediate(resolve))
  assert.equal(await ask(upstream, cluster), 'ok')
  assert.equal(sockets.length, 2)
})

test('a reused connection that dies before any answer is a reset, with what was sent', async (t) => {
  let requests = 0
  const at = await program(t, (socket) => {
    socket.on('data', () => {
      if (++requests === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      else socket.resetAndDestroy()
    })
  })
  const upstream = startUpstream(t)
  const cluster = buildCluster('web', [at])
  await ask(upstream, cluster)
  const [endpoint] = cluster.endpoints
  const answer = await upstream.send(cluster, endpoint ?? assert.fail(), testCall())
  assert.ok(isFault(answer) && answer.kind === 'reset', JSON.stringify(answer))
  assert.ok(answer.sentBytes > 0)
})

test('what cannot be connected says so; a connect that takes too long ends', async (t) => {
  const upstream = startUpstream(t)
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  assert.equal(await ask(upstream, buildCluster('down', [{ host: '127.0.0.1', port }])), 'connect-failed')
  // TLS towards a server that never answers: the time limit covers the handshake.
  const mute = await program(t, () => {})
  const clock = manualClock()
  const waiting = startUpstream(t, clock, { secrets: { certificate: () => undefined, trust: () => '' } })
  const cluster = buildCluster('mute', [mute], { peerIds: ['spiffe://x/ns/a/sa/b'], connectTimeoutMs: 500 })
  const anonymous = {
    ...cluster,
    transports: new Map([...cluster.transports].map(([k, v]) => [k, v && { ...v, certificate: undefined }])),
  }
  const answer = ask(waiting, anonymous)
  clock.advance(500)
  assert.equal(await answer, 'connect-timeout')
})

test('past maxConnections calls wait for a connection, past maxPendingRequests they overflow', async (t) => {
  const waiting: Socket[] = []
  const at = await program(t, (socket) => socket.on('data', () => waiting.push(socket)))
  const upstream = startUpstream(t)
  const limits = {
    maxConnections: 1,
    maxPendingRequests: 1,
    maxRequests: 10,
    retryBudgetPercent: 20,
    minRetryConcurrency: 3,
  }
  const cluster = buildCluster('web', [at], { limits })
  const first = ask(upstream, cluster)
  while (waiting.length < 1) await new Promise<void>((resolve) => setImmediate(resolve))
  const second = ask(upstream, cluster)
  assert.equal(await ask(upstream, cluster), 'overflow')
  const reply = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
  waiting[0]?.write(reply)
  assert.equal(await first, 'ok')
  while (waiting.length < 2) await new Promise<void>((resolve) => setImmediate(resolve))
  assert.equal(waiting[0], waiting[1], 'the same connection')
  waiting[1]?.write(reply)
  assert.equal(await second, 'ok')
})

test('calls of high priority have limits and connections of their own', async (t) => {
  const waiting: Socket[] = []
  const at = await program(t, (socket) => socket.on('data', () => waiting.push(socket)))
  const upstream = startUpstream(t)
  const limits = { ...envoyLimits, maxRequests: 1 }
  const cluster = buildCluster('web', [at], { limits, highLimits: { ...limits, maxRequests: 2 } })
  const high = inHighPriority(cluster)
  const answers = [ask(upstream, cluster), ask(upstream, high), ask(upstream, high)]
  assert.equal(await ask(upstream, cluster), 'overflow')
  assert.equal(await ask(upstream, high), 'overflow')
  while (waiting.length < 3) await new Promise<void>((resolve) => setImmediate(resolve))
  assert.ok(upstream.isBusy('web'))
  assert.deepEqual([upstream.describe()['web']?.requests, upstream.describe('high')['web']?.requests], [1, 2])
  for (const socket of waiting) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  assert.deepEqual(await Promise.all(answers), ['ok', 'ok', 'ok'])
  upstream.adopt(new Map())
  const open = (): readonly unknown[] =>
    [upstream.describe(), upstream.describe('high')].map((all) => all['web']?.connections)
  while (open().some((count) => count !== 0)) await new Promise<void>((resolve) => setImmediate(resolve))
  assert.equal(
    inHighPriority(buildCluster('web', [at])).limits.maxRequests,
    1024,
    'as Envoy has it where nothing is said',
  )
})

test('idle connections close after their time, and those of endpoints that are gone at once', async (t) => {
  const clock = manualClock()
  const upstream = startUpstream(t, clock)
  const one = await answering(t)
  const two = await answering(t)
  const both = buildCluster('web', [one.at, two.at], { idleTimeoutMs: 1000 })
  for (const endpoint of both.endpoints) {
    const call = testCall()
    const answer = await upstream.send(both, endpoint, call)
    assert.ok(!isFault(answer))
    await collect(answer.body)
    call.end({ status: 200, fault: undefined })
  }
  assert.equal(upstream.describe()['web']?.connections, 2)
  upstream.adopt(new Map([['web', buildCluster('web', [one.at], { idleTimeoutMs: 1000 })]]))
  assert.equal(upstream.describe()['web']?.connections, 1)
  clock.advance(1300)
  assert.equal(upstream.describe()['web']?.connections, 0)
  clock.advance(60_500)
  assert.deepEqual(upstream.describe(), {}, 'unused keys go away')
})

test('cancelling while the connection is being made frees the call at once', async (t) => {
  const { at } = await answering(t)
  const upstream = startUpstream(t)
  const cluster = buildCluster('web', [at])
  const call = testCall()
  const answer = upstream.send(cluster, cluster.endpoints[0] ?? assert.fail(), call)
  call.cancel({ kind: 'client-gone', side: 'downstream', retry: 'never', cause: 'test' })
  const fault = await answer
  assert.ok(isFault(fault) && fault.kind === 'client-gone')
  while ((upstream.describe()['web']?.endpoints[`127.0.0.1:${at.port}`]?.idle ?? 0) === 0)
    await new Promise<void>((resolve) => setImmediate(resolve))
  assert.equal(await ask(upstream, cluster), 'ok')
})

test('a pause of this process is no slowness of the endpoint', async (t) => {
  const { at } = await answering(t)
  const upstream = startUpstream(t)
  const answer = ask(upstream, buildCluster('web', [at], { connectTimeoutMs: 50 }))
  const until = Date.now() + 150
  while (Date.now() < until);
  assert.equal(await answer, 'ok')
})
