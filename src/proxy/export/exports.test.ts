import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2, { type ServerHttp2Stream } from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { AccessLog, LogServer, ProxyConfig } from '../config.ts'
import { buildCluster, buildConfig, buildTcpChain, buildTcpListener } from '../testing/build-config.ts'
import { eventually, ownAddress, program, startProxy } from '../testing/world.ts'

/** A server of gRPC that answers when the client has said all; what it got by stream. */
async function startServer(t: TestContext) {
  const got: { bytes: number; ended: boolean; readonly stream: ServerHttp2Stream }[] = []
  const server = http2.createServer()
  server.on('stream', (stream: ServerHttp2Stream) => {
    const one = { bytes: 0, ended: false, stream }
    got.push(one)
    stream.on('error', () => {})
    stream.on('data', (chunk: Buffer) => (one.bytes += chunk.length))
    stream.on('end', () => {
      one.ended = true
      if (!stream.destroyed)
        stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '0' }, { endStream: true })
    })
  })
  const sessions = new Set<http2.ServerHttp2Session>()
  server.on('session', (session) => void sessions.add(session))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  return { got, port: (server.address() as AddressInfo).port }
}

const serverLog = (name: string): LogServer => ({
  kind: 'stream',
  entries: 'tcp',
  name,
  collector: { cluster: 'logs', protocol: 'grpc', authority: 'logs', path: '/log', timeoutMs: 1000, headers: [] },
  batchBytes: 0,
  flushMs: 1000,
})

/** A listener of raw bytes with logs of these names, and who connects to it. */
async function startEcho(t: TestContext) {
  const echo = await program(t, (socket) => socket.pipe(socket))
  const address = await ownAddress(t)
  const logs = (names: readonly string[]): readonly AccessLog[] =>
    names.map((name) => ({ server: serverLog(name), entry: { kind: 'tcp', tags: [] } }))
  const configWith = (port: number, ...names: readonly string[]): ProxyConfig =>
    buildConfig({
      listeners: [
        buildTcpListener(address, [buildTcpChain('c', { echo: 1 }, { terminal: { accessLog: logs(names) } })], {
          inspectTls: false,
        }),
      ],
      clusters: [
        buildCluster('echo', [echo]),
        buildCluster('logs', [{ host: '127.0.0.1', port }], { upstreamProtocol: 'h2' }),
      ],
    })
  const connectOnce = async (): Promise<void> => {
    const socket = net.connect(address.port, address.host, () => socket.end('x'))
    await once(socket.resume(), 'close')
  }
  return { configWith, connectOnce }
}

test('the stream of a log that the configuration has no more is ended, and what stays goes on', async (t) => {
  const { got, port } = await startServer(t)
  const { configWith, connectOnce } = await startEcho(t)
  const before = configWith(port, 'stays', 'goes')
  const { config, metrics } = await startProxy(t, before)
  const withLogs = (...names: readonly string[]): ProxyConfig => ({
    ...configWith(port, ...names),
    clusters: before.clusters,
  })
  await connectOnce()
  await eventually(() => got.length === 2 && got.every(({ bytes }) => bytes > 0))
  config.set(withLogs('stays'))
  await eventually(() => got.some(({ ended }) => ended))
  assert.equal(got.filter(({ ended }) => ended).length, 1)
  const [still] = got.filter(({ ended }) => !ended)
  const bytes = still?.bytes ?? 0
  await connectOnce()
  await eventually(() => (still?.bytes ?? 0) > bytes)
  assert.equal(got.length, 2)
  config.set(withLogs())
  await eventually(() => got.every(({ ended }) => ended))
  assert.match(metrics.exposition(), /weft_access_log_entries_total\{collector="logs",outcome="exported"\} 3/)
})

test('a cluster that leads elsewhere takes the log along: the old stream is ended, not cut', async (t) => {
  const first = await startServer(t)
  const second = await startServer(t)
  const { configWith, connectOnce } = await startEcho(t)
  const { config } = await startProxy(t, configWith(first.port, 'calls'))
  await connectOnce()
  await eventually(() => (first.got[0]?.bytes ?? 0) > 0)
  config.set(configWith(second.port, 'calls'))
  await connectOnce()
  await eventually(() => (second.got[0]?.bytes ?? 0) > 0)
  await eventually(() => first.got[0]?.ended === true)
  assert.deepEqual([first.got.length, second.got.length], [1, 1])
})
