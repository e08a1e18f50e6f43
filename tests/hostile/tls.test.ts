import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import tls from 'node:tls'
import { seeded } from '../../src/base/random.ts'
import { createTestAuthority } from '../../src/proxy/testing/certificates.ts'
import { createWorld } from '../world/world.ts'
import { startBareProxy } from './bare-proxy.ts'
import { credulous, exchange } from './raw-exchange.ts'

const types = 'type.googleapis.com/envoy.extensions'
const get = 'GET / HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n\r\n'

/** What a client of Node says first. */
async function clientHello(): Promise<Buffer> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const came = once(server, 'connection')
  const client = tls.connect({ port, host: '127.0.0.1', servername: 'web.test' }).on('error', () => {})
  const [socket] = (await came) as [net.Socket]
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  client.destroy()
  socket.destroy()
  server.close()
  return bytes
}

test('46, 64: no server name, and no broken handshake, ends the proxy or gets a certificate that is not for it', async (t) => {
  const authority = await createTestAuthority()
  const pairs = await Promise.all(['dns:web.test', 'dns:*.wild.test'].map((name) => authority.issue(name)))
  const { at, asked } = await credulous(t)
  const proxy = await startBareProxy(createWorld(t), at, {
    listenerFilters: [
      { name: 'tls', typed_config: { '@type': `${types}.filters.listener.tls_inspector.v3.TlsInspector` } },
    ],
    chain: {
      transport_socket: {
        name: 'tls',
        typed_config: {
          '@type': `${types}.transport_sockets.tls.v3.DownstreamTlsContext`,
          common_tls_context: {
            tls_certificates: pairs.map(({ chainPem, keyPem }) => ({
              certificate_chain: { inline_string: chainPem },
              private_key: { inline_string: keyPem },
            })),
          },
        },
      },
    },
  })
  /** The first name of the certificate that is shown, or why there is none. */
  const shownFor = async (servername: string): Promise<string> => {
    const socket = tls.connect({ ...proxy.at, servername, rejectUnauthorized: false })
    t.after(() => socket.destroy())
    try {
      await once(socket, 'secureConnect')
    } catch (error) {
      return error instanceof Error ? error.message : ''
    }
    const names = socket.getPeerCertificate().subjectaltname ?? ''
    socket.write(get)
    await once(socket.resume(), 'close')
    return names
  }
  for (const name of [
    '',
    'web.test',
    'WEB.test',
    '__proto__',
    'constructor',
    'a.b.wild.test',
    'wild.test',
    'x'.repeat(255),
  ])
    assert.equal(await shownFor(name), 'DNS:web.test', name.slice(0, 20))
  for (const name of ['a.wild.test', 'A.WILD.TEST', '__proto__.wild.test'])
    assert.equal(await shownFor(name), 'DNS:*.wild.test', name)
  assert.equal(asked.length, 11)

  const hello = await clientHello()
  const name = hello.indexOf('web.test')
  const random = seeded(46)
  const broken = [
    ...['\0eb.test', 'web.tes\0', 'web test', '........', '\xff\xff.test', '../../..'].map((odd) => {
      const bytes = Buffer.from(hello)
      bytes.write(odd, name, 'latin1')
      return bytes
    }),
    ...Array.from({ length: 150 }, () => {
      const bytes = Buffer.from(hello)
      for (let left = 1 + random.index(4); left > 0; left--) bytes[random.index(bytes.length)] = random.index(256)
      return bytes
    }),
    Buffer.concat([hello, hello]),
    Buffer.concat([hello, Buffer.alloc(100_000, 0x16)]),
    Buffer.concat([Buffer.from([0x16, 3, 1, 0xff, 0xff, 1, 0xff, 0xff, 0xff]), Buffer.alloc(70_000)]),
  ]
  await Promise.all(
    broken.map(async (bytes) => {
      const socket = net.connect(proxy.at).on('error', () => {})
      t.after(() => socket.destroy())
      socket.resume().end(bytes)
      await new Promise((resolve) => socket.once('close', resolve))
    }),
  )
  assert.equal(await exchange(t, proxy.at, get), '')
  assert.equal(await shownFor('web.test'), 'DNS:web.test')
  assert.equal(asked.length, 12)
  assert.ok(proxy.child.isRunning)
})
