import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { test } from 'node:test'
import tls, { type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { subjectNames } from '../base/subject-names.ts'
import type { DownstreamTls, KeyPair, ProxyConfig } from './config.ts'
import { byServerName } from './detect/by-server-name.ts'
import { buildCluster, buildConfig, buildTcpChain, buildTcpListener } from './testing/build-config.ts'
import { createTestAuthority } from './testing/certificates.ts'
import { ownAddress, program, startProxy } from './testing/world.ts'

const run = promisify(execFile)

/** A chain that ends TLS with these secrets. */
const ended = (first: string, ...more: readonly string[]): DownstreamTls => ({
  certificate: { secret: first },
  ...(more.length === 0 ? {} : { moreCertificates: more.map((secret) => ({ secret })) }),
  trust: undefined,
  peer: { kind: 'names', oneOf: [] },
  requireClientCertificate: false,
  alpn: [],
})
const withCertificates = (config: ProxyConfig, certificates: Readonly<Record<string, KeyPair>>): ProxyConfig => ({
  ...config,
  certificates: new Map(Object.entries(certificates)),
})

test('a name is for its certificate: the very name, a wildcard for one label, else the first', async () => {
  const authority = await createTestAuthority()
  const [first, exact, wild] = [
    await authority.issue('dns:first.example'),
    await authority.issue('dns:a.b.example'),
    await authority.issue(['dns:*.b.example', 'dns:other.example']),
  ]
  const choose = byServerName([first, exact, wild])
  for (const [name, chosen] of [
    ['first.example', first],
    ['A.b.example', exact],
    ['c.b.example', wild],
    ['other.example', wild],
    ['x.c.b.example', first],
    ['b.example', first],
    ['', first],
  ] as const)
    assert.deepEqual(choose(name), [chosen], name)
  assert.deepEqual(byServerName([exact, exact])('a.b.example'), [exact, exact])
})

test('strangers see the certificate of the name that they ask for, chain by chain and within one', async (t) => {
  const authority = await createTestAuthority()
  const to = await program(t, (socket) => {
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  })
  const address = await ownAddress(t)
  const chains = [
    buildTcpChain('rest', { one: 1 }, { tls: ended('first', 'second', 'absent') }),
    buildTcpChain('own', { one: 1 }, { tls: ended('third'), match: { serverNames: ['third.example'] } }),
  ]
  const config = buildConfig({ listeners: [buildTcpListener(address, chains)], clusters: [buildCluster('one', [to])] })
  await startProxy(
    t,
    withCertificates(config, {
      first: await authority.issue('dns:first.example'),
      second: await authority.issue('dns:second.example'),
      third: await authority.issue('dns:third.example'),
    }),
  )
  const at = `${address.host}:${address.port}`
  for (const [asked, seen] of [
    ['first.example', 'first.example'],
    ['second.example', 'second.example'],
    ['third.example', 'third.example'],
    ['fourth.example', 'first.example'],
  ] as const) {
    const options = ['s_client', '-connect', at, '-servername', asked, '-showcerts']
    const talk = run('openssl', options)
    talk.child.stdin?.end('x')
    const pem = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/.exec((await talk).stdout)?.[0] ?? ''
    const der = Buffer.from(pem.replace(/-----[A-Z ]+-----/g, ''), 'base64')
    assert.deepEqual(subjectNames(der), [{ kind: 'dns', value: seen }])
  }
  const { stdout } = await run('curl', [
    '-sk',
    '--resolve',
    `second.example:${address.port}:127.0.0.1`,
    `https://second.example:${address.port}/`,
  ])
  assert.equal(stdout, 'ok')
})

test('a certificate changes under load: no handshake is refused, no connection is dropped', async (t) => {
  const authority = await createTestAuthority()
  const to = await program(t, (socket) => void socket.on('data', (chunk) => socket.write(chunk)))
  const address = await ownAddress(t)
  const chain = buildTcpChain('ended', { one: 1 }, { tls: ended('web') })
  const base = buildConfig({ listeners: [buildTcpListener(address, [chain])], clusters: [buildCluster('one', [to])] })
  const issued = await Promise.all(Array.from({ length: 8 }, () => authority.issue('dns:a.example')))
  const [oldest] = issued
  assert.ok(oldest)
  const { config } = await startProxy(t, withCertificates(base, { web: oldest }))
  const dial = async (): Promise<TLSSocket> => {
    const socket = tls.connect({ ...address, servername: 'a.example', ca: authority.bundlePem })
    await once(socket, 'secureConnect')
    return socket
  }
  const echo = async (socket: TLSSocket): Promise<void> => {
    socket.write('x')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    assert.equal(answer.toString(), 'x')
  }
  const early = await dial()
  let changing = true
  const serials = new Set<string>()
  const load = Array.from({ length: 4 }, async () => {
    do {
      const socket = await dial()
      serials.add(socket.getPeerCertificate().serialNumber)
      await echo(socket)
      socket.destroy()
    } while (changing)
  })
  for (const web of issued) {
    config.set(withCertificates(base, { web }))
    const socket = await dial()
    await echo(socket)
    socket.destroy()
  }
  changing = false
  await Promise.all(load)
  await echo(early)
  early.destroy()
  assert.ok(serials.size > 1, 'newer certificates were shown')
  const last = await dial()
  const newest = new X509Certificate(issued.at(-1)?.chainPem ?? '')
  assert.ok(last.getPeerX509Certificate()?.raw.equals(newest.raw))
  last.destroy()
})
