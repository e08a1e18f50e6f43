import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import { Resolver } from 'node:dns/promises'
import { test, type TestContext } from 'node:test'
import { seeded } from '../../base/random.ts'
import { systemClock } from '../../base/clock.ts'
import type { NamedService } from '../config.ts'
import { createAnswerCache } from './answer-cache.ts'
import { createForward, framed } from './forward.ts'
import { answerFromNames } from './mesh-names.ts'
import { answerReply, dns, readQuery } from './message.ts'
import { parseResolvers } from './resolvers.ts'
import { createDnsServer } from './serve-dns.ts'
import { query, record, replyTo } from './testing/messages.ts'

const web: NamedService = {
  namespace: 'default',
  name: 'web',
  ports: [
    { port: 80, protocol: 'http', name: 'http' },
    { port: 9090, protocol: 'tcp' },
  ],
  virtualIp: '240.1.2.3',
}
const names: Readonly<Record<string, NamedService>> = {
  web,
  'web.default.svc.cluster.local': web,
  'new.shop': { namespace: 'shop', name: 'new', ports: [] },
  db: { namespace: 'default', name: 'db', ports: [{ port: 5432, protocol: 'tcp', name: 'sql' }] },
  'far.example': { namespace: 'shop', name: 'far', ports: [], hosts: ['far.example'] },
}

const instancesOf = ({ name }: NamedService): readonly NamedService[] =>
  name === 'db'
    ? ['a', 'b'].map((one, index) => ({
        namespace: 'default',
        name: `${one}.db`,
        ports: [],
        virtualIp: `240.9.9.${index}`,
      }))
    : []

async function start(t: TestContext, resolvers: () => readonly { host: string; port: number }[] = () => []) {
  const counts: string[] = []
  const server = createDnsServer({
    lookup: (question) => answerFromNames(question, { find: (host) => names[host], instancesOf }, ['corp.example']),
    forward: createForward({ resolvers, clock: systemClock }),
    cache: createAnswerCache(systemClock),
    answered: (how) => counts.push(how),
    clock: systemClock,
  })
  const udp = dgram.createSocket('udp4')
  udp.bind(0, '127.0.0.1')
  await once(udp, 'listening')
  const tcp = net.createServer().listen(0, '127.0.0.1')
  await once(tcp, 'listening')
  server.addUdp({ socket: udp, stop: () => {} })
  server.addTcp(tcp)
  t.after(() => server.close())
  const { port } = udp.address()
  const resolver = new Resolver({ timeout: 2000, tries: 1 })
  resolver.setServers([`127.0.0.1:${port}`])
  return { port, tcpPort: (tcp.address() as net.AddressInfo).port, counts, resolver }
}

/** A resolver of the host's that answers with what `reply` makes; gives its port. */
async function otherResolver(t: TestContext, reply: (message: Buffer) => Buffer, host = '127.0.0.1'): Promise<number> {
  const other = dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4')
  other.on('message', (message, from) => other.send(reply(message), from.port, from.address))
  other.bind(0, host)
  await once(other, 'listening')
  t.after(() => other.close())
  return other.address().port
}

async function askUdp(port: number, message: Buffer): Promise<Buffer> {
  const socket = dgram.createSocket('udp4')
  socket.send(message, port, '127.0.0.1')
  const [reply] = (await once(socket, 'message')) as [Buffer]
  socket.close()
  return reply
}

async function askTcp(port: number, pieces: readonly Buffer[]): Promise<Buffer> {
  const socket = net.connect(port, '127.0.0.1')
  for (const piece of pieces) {
    socket.write(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
  const chunks: Buffer[] = []
  for await (const chunk of socket) {
    chunks.push(chunk as Buffer)
    const all = Buffer.concat(chunks)
    if (all.length >= 2 && all.length >= 2 + all.readUInt16BE(0)) {
      socket.destroy()
      return all.subarray(2)
    }
  }
  throw new Error('closed without an answer')
}

test('names of the mesh are answered with their address, to a resolver that is not ours', async (t) => {
  const { resolver, counts } = await start(t)
  assert.deepEqual(await resolver.resolve4('web', { ttl: true }), [{ address: '240.1.2.3', ttl: 30 }])
  assert.deepEqual(await resolver.resolve4('WEB'), ['240.1.2.3'])
  // The name exists and has no IPv6 address: NOERROR without records, which c-ares calls ENODATA.
  await assert.rejects(resolver.resolve6('web'), { code: 'ENODATA' })
  await assert.rejects(resolver.resolveMx('web'), { code: 'ENODATA' })
  await assert.rejects(resolver.resolve4('new.shop'), { code: 'ESERVFAIL' })
  await assert.rejects(resolver.resolve4('nobody.mesh'), { code: 'ENOTFOUND' }, 'nobody else is asked for our own')
  assert.deepEqual([...new Set(counts)], ['mesh'])
})

test('a headless service is its instances, each with a name', async (t) => {
  const { resolver, port } = await start(t)
  assert.deepEqual(await resolver.resolve4('db'), ['240.9.9.0', '240.9.9.1'])
  await assert.rejects(resolver.resolve6('db'), { code: 'ENODATA' })
  const targets = await resolver.resolveSrv('_sql._tcp.db')
  assert.deepEqual(targets.map((one) => `${one.name}:${one.port}`).toSorted(), [
    'a.db.default.svc.cluster.local:5432',
    'b.db.default.svc.cluster.local:5432',
  ])
  assert.equal((await askUdp(port, query('_sql._tcp.db', dns.srv))).readUInt16BE(10), 2, 'the addresses come along')
})

test('a search domain that the resolver puts behind a short name does not hide the mesh', async (t) => {
  const { resolver } = await start(t)
  assert.deepEqual(await resolver.resolve4('web.corp.example'), ['240.1.2.3'])
  await assert.rejects(resolver.resolve4('web.other.example'), { code: 'ESERVFAIL' }, 'nobody is there to ask')
})

test('SRV names the port of a service by its name', async (t) => {
  const { resolver, port } = await start(t)
  assert.deepEqual(await resolver.resolveSrv('_http._tcp.web'), [
    { type: 'SRV', name: 'web.default.svc.cluster.local', port: 80, priority: 0, weight: 1 },
  ])
  await assert.rejects(resolver.resolveSrv('_grpc._tcp.web'), { code: 'ENOTFOUND' })
  await assert.rejects(resolver.resolve4('_http._tcp.web'), { code: 'ENODATA' })
  const reply = await askUdp(port, query('_http._tcp.web', dns.srv))
  assert.equal(reply.readUInt16BE(10), 1, 'the address comes along')
  assert.deepEqual([...reply.subarray(-4)], [240, 1, 2, 3])
})

test('what does not fit into the reply that the asker takes is cut, and comes by TCP', () => {
  const many = { records: Array(40).fill({ type: 'A', name: 'web', address: '240.0.0.1' } as const), additional: [] }
  const replyOf = (asked: Buffer, limit?: number): Buffer => {
    const question = readQuery(asked)
    assert.ok(typeof question === 'object')
    return answerReply(asked, question, many, { ttlSeconds: 30, limitBytes: limit ?? question.udpBytes })
  }
  const isCut = (reply: Buffer): boolean => (reply.readUInt8(2) & 2) !== 0
  const plain = replyOf(query('web'))
  assert.ok(isCut(plain) && plain.length <= 512 && plain.readUInt16BE(6) === 0)
  const larger = replyOf(query('web', 1, { edns: 4096 }))
  assert.equal(isCut(larger), false)
  assert.equal(larger.readUInt16BE(10), 1, 'EDNS is answered with EDNS')
  assert.equal(larger.readUInt16BE(larger.length - 8), 1232)
  assert.ok(isCut(replyOf(query('web', 1, { edns: 100 }))), 'less than 512 bytes are not believed')
  assert.equal(isCut(replyOf(query('web'), 65_535)), false)
})

test('over TCP, cut anywhere, several on one connection', async (t) => {
  const { tcpPort: port } = await start(t)
  const whole = framed(query('web'))
  const reply = await askTcp(port, [whole.subarray(0, 1), whole.subarray(1, 9), whole.subarray(9)])
  assert.deepEqual([...reply.subarray(-4)], [240, 1, 2, 3])
  const socket = net.connect(port, '127.0.0.1')
  socket.write(Buffer.concat([framed(query('web', 1, { id: 1 })), framed(query('web', 1, { id: 2 }))]))
  let bytes = Buffer.alloc(0)
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk as Buffer])
    if (bytes.length >= 2 * (2 + bytes.readUInt16BE(0))) break
  }
  assert.equal(bytes.readUInt16BE(2), 1)
  assert.equal(bytes.readUInt16BE(2 + bytes.readUInt16BE(0) + 2), 2)
})

test('everything else is asked of the resolvers, one after the other, passed on as it is, and kept', async (t) => {
  let asked = 0
  const good = await otherResolver(t, (message) => {
    asked++
    return replyTo(message, { answers: [record(1, 60, [192, 0, 2, 7])] })
  })
  // Nobody is at the first one, the second will not answer, the third answers another question.
  const silent = dgram.createSocket('udp4')
  silent.bind(0, '127.0.0.1')
  await once(silent, 'listening')
  const nobody = silent.address().port
  silent.close()
  const unwilling = await otherResolver(t, (message) => replyTo(message, { code: 5 }))
  const { resolver, counts } = await start(t, () =>
    [nobody, unwilling, good].map((port) => ({ host: '127.0.0.1', port })),
  )
  assert.deepEqual(await resolver.resolve4('example.test'), ['192.0.2.7'])
  assert.deepEqual(await resolver.resolve4('far.example'), ['192.0.2.7'], 'addresses of its own are looked up outside')
  assert.deepEqual(await resolver.resolve4('Example.TEST'), ['192.0.2.7'])
  assert.equal(asked, 2)
  assert.deepEqual(counts, ['forwarded', 'forwarded', 'cached'])
})

test('a reply to another question is none, and all resolvers failing is said as the first one said it', async (t) => {
  const other = await otherResolver(t, (message) =>
    replyTo(query('evil.test', 1, { id: message.readUInt16BE(0) }), { answers: [record(1, 60, [192, 0, 2, 66])] }),
  )
  const refusing = await otherResolver(t, (message) => replyTo(message, { code: 5 }))
  const { resolver } = await start(t, () => [other, refusing].map((port) => ({ host: '127.0.0.1', port })))
  await assert.rejects(resolver.resolve4('example.test'), { code: 'EREFUSED' })
})

test('a resolver may have an IPv6 address', async (t) => {
  const reply = (message: Buffer): Buffer => replyTo(message, { answers: [record(1, 60, [192, 0, 2, 9])] })
  let port: number
  try {
    port = await otherResolver(t, reply, '::1')
  } catch (error) {
    return t.skip(`this machine has no IPv6 loopback: ${String(error)}`)
  }
  const { resolver } = await start(t, () => [{ host: '::1', port }])
  assert.deepEqual(await resolver.resolve4('example.test'), ['192.0.2.9'])
})

test('over TCP what is not ours goes on over TCP', async (t) => {
  const other = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (chunk: Buffer) => {
      socket.end(framed(replyTo(chunk.subarray(2), { answers: [record(1, 5, [192, 0, 2, 8])] })))
    })
  })
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.after(() => other.close())
  const { tcpPort: port } = await start(t, () => [
    { host: '127.0.0.1', port: (other.address() as net.AddressInfo).port },
  ])
  assert.deepEqual([...(await askTcp(port, [framed(query('example.test'))])).subarray(-4)], [192, 0, 2, 8])
})

test('without a resolver it says so', async (t) => {
  const { resolver, counts } = await start(t)
  await assert.rejects(resolver.resolve4('example.test'), { code: 'ESERVFAIL' })
  assert.deepEqual(counts, ['failed'])
})

test('hostile bytes get an error or silence, and the next query its answer', async (t) => {
  const { port, resolver } = await start(t)
  const head = query('web').subarray(0, 12)
  for (const broken of [
    Buffer.alloc(0),
    head.subarray(0, 11),
    head,
    Buffer.concat([head, Buffer.from([0xc0, 0x0c, 0, 1, 0, 1])]),
    Buffer.concat([head, Buffer.from([64]), Buffer.alloc(70, 97)]),
    Buffer.concat([head, ...Array.from({ length: 5 }, () => Buffer.concat([Buffer.from([63]), Buffer.alloc(63, 97)]))]),
  ]) {
    if (broken.length < 12) {
      const socket = dgram.createSocket('udp4')
      socket.send(broken, port, '127.0.0.1', () => socket.close())
      continue
    }
    const reply = await askUdp(port, broken)
    assert.equal(reply.readUInt8(3) & 15, 1, 'format error')
  }
  // A label with a dot in it is not the name that it looks like.
  assert.equal(
    (await askUdp(port, Buffer.concat([head, Buffer.from([3, 119, 46, 98, 0, 0, 1, 0, 1])]))).readUInt8(3) & 15,
    2,
  )
  assert.deepEqual(await resolver.resolve4('web'), ['240.1.2.3'])
})

test('whatever comes, the server lives, and every reply is one to its query', async (t) => {
  const { port, tcpPort, resolver } = await start(t)
  const random = seeded(7)
  const socket = dgram.createSocket('udp4')
  const seeds = [query('web'), query('_http._tcp.web', dns.srv, { edns: 1400 }), query('x.corp.example', 28)]
  const mutated = (): Buffer => {
    const bytes = Buffer.from(seeds[random.index(seeds.length)] ?? '')
    for (let changes = random.index(6); changes >= 0; changes--) bytes[random.index(bytes.length)] = random.index(256)
    return bytes.subarray(0, random.below(4) < 1 ? random.index(bytes.length) : bytes.length)
  }
  let wrong = 0
  socket.on('message', (reply) => {
    if (reply.length < 12 || (reply.readUInt8(2) & 0x80) === 0) wrong++
  })
  for (let round = 0; round < 2000; round++) {
    socket.send(mutated(), port, '127.0.0.1')
    if (round % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  for (let round = 0; round < 50; round++) {
    const client = net.connect(tcpPort, '127.0.0.1').on('error', () => {})
    client.end(random.below(2) < 1 ? framed(mutated()) : mutated())
    client.resume()
    await once(client, 'close')
  }
  assert.equal(wrong, 0)
  socket.close()
  assert.deepEqual(await resolver.resolve4('web'), ['240.1.2.3'])
})

test('resolv.conf', () => {
  const text = '# x\nsearch old\nsearch A.example. b\nnameserver 10.0.0.1\n nameserver\t::1 # y\nnameserver no\n'
  assert.deepEqual(parseResolvers(text), {
    servers: [
      { host: '10.0.0.1', port: 53 },
      { host: '::1', port: 53 },
    ],
    search: ['a.example', 'b'],
  })
  assert.deepEqual(parseResolvers(''), { servers: [{ host: '127.0.0.1', port: 53 }], search: [] })
})
