import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import net, { type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { Address } from '../base/address.ts'
import type { Listener, Route } from './config.ts'
import { buildCluster, buildConfig, buildInbound } from './testing/build-config.ts'
import { ownAddress, program, refusingAddress, startProxy } from './testing/world.ts'

/** A proxy whose CONNECTs end at this address. */
async function tunnelling(t: TestContext, to: Address): Promise<Address> {
  const address = await ownAddress(t)
  const inbound = buildInbound(address, 'far', { mesh: false })
  const [chain] = inbound.filterChains
  assert.ok(chain?.terminal.kind === 'http' && 'inline' in chain.terminal.routes)
  const table = chain.terminal.routes.inline
  const route: Route = {
    name: 'connect',
    match: { path: { kind: 'regex', value: '[^/].*', caseSensitive: true }, headers: [], queryParameters: [] },
    action: {
      kind: 'forward',
      clusters: [{ cluster: 'far', weight: 1 }],
      timeoutMs: 0,
      retry: undefined,
      endsConnect: true,
      upgrades: new Map([['connect', true]]),
    },
    origin: undefined,
  }
  const routes = { inline: { ...table, virtualHosts: [{ name: 'all', domains: ['*'], routes: [route] }] } }
  const listener: Listener = { ...inbound, filterChains: [{ ...chain, terminal: { ...chain.terminal, routes } }] }
  await startProxy(t, buildConfig({ listeners: [listener], clusters: [buildCluster('far', [to])] }))
  return address
}

const asking = 'CONNECT far.example:443 HTTP/1.1\r\nHost: far.example:443\r\n\r\n'

/** A tunnel over HTTP/1.1, its head read. */
async function tunnel(t: TestContext, address: Address): Promise<Socket> {
  const socket = net.connect({ ...address, allowHalfOpen: true })
  t.after(() => socket.destroy())
  socket.on('error', () => {}).write(asking)
  const [head] = await once(socket, 'data')
  assert.match(String(head), /^HTTP\/1\.1 200 OK\r\n(?:.*\r\n)*\r\n$/)
  assert.doesNotMatch(String(head), /content-length|transfer-encoding/)
  return socket
}

const echo = (t: TestContext): Promise<Address> => program(t, (socket) => void socket.pipe(socket))
const much = Buffer.alloc(3_000_000, 'abcdefghij')

test('what goes through a tunnel comes to the endpoint and back, whole, at the pace of who reads, and each way ends by itself', async (t) => {
  const socket = await tunnel(t, await tunnelling(t, await echo(t)))
  const chunks: Buffer[] = []
  socket.pause()
  socket.on('data', (chunk: Buffer) => void chunks.push(chunk))
  socket.end(much)
  setTimeout(() => socket.resume(), 100)
  await once(socket, 'end')
  assert.ok(Buffer.concat(chunks).equals(much))
})

test('the same over HTTP/2', async (t) => {
  const { host, port } = await tunnelling(t, await echo(t))
  const session = http2.connect(`http://${host}:${port}`)
  t.after(() => session.destroy())
  const stream = session.request({ ':method': 'CONNECT', ':authority': 'far.example:443' })
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => void chunks.push(chunk))
  const [head] = await once(stream, 'response')
  assert.equal((head as Record<string, unknown>)[':status'], 200)
  stream.end(much)
  await once(stream, 'end')
  assert.ok(Buffer.concat(chunks).equals(much))
})

test('who breaks off breaks off the other', async (t) => {
  const far: Socket[] = []
  const address = await tunnelling(t, await program(t, (socket) => void far.push(socket.resume())))
  const first = await tunnel(t, address)
  far[0]?.resetAndDestroy()
  first.resume()
  await Promise.race([once(first, 'end'), once(first, 'close')])
  const second = await tunnel(t, address)
  second.resetAndDestroy()
  while (far[1]?.readableEnded === false) await new Promise<void>((resolve) => setTimeout(resolve, 1))
})

test('an endpoint that refuses is 503', async (t) => {
  const refused = net.connect(await tunnelling(t, await refusingAddress(t)))
  t.after(() => refused.destroy())
  refused.write(asking)
  const [head] = await once(refused, 'data')
  assert.match(String(head), /^HTTP\/1\.1 503/)
})
