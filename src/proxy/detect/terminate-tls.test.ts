import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import tls from 'node:tls'
import { systemClock } from '../../base/clock.ts'
import { joinTrustDomains } from '../../base/trust-domains.ts'
import type { DownstreamTls, KeyPair, TlsChoices } from '../config.ts'
import { createTestAuthority } from '../testing/certificates.ts'
import { terminateTls } from './terminate-tls.ts'

const authority = await createTestAuthority()
const pair = await authority.issue('dns:web.example')

for (const [choices, offered, spoken] of [
  [{}, {}, 'TLSv1.3'],
  [{}, { maxVersion: 'TLSv1.2' }, 'TLSv1.2'],
  [{ minVersion: 'TLSv1.3' }, { maxVersion: 'TLSv1.2' }, undefined],
  [{ maxVersion: 'TLSv1.2' }, {}, 'TLSv1.2'],
  [
    { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' },
    { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' },
    'TLSv1.2',
  ],
  [
    { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' },
    { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' },
    undefined,
  ],
  [{ ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }, {}, 'TLSv1.3'],
  [{ ecdhCurve: 'P-384' }, { ecdhCurve: 'P-384' }, 'TLSv1.3'],
  [{ ecdhCurve: 'P-384' }, { ecdhCurve: 'X25519' }, undefined],
] as const satisfies readonly (readonly [TlsChoices, tls.ConnectionOptions, string | undefined])[]) {
  test(`choices ${JSON.stringify(choices)}, a client with ${JSON.stringify(offered)}`, async (t) => {
    const config: DownstreamTls = {
      certificate: pair,
      trust: undefined,
      peer: { kind: 'names', oneOf: [] },
      requireClientCertificate: false,
      alpn: [],
      choices,
    }
    const terminator = terminateTls(config, { certificates: [pair], trustPem: undefined, clock: systemClock })
    const server = net.createServer({ pauseOnConnect: true }, (socket) => {
      socket.on('error', () => {})
      terminator.accept(socket, () => {})
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = tls.connect({
      port: (server.address() as AddressInfo).port,
      host: '127.0.0.1',
      ca: authority.bundlePem,
      servername: 'web.example',
      ...offered,
    })
    t.after(() => {
      client.destroy()
      server.close()
    })
    const outcome = await once(client, 'secureConnect').then(
      () => client.getProtocol(),
      () => undefined,
    )
    assert.equal(outcome, spoken)
  })
}

const strangers = await createTestAuthority()
const good = await authority.issue('spiffe://a/ns/b/sa/c')
const foreign = await strangers.issue('spiffe://a/ns/b/sa/c')

/** Who a client that shows this certificate is to such a server. */
async function whoIs(t: TestContext, config: DownstreamTls, shown: KeyPair | undefined): Promise<string> {
  const terminator = terminateTls(config, {
    certificates: [pair],
    trustPem: config.trust !== undefined && 'pem' in config.trust ? config.trust.pem : undefined,
    clock: systemClock,
  })
  const { promise, resolve } = Promise.withResolvers<string>()
  const server = net.createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', () => {})
    terminator.accept(socket, (secured) => {
      if ('refused' in secured) return resolve('refused')
      assert.equal(secured.certificate === undefined, secured.principal === undefined)
      resolve(secured.principal ?? 'nobody')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = tls.connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    ca: authority.bundlePem,
    servername: 'web.example',
    ...(shown && { cert: shown.chainPem, key: shown.keyPem }),
  })
  client.on('error', () => {}).on('close', () => resolve('refused'))
  t.after(() => {
    client.destroy()
    server.close()
  })
  return promise
}

for (const [shown, acceptUntrusted, required, outcome] of [
  [good, false, false, 'spiffe://a/ns/b/sa/c'],
  [good, true, false, 'spiffe://a/ns/b/sa/c'],
  [foreign, false, false, 'refused'],
  [foreign, true, false, 'nobody'],
  [foreign, true, true, 'nobody'],
  [undefined, true, false, 'nobody'],
  [undefined, true, true, 'refused'],
] as const) {
  const which = shown === undefined ? 'none' : shown === good ? 'a good one' : 'one that nobody vouches for'
  const rules = `${acceptUntrusted ? 'untrusted ones taken' : 'good ones only'}, ${required ? '' : 'not '}required`
  test(`certificates of clients (${rules}), the client has ${which}: ${outcome}`, async (t) => {
    const config: DownstreamTls = {
      certificate: pair,
      trust: { pem: authority.bundlePem },
      peer: { kind: 'names', oneOf: [] },
      requireClientCertificate: required,
      ...(acceptUntrusted && { acceptUntrusted }),
      alpn: [],
    }
    assert.equal(await whoIs(t, config, shown), outcome)
  })
}

const trustPem = joinTrustDomains(
  new Map([
    ['a', authority.bundlePem],
    ['b', strangers.bundlePem],
  ]),
)
for (const [what, shown, acceptUntrusted, outcome] of [
  ['by its own domain', await authority.issue('spiffe://a/x'), false, 'spiffe://a/x'],
  ['by its own domain, another one', await strangers.issue('spiffe://b/x'), false, 'spiffe://b/x'],
  ['by an authority below', await strangers.issueBelow('spiffe://b/x'), false, 'spiffe://b/x'],
  ['by another domain', await strangers.issue('spiffe://a/x'), false, 'refused'],
  ['by an authority below another domain', await strangers.issueBelow('spiffe://a/x'), false, 'refused'],
  ['by another domain, which counts as none', await strangers.issue('spiffe://a/x'), true, 'nobody'],
  ['of a domain that nobody is believed about', await authority.issue('spiffe://c/x'), false, 'refused'],
  ['without a SPIFFE ID', await authority.issue('dns:web.example'), false, 'refused'],
  ['of two names', await authority.issue(['spiffe://a/x', 'spiffe://a/y']), false, 'refused'],
] as const)
  test(`trust domains: a certificate ${what}: ${outcome}`, async (t) => {
    const config: DownstreamTls = {
      certificate: pair,
      trust: { pem: trustPem },
      peer: { kind: 'names', oneOf: [] },
      requireClientCertificate: true,
      ...(acceptUntrusted && { acceptUntrusted }),
      alpn: [],
    }
    assert.equal(await whoIs(t, config, shown), outcome)
  })
