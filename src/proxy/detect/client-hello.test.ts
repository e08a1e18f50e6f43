import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { test } from 'node:test'
import tls from 'node:tls'
import { longestHello, readClientHello } from './client-hello.ts'

/** The first bytes that Node's own client says. */
async function helloOf(options: tls.ConnectionOptions): Promise<Buffer> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = tls.connect({ ...options, port, host: '127.0.0.1' }).on('error', () => {})
  const [socket] = (await once(server, 'connection')) as [net.Socket]
  let bytes = Buffer.alloc(0)
  while (bytes.length < 5 || bytes.length < 5 + bytes.readUInt16BE(3)) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    bytes = Buffer.concat([bytes, chunk])
  }
  client.destroy()
  socket.destroy()
  server.close()
  return bytes
}

/** The same handshake message in records of `size` bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5)
  const pieces: Buffer[] = []
  for (let at = 0; at < message.length; at += size) {
    const piece = message.subarray(at, at + size)
    pieces.push(Buffer.from([0x16, 3, 1, piece.length >> 8, piece.length & 0xff]), piece)
  }
  return Buffer.concat(pieces)
}

test('reads server name and ALPN, cut anywhere and over several records', async () => {
  const hello = await helloOf({ servername: 'Web.Default.', ALPNProtocols: ['weft', 'h2', 'http/1.1'] })
  const expected = { serverName: 'web.default', applicationProtocols: ['weft', 'h2', 'http/1.1'] }
  assert.deepEqual(readClientHello(hello), expected)
  for (let at = 0; at < hello.length; at++) assert.equal(readClientHello(hello.subarray(0, at)), 'more', `cut at ${at}`)
  for (const size of [1, 3, 7, 100]) {
    const cut = inRecords(hello, size)
    assert.deepEqual(readClientHello(cut), expected)
    for (let at = 0; at < cut.length - 5; at += 11) assert.equal(readClientHello(cut.subarray(0, at)), 'more')
  }
})

test('a hello without name or ALPN', async () => {
  const hello = await helloOf({})
  assert.deepEqual(readClientHello(hello), { serverName: undefined, applicationProtocols: [] })
})

test('what stands behind the message is none of it', async () => {
  const hello = await helloOf({ servername: 'web' })
  const short = Buffer.from(hello)
  // A message that says it is one byte long: the rest of its record must not be read as the hello, be it there or not.
  short.writeUIntBE(1, 6, 3)
  for (let at = 10; at <= short.length; at++)
    assert.equal(readClientHello(short.subarray(0, at)), 'other', `cut at ${at}`)
  const early = Buffer.concat([hello, Buffer.from([0x17, 3, 3, 0, 1, 0])])
  assert.deepEqual(readClientHello(early), readClientHello(hello), 'early data')
})

test('what is no hello is told apart by its first bytes', () => {
  for (const text of ['G', 'GET / HTTP/1.1\r\n', 'SSH-2.0', '\x15\x03\x01', '\x16\x02', '\x16\x03\x01\x00\x00'])
    assert.equal(readClientHello(Buffer.from(text, 'latin1')), 'other', JSON.stringify(text))
  assert.equal(readClientHello(Buffer.from([0x16, 3, 1, 0, 4, 2, 0, 0, 0])), 'other', 'a ServerHello')
  assert.equal(readClientHello(Buffer.from([0x16, 3, 1, 0x40, 0, 1, 1, 0, 0])), 'other', 'a hello of 64 KiB')
  assert.ok(longestHello <= 16_384)
})

test('bytes changed anywhere never throw', async () => {
  const hello = await helloOf({ servername: 'web', ALPNProtocols: ['weft'] })
  for (let at = 0; at < hello.length; at++) {
    for (const flip of [1, 0x7f, 0xff]) {
      const changed = Buffer.from(hello)
      changed[at] = (changed[at] ?? 0) ^ flip
      readClientHello(changed)
    }
  }
})
