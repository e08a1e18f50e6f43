import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { Address } from '../base/address.ts'
import type { Listener } from './config.ts'
import { buildCluster, buildConfig, buildInbound } from './testing/build-config.ts'
import { eventually, ownAddress, program, startProxy } from './testing/world.ts'

test('a listener that comes while another program has its address serves once that one has let go', async (t) => {
  const other = net.createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const taken = { host: '127.0.0.1', port: (other.address() as AddressInfo).port }
  const answering = await program(t, (one) => one.on('data', () => one.write('HTTP/1.1 204 No Content\r\n\r\n')))
  const clusters = [buildCluster('program', [answering])]
  const first = { ...buildInbound(await ownAddress(t), 'program', { mesh: false }), name: 'first' }
  const late = { ...buildInbound(taken, 'program', { mesh: false }), name: 'late' }
  const { config } = await startProxy(t, buildConfig({ listeners: [first], clusters }))
  config.set(buildConfig({ listeners: [first, late], clusters }))
  // Refused by the system meanwhile: it is the other program that is there.
  const [accepted] = await Promise.all([once(other, 'connection'), once(net.connect(taken), 'connect')])
  ;(accepted[0] as net.Socket).destroy()
  await once(other.close(), 'close')
  const statusOf = async (): Promise<number> =>
    (await fetch(`http://127.0.0.1:${taken.port}/`, { headers: { connection: 'close' } }).catch(() => undefined))
      ?.status ?? 0
  while ((await statusOf()) !== 204) await new Promise<void>((resolve) => setTimeout(resolve, 20))
  assert.equal(await statusOf(), 204)
})

const answering = (t: TestContext, status: number): Promise<Address> =>
  program(t, (one) => one.on('data', () => one.write(`HTTP/1.1 ${status} Fine\r\ncontent-length: 0\r\n\r\n`)))

/** All that comes back for these bytes. */
async function exchange(to: Address, bytes: string): Promise<string> {
  const socket = net.connect(to)
  let text = ''
  socket.on('error', () => {}).on('data', (chunk) => void (text += String(chunk)))
  socket.write(bytes)
  await once(socket, 'close')
  return text
}
const request = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

test('connections that were for another listener are served as that one says, and end with it', async (t) => {
  const [here, there] = await Promise.all([answering(t, 201), answering(t, 202)])
  const clusters = [buildCluster('here', [here]), buildCluster('there', [there])]
  const address = await ownAddress(t)
  const front: Listener = {
    ...buildInbound(address, 'here', { mesh: false }),
    name: 'front',
    handsOver: true,
    proxyProtocol: { optional: false, versions: [1, 2] },
  }
  const hidden: Listener = {
    ...buildInbound({ host: '10.1.2.3', port: 80 }, 'there', { mesh: false }),
    name: 'hidden',
    unbound: true,
  }
  const both = buildConfig({ listeners: [front, hidden], clusters })
  const { config } = await startProxy(t, both)
  const proxied = (to: string): string => `PROXY TCP4 10.0.0.1 ${to} 4711 80\r\n${request}`
  assert.match(await exchange(address, proxied('10.1.2.3')), /^HTTP\/1\.1 202/)
  assert.match(await exchange(address, proxied('10.1.2.4')), /^HTTP\/1\.1 201/)
  const idle = net.connect(address).on('error', () => {})
  idle.write(proxied('10.1.2.3').replace('Connection: close\r\n', ''))
  await once(idle, 'data')
  config.set(buildConfig({ listeners: [front], clusters }))
  await once(idle, 'close')
  assert.match(await exchange(address, proxied('10.1.2.3')), /^HTTP\/1\.1 201/)
})

test('a listener’s log has a line for each connection, those that nothing was for among them', async (t) => {
  const address = await ownAddress(t)
  const inbound = buildInbound(address, 'here', { mesh: false })
  const [chain] = inbound.filterChains
  assert.ok(chain !== undefined)
  const listener: Listener = {
    ...inbound,
    name: 'logged',
    inspectHttp: true,
    accessLog: [{ path: '/dev/stdout' }],
    filterChains: [{ ...chain, name: 'web', match: { ...chain.match, applicationProtocols: ['http/1.1'] } }],
    defaultFilterChain: undefined,
  }
  const clusters = [buildCluster('here', [await answering(t, 204)])]
  const { logged } = await startProxy(t, buildConfig({ listeners: [listener], clusters }))
  assert.match(await exchange(address, request), /^HTTP\/1\.1 204/)
  await exchange(address, 'HELO there\r\n')
  await eventually(() => logged.length === 2)
  const [taken, refused] = logged.map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.partialDeepStrictEqual(taken, { listener: 'logged', chain: 'web', bytesReceived: request.length })
  assert.equal(taken?.['refused'], undefined)
  assert.partialDeepStrictEqual(refused, { listener: 'logged', flags: 'NR', refused: 'no-filter-chain', bytesSent: 0 })
})

test('a listener’s log counts what the kernel has passed on', async (t) => {
  const address = await ownAddress(t)
  const megabytes = Buffer.alloc(8_388_608, 'x')
  const server = net.createServer((socket) => socket.on('error', () => {}).end(megabytes))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const inbound = buildInbound(address, 'here', { mesh: false })
  const [chain] = inbound.filterChains
  assert.ok(chain !== undefined)
  const terminal = {
    kind: 'tcp',
    statPrefix: 'raw',
    clusters: [{ cluster: 'here', weight: 1 }],
    idleTimeoutMs: 0,
    maxConnectAttempts: 1,
    accessLog: undefined,
  } as const
  const listener: Listener = {
    ...inbound,
    name: 'logged',
    accessLog: [
      { path: 'own' },
      { path: 'x', format: { kind: 'text', parts: [{ kind: 'bytes-sent' }], omitEmpty: false } },
    ],
    filterChains: [],
    defaultFilterChain: { ...chain, networkFilters: [], tls: undefined, terminal },
  }
  const { port } = server.address() as net.AddressInfo
  const { logged } = await startProxy(
    t,
    buildConfig({ listeners: [listener], clusters: [buildCluster('here', [{ host: '127.0.0.1', port }])] }),
  )
  assert.equal((await exchange(address, '')).length, megabytes.length)
  await eventually(() => logged.length === 2)
  assert.partialDeepStrictEqual(JSON.parse(logged[0] ?? ''), { bytesSent: megabytes.length })
  assert.equal(logged[1], String(megabytes.length))
})
