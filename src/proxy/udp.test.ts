import assert from 'node:assert/strict'
import dgram, { type Socket } from 'node:dgram'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import type { Address } from '../base/address.ts'
import { bindDatagrams } from './listener/datagrams.ts'
import type { Cluster, Listener, UdpProxy } from './config.ts'
import { buildCluster, buildConfig } from './testing/build-config.ts'
import { eventually, ownDatagramAddress, startProxy, type TestProxy } from './testing/world.ts'

const loopback = { host: '127.0.0.1', port: 0 }

async function bound(t: TestContext): Promise<{ socket: Socket; at: Address }> {
  const { socket } = await bindDatagrams(loopback)
  t.after(() => closeOnce(socket))
  return { socket, at: { host: '127.0.0.1', port: socket.address().port } }
}
const closed = new WeakSet<Socket>()
const closeOnce = (socket: Socket): void => {
  if (!closed.has(socket)) socket.close()
  closed.add(socket)
}

/** Answers every datagram with its name in front. */
async function echo(t: TestContext, name: string): Promise<{ at: Address; socket: Socket }> {
  const { socket, at } = await bound(t)
  socket.on('message', (datagram, { address, port }) => socket.send(`${name}: ${datagram.toString()}`, port, address))
  return { at, socket }
}

const buildUdp = (address: Address, more: Partial<UdpProxy> = {}): Listener => ({
  name: 'udp',
  address,
  direction: 'unspecified',
  udp: {
    statPrefix: 'udp',
    clusters: [{ cluster: 'one', weight: 1 }],
    idleTimeoutMs: 60_000,
    hash: undefined,
    accessLog: [{ path: '/dev/stdout' }],
    ...more,
  },
  inspectTls: false,
  inspectTimeoutMs: 0,
  filterChains: [],
  defaultFilterChain: undefined,
  routeByName: false,
})

/** A proxy in front of these clusters. */
async function start(
  t: TestContext,
  clusters: readonly Cluster[],
  more: Partial<UdpProxy> = {},
): Promise<TestProxy & { address: Address }> {
  const address = await ownDatagramAddress(t)
  const proxy = await startProxy(t, buildConfig({ listeners: [buildUdp(address, more)], clusters }))
  return { ...proxy, address }
}

async function ask({ socket }: { socket: Socket }, { port }: Address, text: string): Promise<string> {
  const answered = once(socket, 'message') as Promise<[Buffer, dgram.RemoteInfo]>
  socket.send(text, port, '127.0.0.1')
  const [datagram, from] = await answered
  assert.equal(from.port, port, 'the answer comes from where it was asked')
  return datagram.toString()
}

test('a source is a session: it keeps its endpoint, and others have theirs', async (t) => {
  const servers = [await echo(t, 'a'), await echo(t, 'b')]
  const { address, metrics, proxy, logged } = await start(t, [
    buildCluster(
      'one',
      servers.map(({ at }) => at),
    ),
  ])
  const clients = [await bound(t), await bound(t)]
  const first = await Promise.all(clients.map((client) => ask(client, address, 'hi')))
  assert.deepEqual(first.toSorted(), ['a: hi', 'b: hi'], 'round robin, session by session')
  for (let round = 0; round < 5; round++)
    assert.deepEqual(await Promise.all(clients.map((client) => ask(client, address, 'hi'))), first)
  const text = metrics.exposition()
  for (const line of [
    'weft_udp_sessions_total{destination_service="one"} 2',
    'weft_udp_sessions_active{destination_service="one"} 2',
    'weft_udp_received_datagrams_total{destination_service="one"} 12',
    'weft_udp_received_bytes_total{destination_service="one"} 24',
    'weft_udp_sent_datagrams_total{destination_service="one"} 12',
    'weft_udp_sent_bytes_total{destination_service="one"} 60',
  ])
    assert.ok(text.includes(line), line)
  const deadlineMs = 10_000
  await proxy.drain(deadlineMs)
  const entries = logged.map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.deepEqual(
    entries.map(({ protocol, cluster, bytesReceived, bytesSent }) => [protocol, cluster, bytesReceived, bytesSent]),
    [
      ['udp', 'one', 12, 30],
      ['udp', 'one', 12, 30],
    ],
  )
})

test('a log in a format of its own tells of a session what there is to tell', async (t) => {
  const kinds = ['cluster', 'upstream-host', 'bytes-received', 'bytes-sent', 'response-code', 'log-type'] as const
  const fields = kinds.map((kind) => [kind, { kind: 'value', parts: [{ kind }] }] as const)
  const { at } = await echo(t, 'a')
  const { address, proxy, logged } = await start(t, [buildCluster('one', [at])], {
    accessLog: [{ path: 'x', format: { kind: 'json', fields, omitEmpty: false } }],
  })
  await ask(await bound(t), address, 'hi')
  await proxy.drain(10_000)
  assert.deepEqual(
    logged.map((line) => JSON.parse(line) as unknown),
    [
      {
        cluster: 'one',
        'upstream-host': `127.0.0.1:${at.port}`,
        'bytes-received': 2,
        'bytes-sent': 5,
        'response-code': 0,
        'log-type': 'UdpSessionEnd',
      },
    ],
  )
})

test('by the source address, sessions of one host meet at one endpoint', async (t) => {
  const servers = await Promise.all(['a', 'b', 'c', 'd'].map((name) => echo(t, name)))
  const cluster = buildCluster(
    'one',
    servers.map(({ at }) => at),
    { loadBalancing: { kind: 'ring-hash', minSize: 1024, maxSize: 8192 } },
  )
  const { address } = await start(t, [cluster], { hash: 'source-ip' })
  const clients = await Promise.all(servers.map(() => bound(t)))
  const answers = await Promise.all(clients.map((client) => ask(client, address, 'hi')))
  assert.equal(new Set(answers).size, 1)
})

test('an endpoint that is gone: the session moves; a port where nobody is tells so', async (t) => {
  const [a, b] = [await echo(t, 'a'), await echo(t, 'b')]
  const world = await start(t, [buildCluster('one', [a.at])])
  const client = await bound(t)
  assert.equal(await ask(client, world.address, '1'), 'a: 1')
  const listeners = [...world.config.value.listeners.values()]
  world.config.set(buildConfig({ listeners, clusters: [buildCluster('one', [b.at])] }))
  assert.equal(await ask(client, world.address, '2'), 'b: 2')
  // From now on it takes datagrams of one other only: for all else nobody is there, and nobody can come.
  b.socket.connect(a.at.port, a.at.host)
  await once(b.socket, 'connect')
  client.socket.send('3', world.address.port, '127.0.0.1')
  await eventually(() => world.metrics.exposition().includes('sessions_active{destination_service="one"} 0'))
  const flags = world.logged.map((line) => (JSON.parse(line) as { flags?: string }).flags)
  assert.deepEqual(flags, [undefined, 'UF'])
})

test('a silent session ends', async (t) => {
  const { at } = await bound(t)
  const world = await start(t, [buildCluster('one', [at])], { idleTimeoutMs: 1 })
  const client = await bound(t)
  client.socket.send('1', world.address.port, '127.0.0.1')
  await eventually(() => world.logged.length === 1)
  assert.ok(world.metrics.exposition().includes('sessions_active{destination_service="one"} 0'))
})

test('no more sessions than the cluster allows, and none without an endpoint', async (t) => {
  const a = await echo(t, 'a')
  const limits = { ...buildCluster('x', []).limits, maxConnections: 1 }
  const { address, metrics } = await start(t, [buildCluster('one', [a.at], { limits })])
  const [first, second] = [await bound(t), await bound(t)]
  assert.equal(await ask(first, address, 'hi'), 'a: hi')
  second.socket.send('hi', address.port, '127.0.0.1')
  const dropped = (reason: string, count: number): string =>
    `weft_udp_dropped_datagrams_total{destination_service="one",reason="${reason}"} ${count}`
  await eventually(() => metrics.exposition().includes(dropped('overflow', 1)))
  assert.equal(await ask(first, address, 'still'), 'a: still')

  const empty = await start(t, [buildCluster('one', [])])
  second.socket.send('hi', empty.address.port, '127.0.0.1')
  await eventually(() => empty.metrics.exposition().includes(dropped('no-endpoint', 1)))
})

test('sources are spread over clusters by weight; a cluster that is not there drops its share; one that goes away loses its sessions', async (t) => {
  const [a, b] = [await echo(t, 'a'), await echo(t, 'b')]
  const clusters = [buildCluster('a', [a.at]), buildCluster('b', [b.at])]
  const split = (weights: Readonly<Record<string, number>>): Pick<UdpProxy, 'clusters'> => ({
    clusters: Object.entries(weights).map(([cluster, weight]) => ({ cluster, weight })),
  })
  const world = await start(t, clusters, split({ a: 1, b: 1 }))
  const clients = await Promise.all(Array.from({ length: 40 }, () => bound(t)))
  const answers = await Promise.all(clients.map((client) => ask(client, world.address, 'hi')))
  const ofA = answers.filter((one) => one === 'a: hi').length
  assert.ok(ofA > 5 && ofA < 35, `${ofA} of 40 by a`)
  assert.deepEqual(await Promise.all(clients.map((client) => ask(client, world.address, 'hi'))), answers)

  const moved = buildUdp(world.address, split({ a: 0, b: 1 }))
  world.config.set(buildConfig({ listeners: [moved], clusters }))
  const now = await Promise.all(clients.map((client) => ask(client, world.address, 'hi')))
  assert.deepEqual(new Set(now), new Set(['b: hi']))

  const gone = buildUdp(world.address, split({ nobody: 1 }))
  world.config.set(buildConfig({ listeners: [gone], clusters }))
  clients[0]?.socket.send('hi', world.address.port, '127.0.0.1')
  const dropped = 'weft_udp_dropped_datagrams_total{destination_service="nobody",reason="no-cluster"} 1'
  await eventually(() => world.metrics.exposition().includes(dropped))
})

test('datagrams of any size and content pass whole', async (t) => {
  const { socket, at } = await bound(t)
  socket.on('message', (datagram, { address, port }) => socket.send(datagram, port, address))
  const { address } = await start(t, [buildCluster('one', [at])])
  const client = await bound(t)
  for (const size of [0, 1, 1472, 9000, 60_000]) {
    const sent = Buffer.alloc(size, size % 251)
    const answered = once(client.socket, 'message') as Promise<[Buffer]>
    client.socket.send(sent, address.port, '127.0.0.1')
    const [received] = await answered
    assert.ok(received.equals(sent), `${size} bytes`)
  }
})
