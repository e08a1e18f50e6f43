import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import tls from 'node:tls'
import type { Address } from '../base/address.ts'
import type { Cluster, FilterChain, Listener } from './config.ts'
import { readProxyHeader } from './detect/proxy-header.ts'
import { buildCluster, buildConfig, buildTcpChain, buildTcpListener } from './testing/build-config.ts'
import { createTestAuthority } from './testing/certificates.ts'
import { eventually, ownAddress, refusingAddress, program, startProxy, type TestProxy } from './testing/world.ts'
import { writeProxyHeader } from './upstream/proxy-header.ts'

/** Says its name first, then echoes, and says "bye" when the other end is done. */
const speaksFirst =
  (name: string) =>
  (socket: Socket): void => {
    socket.write(`${name}: `)
    socket.on('data', (chunk) => socket.write(chunk)).on('end', () => socket.end(' bye'))
  }

interface World extends TestProxy {
  readonly address: Address
}

/** A proxy with one listener in front of programs. */
async function start(
  t: TestContext,
  chains: readonly FilterChain[],
  clusters: readonly Cluster[],
  more: Partial<Listener> = {},
): Promise<World> {
  const address = await ownAddress(t)
  const proxy = await startProxy(t, buildConfig({ listeners: [buildTcpListener(address, chains, more)], clusters }))
  return { ...proxy, address }
}

/** All that comes back for `bytes`, after which we say no more. */
async function exchange(socket: Socket, ...bytes: readonly (string | Buffer)[]): Promise<string> {
  const received: Buffer[] = []
  const closed = new Promise((resolve) => socket.on('error', () => {}).on('close', resolve))
  socket.on('data', (chunk: Buffer) => void received.push(chunk))
  for (const chunk of bytes) socket.write(chunk)
  socket.end()
  await closed
  return Buffer.concat(received).toString('latin1')
}
/** Node's types do not know that a TLS client may keep its own end open. */
const secureDial = (to: Address, servername: string, ca: string): Socket => {
  const options: tls.ConnectionOptions & { allowHalfOpen: boolean } = { ...to, servername, ca, allowHalfOpen: true }
  return tls.connect(options)
}
const dial = ({ host, port }: Address): Socket => net.connect({ host, port, allowHalfOpen: true })

const entry = async ({ logged }: World): Promise<Record<string, unknown>> => {
  await eventually(() => logged.length > 0)
  return JSON.parse(logged.shift() ?? '') as Record<string, unknown>
}

test('the server speaks first, each end closes on its own, and the log tells of it', async (t) => {
  const to = await program(t, speaksFirst('one'))
  const world = await start(t, [buildTcpChain('plain', { one: 1 })], [buildCluster('one', [to])], { inspectTls: false })
  const socket = dial(world.address)
  const [hello] = (await once(socket, 'data')) as [Buffer]
  assert.equal(hello.toString(), 'one: ')
  assert.equal(await exchange(socket, 'hello'), 'hello bye')
  const { time, durationMs, remote, ...line } = await entry(world)
  assert.deepEqual(line, {
    direction: 'outbound',
    protocol: 'tcp',
    bytesReceived: 5,
    bytesSent: 14,
    local: `127.0.0.1:${world.address.port}`,
    cluster: 'one',
    endpoint: `127.0.0.1:${to.port}`,
    attempts: 1,
  })
  assert.ok(typeof time === 'string' && typeof durationMs === 'number' && String(remote).startsWith('127.0.0.1:'))
})

test('a split, and an endpoint that refuses', async (t) => {
  const one = await program(t, speaksFirst('one'))
  const two = await program(t, speaksFirst('two'))
  const dead = await refusingAddress(t)
  const clusters = [buildCluster('one', [one, dead]), buildCluster('two', [two]), buildCluster('none', [dead])]
  const world = await start(t, [buildTcpChain('plain', { one: 1, two: 1, none: 0 })], clusters, { inspectTls: false })
  const answers = new Set<string>()
  for (let count = 0; count < 20; count++) answers.add(await exchange(dial(world.address), 'x'))
  assert.deepEqual([...answers].toSorted(), ['one: x bye', 'two: x bye'])
  const attempts = world.logged.map((line) => (JSON.parse(line) as { attempts: number }).attempts)
  assert.deepEqual(new Set(attempts), new Set([1, 2]), 'one of two endpoints refused now and then')

  const without = await start(
    t,
    [buildTcpChain('plain', { none: 1 }, { terminal: { maxConnectAttempts: 1 } })],
    clusters,
    { inspectTls: false },
  )
  assert.equal(await exchange(dial(without.address), 'x'), '')
  const { flags, fault } = await entry(without)
  assert.deepEqual([flags, fault], ['UF', `cannot connect to 127.0.0.1:${dead.port}: ECONNREFUSED`])
})

test('TLS passes through by server name, exact before wildcard, and is not ended here', async (t) => {
  const authority = await createTestAuthority()
  const secure = async (name: string, dns: string): Promise<Address> => {
    const { keyPem, chainPem } = await authority.issue(`dns:${dns}`)
    const server = tls.createServer({ key: keyPem, cert: chainPem, allowHalfOpen: true }, speaksFirst(name))
    server.on('tlsClientError', () => {})
    return program(t, (socket) => void server.emit('connection', socket))
  }
  const exact = await secure('exact', 'a.example')
  const wild = await secure('wild', '*.test.example')
  const plain = await program(t, speaksFirst('plain'))
  const chains = [
    buildTcpChain('wild', { wild: 1 }, { match: { serverNames: ['*.test.example'] } }),
    buildTcpChain('exact', { exact: 1 }, { match: { serverNames: ['a.example'] } }),
    buildTcpChain('plain', { plain: 1 }, { match: { transportProtocol: 'raw_buffer' } }),
  ]
  const clusters = [buildCluster('exact', [exact]), buildCluster('wild', [wild]), buildCluster('plain', [plain])]
  const world = await start(t, chains, clusters, { inspectTimeoutMs: 10_000 })
  const ask = (servername: string): Promise<string> =>
    exchange(secureDial(world.address, servername, authority.bundlePem), 'x')
  assert.equal(await ask('a.example'), 'exact: x bye')
  assert.equal(await ask('b.test.example'), 'wild: x bye')
  assert.equal(await exchange(dial(world.address), 'x'), 'plain: x bye')
  assert.equal((await entry(world))['serverName'], 'a.example')
  assert.equal(await ask('elsewhere.test'), '', 'no chain: closed')
  const patient = await start(t, chains, clusters, { continueOnInspectTimeout: true, inspectTimeoutMs: 50 })
  const silent = dial(patient.address)
  const [first] = (await once(silent, 'data')) as [Buffer]
  assert.equal(first.toString(), 'plain: ', 'a server that speaks first is waited for no longer than is allowed')
  silent.destroy()
})

test('TLS ends here, raw bytes go on', async (t) => {
  const authority = await createTestAuthority()
  const { keyPem, chainPem } = await authority.issue('dns:a.example')
  const to = await program(t, speaksFirst('one'))
  const ended = {
    certificate: { keyPem, chainPem },
    trust: undefined,
    peer: { kind: 'names', oneOf: [] },
    requireClientCertificate: false,
    alpn: [],
  } as const
  const world = await start(t, [buildTcpChain('ended', { one: 1 }, { tls: ended })], [buildCluster('one', [to])])
  const socket = secureDial(world.address, 'a.example', authority.bundlePem)
  assert.equal(await exchange(socket, 'x'), 'one: x bye')
})

test('a connection that lasts too long, or is silent for too long, is cut', async (t) => {
  const to = await program(t, speaksFirst('one'))
  const clusters = [buildCluster('one', [to])]
  for (const terminal of [{ idleTimeoutMs: 20 }, { maxDurationMs: 20 }]) {
    const world = await start(t, [buildTcpChain('plain', { one: 1 }, { terminal })], clusters, { inspectTls: false })
    const socket = dial(world.address).on('error', () => {})
    await once(socket.resume(), 'end')
    socket.end()
    assert.equal((await entry(world))['bytesSent'], 5)
  }
})

test('PROXY protocol in: who asks is believed, in the log and in the match; without it nothing is taken', async (t) => {
  const one = await program(t, speaksFirst('one'))
  const two = await program(t, speaksFirst('two'))
  const from = { remote: { host: '203.0.113.7', port: 4711 }, local: { host: '198.51.100.1', port: 443 } }
  const near = { destinations: [], directSources: [], sourceType: 'any', sourcePorts: [] } as const
  const world = await start(
    t,
    [
      buildTcpChain('rest', { one: 1 }),
      buildTcpChain(
        'far',
        { two: 1 },
        { match: { addresses: { ...near, sources: [{ prefix: '203.0.113.0', bits: 24 }] } } },
      ),
    ],
    [buildCluster('one', [one]), buildCluster('two', [two])],
    { proxyProtocol: { optional: false, versions: [1, 2] } },
  )
  for (const version of ['v1', 'v2'] as const) {
    const header = writeProxyHeader(version, from)
    assert.equal(await exchange(dial(world.address), Buffer.concat([header, Buffer.from('hi')])), 'two: hi bye')
    const { remote, local } = await entry(world)
    assert.deepEqual([remote, local], ['203.0.113.7:4711', '198.51.100.1:443'])
    const slowly = dial(world.address).setNoDelay(true)
    for (const byte of header) {
      slowly.write(Buffer.of(byte))
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.equal(await exchange(slowly, 'slow'), 'two: slow bye')
    await entry(world)
  }
  assert.equal(await exchange(dial(world.address), 'PROXY UNKNOWN\r\nhi'), 'one: hi bye', 'the proxy for itself')
  assert.match(String((await entry(world))['remote']), /^127\.0\.0\.1:/)
  for (const bytes of ['hello', 'PROXY TCP9 x\r\n', Buffer.from('0d0a0d0a000d0a515549540aff', 'hex')])
    assert.equal(await exchange(dial(world.address), bytes), '')
  const refused = 'weft_refused_total{listener="tcp/'
  await eventually(() => world.metrics.exposition().includes(refused))
  assert.match(world.metrics.exposition(), /weft_refused_total\{.*reason="proxy-protocol"\} 2/)
})

test('PROXY protocol out: the upstream hears who asks, in front of TLS too', async (t) => {
  const authority = await createTestAuthority()
  const { keyPem, chainPem } = await authority.issue('dns:up.example')
  const heads: string[] = []
  const server = tls.createServer({ key: keyPem, cert: chainPem, allowHalfOpen: true }, speaksFirst('secure'))
  /** Takes the header away, then serves what follows. */
  const behindHeader =
    (serve: (socket: Socket) => void) =>
    (socket: Socket): void => {
      socket.once('readable', () => {
        const bytes = socket.read() as Buffer
        const seen = readProxyHeader(bytes)
        if (seen === 'more' || seen.kind !== 'header') return void socket.destroy()
        heads.push(`${seen.version} ${seen.addresses?.source.host}:${seen.addresses?.source.port}`)
        if (bytes.length > seen.length) socket.unshift(bytes.subarray(seen.length))
        serve(socket)
      })
    }
  const plain = await program(t, behindHeader(speaksFirst('plain')))
  const secure = await program(
    t,
    behindHeader((socket) => void server.emit('connection', socket)),
  )
  const own = buildCluster('secure', [secure])
  const clusters: Cluster[] = [
    { ...buildCluster('plain', [plain]), proxyHeaders: new Map([['', 'v1']]) },
    {
      ...own,
      proxyHeaders: new Map([['', 'v2']]),
      transports: new Map([
        [
          '',
          {
            certificate: undefined,
            trust: { pem: authority.bundlePem },
            peer: { kind: 'names', oneOf: [] },
            sni: 'up.example',
            alpn: [],
          },
        ],
      ]),
    },
  ]
  for (const [name, head] of [
    ['plain', '1'],
    ['secure', '2'],
  ] as const) {
    const world = await start(t, [buildTcpChain(name, { [name]: 1 })], clusters, { inspectTls: false })
    const socket = dial(world.address)
    await once(socket, 'connect')
    const { localPort } = socket
    assert.equal(await exchange(socket, 'x'), `${name}: x bye`)
    assert.equal(heads.pop(), `${head} 127.0.0.1:${localPort}`)
  }
})

test('a slow reader slows the writer: what is in between stays small', async (t) => {
  const size = 64 * 1024 * 1024
  let written = 0
  const to = await program(t, (socket) => {
    const chunk = Buffer.alloc(64 * 1024)
    const more = (): void => {
      while (written < size) {
        written += chunk.length
        if (!socket.write(chunk)) return void socket.once('drain', more)
      }
      socket.end()
    }
    more()
  })
  const world = await start(t, [buildTcpChain('plain', { one: 1 })], [buildCluster('one', [to])], { inspectTls: false })
  const socket = dial(world.address).pause()
  let before = -1
  // Nobody reads: the writer comes to rest, far from the end.
  while (written !== before) {
    before = written
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  assert.ok(written > 0 && written < size / 2, `${written} bytes are on their way`)
  let read = 0
  socket.on('data', (chunk) => void (read += chunk.length)).on('end', () => socket.end())
  socket.resume()
  await once(socket, 'close')
  assert.equal(read, size)
})

test('a raw connection goes to the endpoints that its route asks for, and one client always to the same of a ring', async (t) => {
  const names = ['one', 'two', 'three']
  const places = await Promise.all(names.map((name) => program(t, speaksFirst(name))))
  const whole = buildCluster('all', places)
  const endpoints = whole.endpoints.map((one, index) => ({ ...one, metadata: { v: names[index] } }))
  const subsets = {
    fallback: 'none',
    defaultSubset: {},
    selectors: [{ keys: ['v'] }],
    listAsAny: false,
    localityWeightAware: false,
  } as const
  const ring = { ...whole, name: 'ring', loadBalancing: { kind: 'maglev', tableSize: 101 } } as const
  const ask = async (cluster: Cluster, more: object): Promise<string> => {
    const chain = buildTcpChain('plain', { [cluster.name]: 1 })
    const terminal = { ...chain.terminal, ...more } as FilterChain['terminal']
    const world = await start(t, [{ ...chain, terminal }], [cluster], { inspectTls: false })
    const said: string[] = []
    for (let n = 0; n < 6; n++) said.push(await exchange(dial(world.address), 'x'))
    return [...new Set(said)].join()
  }
  const clusters = [{ cluster: 'all', weight: 1, subset: { v: 'two' } }]
  assert.equal(await ask({ ...whole, endpoints, subsets }, { clusters }), 'two: x bye')
  assert.match(await ask(ring, { hashBySource: true }), /^\w+: x bye$/)
})
