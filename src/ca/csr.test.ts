import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { createKeyAndCsr } from './csr.ts'

test('openssl reads the request and finds its signature good', async () => {
  const { csrDer } = await createKeyAndCsr()
  const seen = spawnSync('openssl', ['req', '-inform', 'DER', '-verify', '-noout', '-text'], { input: csrDer })
  assert.equal(seen.status, 0, String(seen.stderr))
  assert.match(String(seen.stderr) + String(seen.stdout), /verify OK/i)
  assert.match(String(seen.stdout), /NIST CURVE: P-256/)
})

test('every request has a key of its own', async () => {
  const [a, b] = await Promise.all([createKeyAndCsr(), createKeyAndCsr()])
  assert.notEqual(a.keyPem, b.keyPem)
  assert.match(a.keyPem, /^-----BEGIN PRIVATE KEY-----\n/)
})
