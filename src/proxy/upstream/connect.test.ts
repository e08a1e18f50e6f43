import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import tls from 'node:tls'
import { systemClock } from '../../base/clock.ts'
import { joinTrustDomains } from '../../base/trust-domains.ts'
import type { Secrets, UpstreamTls } from '../config.ts'
import { createTestAuthority } from '../testing/certificates.ts'
import { createConnect } from './connect.ts'

const [ours, theirs] = await Promise.all([createTestAuthority(), createTestAuthority()])
const trust = {
  pem: joinTrustDomains(
    new Map([
      ['a', ours.bundlePem],
      ['b', theirs.bundlePem],
    ]),
  ),
}
const secure: UpstreamTls = { certificate: undefined, trust, peer: { kind: 'names', oneOf: [] }, sni: '', alpn: [] }
const secrets: Secrets = {
  certificate: (source) => (typeof source === 'object' && 'keyPem' in source ? source : undefined),
  trust: (source) => ('pem' in source ? source.pem : undefined),
}

for (const [what, shown, outcome] of [
  ['by its own domain', await ours.issue('spiffe://a/x'), 'connected'],
  ['by its own domain, another one', await theirs.issue('spiffe://b/x'), 'connected'],
  ['by an authority below', await theirs.issueBelow('spiffe://b/x'), 'connected'],
  ['by another domain', await theirs.issue('spiffe://a/x'), 'trust domain a does not vouch for its certificate'],
  [
    'of a domain that nobody is believed about',
    await ours.issue('spiffe://c/x'),
    'nobody is believed about trust domain c',
  ],
] as const)
  test(`trust domains: a server’s certificate ${what}: ${outcome}`, async (t) => {
    const server = tls.createServer({ key: shown.keyPem, cert: shown.chainPem }).listen(0, '127.0.0.1')
    server.on('tlsClientError', () => {})
    await once(server, 'listening')
    t.after(() => server.close())
    const { port } = server.address() as AddressInfo
    const connect = createConnect({ clock: systemClock, secrets })
    const connected = await connect({ host: '127.0.0.1', port }, 5000, secure, 'c')
    if ('socket' in connected) connected.socket.destroy()
    assert.equal(
      'socket' in connected ? 'connected' : connected.kind === 'tls-failed' ? connected.cause : connected.kind,
      outcome,
    )
  })
