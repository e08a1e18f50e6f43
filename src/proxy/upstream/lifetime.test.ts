import assert from 'node:assert/strict'
import http2 from 'node:http2'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { buildCluster } from '../testing/build-config.ts'
import { eventually, program } from '../testing/world.ts'
import { keepAlive, lifetimeOf } from './lifetime.ts'
import { answering, ask, startUpstream } from './testing/upstream.ts'

test('a connection takes so many calls and no more', async (t) => {
  const { at, sockets } = await answering(t)
  const upstream = startUpstream(t)
  const cluster = buildCluster('web', [at], { connections: { maxCalls: 2 } })
  for (let round = 0; round < 5; round++) assert.equal(await ask(upstream, cluster), 'ok')
  assert.equal(sockets.length, 3)
  await eventually(() => upstream.describe()['web']?.connections === 1)
})

test('over HTTP/2 too, and those that wait for it get another', async (t) => {
  let sessions = 0
  const server = http2.createServer((_, response) => {
    response.end('ok')
  })
  server.on('session', () => sessions++)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const upstream = startUpstream(t)
  t.after(() => upstream.close())
  const at = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  const cluster = buildCluster('web', [at], { upstreamProtocol: 'h2', connections: { maxCalls: 2 } })
  const answers = await Promise.all(Array.from({ length: 6 }, () => ask(upstream, cluster)))
  assert.deepEqual(answers, Array(6).fill('ok'))
  assert.equal(sessions, 3)
  await eventually(() => upstream.describe()['web']?.connections === 0)
})

test('a connection past its age takes no further call, and closes when it is idle', async (t) => {
  const { at, sockets } = await answering(t)
  const clock = manualClock()
  const upstream = startUpstream(t, clock)
  const cluster = buildCluster('web', [at], { connections: { maxAgeMs: 10_000 }, idleTimeoutMs: 0 })
  for (const ageMs of [0, 9_800]) {
    clock.advance(ageMs)
    assert.equal(await ask(upstream, cluster), 'ok')
  }
  assert.equal(sockets.length, 1)
  clock.advance(300)
  await eventually(() => upstream.describe()['web']?.connections === 0)
  assert.equal(await ask(upstream, cluster), 'ok')
  assert.equal(sockets.length, 2)
})

test('ages are spread by the jitter', () => {
  const cluster = buildCluster('web', [], { connections: { maxAgeMs: 1_000, ageJitterPercent: 50 } })
  const random = seeded(3)
  const ages = Array.from({ length: 100 }, () => lifetimeOf(cluster, 0, random).untilMs)
  assert.ok(Math.min(...ages) >= 1_000 && Math.max(...ages) < 1_500 && new Set(ages).size > 90)
})

test('an endpoint has no more connections than its own limit', async (t) => {
  let most = 0
  const at = await program(t, (socket) => {
    most++
    socket.on('data', () => setImmediate(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')))
  })
  const upstream = startUpstream(t)
  const base = buildCluster('web', [at])
  const cluster = { ...base, limits: { ...base.limits, maxConnectionsPerEndpoint: 2 } }
  const answers = await Promise.all(Array.from({ length: 9 }, () => ask(upstream, cluster)))
  assert.deepEqual([answers.every((text) => text === 'ok'), most], [true, 2])
})

test('the kernel is asked to look after silent peers where the cluster says so', () => {
  const socket = new net.Socket()
  const asked: unknown[] = []
  socket.setKeepAlive = (...rules: unknown[]) => {
    asked.push(...rules)
    return socket
  }
  keepAlive(socket, buildCluster('web', []))
  assert.deepEqual(asked, [])
  const rules = { idleMs: 60_000, intervalMs: 5_000, probes: 3 }
  keepAlive(socket, buildCluster('web', [], { connections: { keepAlive: rules } }))
  assert.deepEqual(asked, [true, 60_000, 5_000, 3])
  socket.destroy()
})
