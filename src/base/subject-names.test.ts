import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { createTestAuthority } from '../proxy/testing/certificates.ts'
import { uriSubjectAltNames } from './subject-names.ts'

const raw = (pem: string): Buffer => new X509Certificate(pem).raw

test('reads the URI names of a certificate, none where there are none', async () => {
  const authority = await createTestAuthority()
  const one = await authority.issue('spiffe://weft.local/ns/a/sa/b')
  assert.deepEqual(uriSubjectAltNames(raw(one.chainPem)), ['spiffe://weft.local/ns/a/sa/b'])
  const two = await authority.issue(['spiffe://x/ns/a/sa/b', 'https://x,URI:spiffe://x/ns/c/sa/d'])
  assert.deepEqual(uriSubjectAltNames(raw(two.chainPem)), [
    'spiffe://x/ns/a/sa/b',
    'https://x,URI:spiffe://x/ns/c/sa/d',
  ])
  assert.deepEqual(uriSubjectAltNames(raw(authority.bundlePem)), [])
})

test('a certificate cut or changed anywhere never throws, and never gains a name', async () => {
  const authority = await createTestAuthority()
  const { chainPem } = await authority.issue('spiffe://weft.local/ns/a/sa/b')
  const bytes = raw(chainPem)
  for (let at = 0; at < bytes.length; at++) {
    assert.notDeepEqual(uriSubjectAltNames(bytes.subarray(0, at)), ['spiffe://weft.local/ns/a/sa/b'])
    for (const flip of [0x01, 0x80, 0xff]) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ flip
      assert.ok((uriSubjectAltNames(changed)?.length ?? 0) <= 1)
    }
  }
})

test('control bytes in a name refuse the certificate', async () => {
  const authority = await createTestAuthority()
  const { chainPem } = await authority.issue('spiffe://weft.local/ns/a/sa/b')
  const bytes = Buffer.from(raw(chainPem))
  bytes[bytes.indexOf('weft.local') + 4] = 0
  assert.equal(uriSubjectAltNames(bytes), undefined)
})
