import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { clientCertificateField, mayForward } from './client-certificate.ts'
import type { ForwardClientCert } from './config.ts'
import type { Peer } from './http/service.ts'
import { createTestAuthority } from './testing/certificates.ts'

const { chainPem } = await (await createTestAuthority()).issue(['spiffe://x/ns/a/sa/b', 'dns:b.example'])
const { raw, fingerprint256 } = new X509Certificate(chainPem)
const hash = fingerprint256.replaceAll(':', '').toLowerCase()
const peer: Peer = {
  remote: { host: '192.0.2.1', port: 1 },
  local: { host: '192.0.2.2', port: 2 },
  principal: 'spiffe://x/ns/a/sa/b',
  tls: true,
  certificate: raw,
}
const stranger: Peer = { remote: peer.remote, local: peer.local, principal: undefined, tls: true }

test('what is told of a certificate, in the order that Envoy has', () => {
  const told = (parts: readonly ('subject' | 'uri' | 'dns')[], own?: string): string | undefined =>
    clientCertificateField({ forwardClientCert: 'sanitize-set', clientCertParts: parts }, () => own)(peer)?.value
  assert.equal(told([], 'spiffe://own'), `By=spiffe://own;Hash=${hash}`)
  assert.equal(told(['uri', 'dns', 'subject']), `Hash=${hash};Subject="";URI=spiffe://x/ns/a/sa/b;DNS=b.example`)
})

test('what callers say themselves passes only where it may', () => {
  const passes = (mode: ForwardClientCert): readonly boolean[] => [mayForward(mode, peer), mayForward(mode, stranger)]
  assert.deepEqual(passes('sanitize'), [false, false])
  assert.deepEqual(passes('sanitize-set'), [false, false])
  assert.deepEqual(passes('append-forward'), [true, false])
  assert.deepEqual(passes('forward-only'), [true, false])
  assert.deepEqual(passes('always-forward-only'), [true, true])
  const field = clientCertificateField({ forwardClientCert: 'append-forward', clientCertParts: [] }, () => undefined)
  assert.equal(field(stranger), undefined)
})
