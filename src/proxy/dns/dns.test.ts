import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import { Resolver } from 'node:dns/promises'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { createForward, framed } from './forward.ts'
import { addressReply, readQuery } from './message.ts'
import { parseResolvers } from './resolvers.ts'
import { createDnsServer } from './serve-dns.ts'

/** A query as a resolver library writes it. */
function query(name: string, type = 1, id = 0x1234): Buffer {
  const head = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]))
  return Buffer.concat([head, ...labels, Buffer.from([0, type >> 8, type & 255, 0, 1])])
}

const names: Readonly<Record<string, { address: string | undefined }>> = {
  web: { address: '240.1.2.3' },
  'new.shop': { address: undefined },
}

async function start(t: TestContext, resolvers: () => readonly { host: string; port: number }[] = () => []) {
  const counts: string[] = []
  const server = createDnsServer({
    lookup: (name) => names[name],
    forward: createForward({ resolvers, clock: systemClock }),
    answered: (how) => counts.push(how),
    clock: systemClock,
  })
  const udp = dgram.createSocket('udp4')
  udp.bind(0, '127.0.0.1')
  await once(udp, 'listening')
  const tcp = net.createServer().listen(0, '127.0.0.1')
  await once(tcp, 'listening')
  server.addUdp(udp)
  server.addTcp(tcp)
  t.after(() => server.close())
  const { port } = udp.address()
  const resolver = new Resolver({ timeout: 2000, tries: 1 })
  resolver.setServers([`127.0.0.1:${port}`])
  return { port, tcpPort: (tcp.address() as net.AddressInfo).port, counts, resolver }
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
  assert.deepEqual([...new Set(counts)], ['mesh'])
})

test('over TCP, cut anywhere, several on one connection', async (t) => {
  const { tcpPort: port } = await start(t)
  const whole = framed(query('web'))
  const reply = await askTcp(port, [whole.subarray(0, 1), whole.subarray(1, 9), whole.subarray(9)])
  assert.deepEqual([...reply.subarray(-4)], [240, 1, 2, 3])
  const socket = net.connect(port, '127.0.0.1')
  socket.write(Buffer.concat([framed(query('web', 1, 1)), framed(query('web', 1, 2))]))
  let bytes = Buffer.alloc(0)
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk as Buffer])
    if (bytes.length >= 2 * (2 + bytes.readUInt16BE(0))) break
  }
  assert.equal(bytes.readUInt16BE(2), 1)
  assert.equal(bytes.readUInt16BE(2 + bytes.readUInt16BE(0) + 2), 2)
})

test('everything else is asked of the resolvers, one after the other, and passed on as it is', async (t) => {
  const other = dgram.createSocket('udp4')
  other.on('message', (message, from) => {
    const question = readQuery(message)
    assert.ok(typeof question === 'object')
    other.send(addressReply(message, question, ['192.0.2.7'], 5), from.port, from.address)
  })
  other.bind(0, '127.0.0.1')
  await once(other, 'listening')
  t.after(() => other.close())
  // Nobody is at the first one.
  const silent = dgram.createSocket('udp4')
  silent.bind(0, '127.0.0.1')
  await once(silent, 'listening')
  const nobody = silent.address().port
  silent.close()
  const { resolver, counts } = await start(t, () => [
    { host: '127.0.0.1', port: nobody },
    { host: '127.0.0.1', port: other.address().port },
  ])
  assert.deepEqual(await resolver.resolve4('example.test'), ['192.0.2.7'])
  assert.deepEqual(counts, ['forwarded'])
})

test('over TCP what is not ours goes on over TCP', async (t) => {
  const other = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (chunk: Buffer) => {
      const message = chunk.subarray(2)
      const question = readQuery(message)
      assert.ok(typeof question === 'object')
      socket.end(framed(addressReply(message, question, ['192.0.2.8'], 5)))
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

test('resolv.conf', () => {
  assert.deepEqual(parseResolvers('# x\nsearch a b\nnameserver 10.0.0.1\n nameserver\t::1 # y\nnameserver no\n'), [
    { host: '10.0.0.1', port: 53 },
    { host: '::1', port: 53 },
  ])
  assert.deepEqual(parseResolvers(''), [{ host: '127.0.0.1', port: 53 }])
})
