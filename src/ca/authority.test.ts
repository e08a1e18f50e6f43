import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../base/clock.ts'
import { silentLog } from '../base/log.ts'
import { manualClock } from '../base/testing/manual-clock.ts'
import { lifeOf, openCertificateAuthority, type CertificateAuthority } from './authority.ts'
import { createKeyAndCsr } from './csr.ts'

const nowMs = Date.UTC(2026, 10, 23, 12)
const dayMs = 24 * 3_600_000
const web = 'spiffe://weft.local/ns/default/sa/web'

const folder = (t: { after(done: () => void): void }): string => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-ca-'))
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }))
  return dir
}
const open = (dir: string, over: Partial<Parameters<typeof openCertificateAuthority>[0]> = {}) =>
  openCertificateAuthority({
    dir,
    trustDomain: 'weft.local',
    clock: manualClock(nowMs),
    leafTtlMs: dayMs,
    log: silentLog,
    ...over,
  })
const opened = async (...args: Parameters<typeof open>): Promise<CertificateAuthority> => {
  const ca = await open(...args)
  if ('refused' in ca) throw new Error(ca.refused)
  return ca
}

test('a workload certificate carries the identity, for both sides of TLS, for its own life', async (t) => {
  const ca = await opened(folder(t))
  const { csrDer, keyPem } = await createKeyAndCsr()
  const signed = await ca.signWorkload(csrDer, web)
  assert.ok(!('refused' in signed))
  const leaf = new X509Certificate(signed.chainPem)
  assert.equal(leaf.subjectAltName, `URI:${web}`)
  assert.equal(leaf.subject, undefined)
  assert.equal(leaf.ca, false)
  assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
  assert.ok(leaf.checkPrivateKey(createPrivateKey(keyPem)))
  assert.equal(Date.parse(leaf.validFrom), nowMs - 5 * 60_000)
  assert.equal(Date.parse(leaf.validTo), nowMs + dayMs)
  assert.deepEqual([signed.notBeforeMs, signed.notAfterMs], [nowMs - 5 * 60_000, nowMs + dayMs])
  assert.equal(signed.chainPem.match(/BEGIN/g)?.length, 1, 'the root is not part of a workload chain')
})

test('openssl verifies the chain and sees critical names', async (t) => {
  const dir = folder(t)
  const ca = await opened(dir, { clock: systemClock })
  const signed = await ca.signWorkload((await createKeyAndCsr()).csrDer, web)
  assert.ok(!('refused' in signed))
  const rootFile = path.join(dir, 'bundle.pem')
  fs.writeFileSync(rootFile, ca.trustBundlePem.value)
  for (const purpose of ['sslclient', 'sslserver']) {
    const args = ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', rootFile]
    const verified: { status: number | null; stderr: Buffer } = spawnSync('openssl', args, { input: signed.chainPem })
    assert.equal(verified.status, 0, String(verified.stderr))
  }
  const text = String(spawnSync('openssl', ['x509', '-noout', '-text'], { input: signed.chainPem }).stdout)
  assert.match(text, /X509v3 Subject Alternative Name: critical\s+URI:spiffe:\/\/weft\.local\/ns\/default\/sa\/web/)
  assert.match(text, /X509v3 Key Usage: critical\s+Digital Signature\n/)
})

test('a server certificate names its hosts and brings the root along', async (t) => {
  const ca = await opened(folder(t))
  const names = {
    spiffeId: 'spiffe://weft.local/ns/weft-system/sa/control-plane',
    dnsNames: ['localhost'],
    ips: ['127.0.0.1'],
  }
  const { chainPem, keyPem } = await ca.issueServer(names)
  const [leafPem, rootPem] = chainPem.split(/(?<=-----END CERTIFICATE-----\n)/)
  const leaf = new X509Certificate(leafPem ?? '')
  assert.equal(leaf.subjectAltName, `URI:${names.spiffeId}, DNS:localhost, IP Address:127.0.0.1`)
  assert.ok(leaf.checkPrivateKey(createPrivateKey(keyPem)))
  const root = new X509Certificate(rootPem ?? '')
  assert.equal(`sha256:${root.fingerprint256.replaceAll(':', '').toLowerCase()}`, ca.rootHash)
  assert.ok(leaf.verify(root.publicKey))
})

test('the same root after a restart, 0600 in a directory of 0700', async (t) => {
  const dir = path.join(folder(t), 'ca')
  const first = await opened(dir)
  const second = await opened(dir)
  assert.equal(first.rootHash, second.rootHash)
  assert.equal(first.trustBundlePem.value, second.trustBundlePem.value)
  assert.equal(fs.statSync(path.join(dir, 'root.pem')).mode & 0o777, 0o600)
  assert.equal(fs.statSync(dir).mode & 0o777, 0o700)
})

test('two that start at once agree on one root', async (t) => {
  const dir = folder(t)
  const [a, b] = await Promise.all([opened(dir), opened(dir)])
  assert.equal(a.rootHash, b.rootHash)
})

const unfit: Record<string, { spoil: (file: string) => void; why: RegExp; trustDomain?: string; atMs?: number }> = {
  'half a file': {
    spoil: (file) => fs.truncateSync(file, 300),
    why: /is damaged; restore it from a copy, or remove it/,
  },
  'readable by others': { spoil: (file) => fs.chmodSync(file, 0o640), why: /may be read by others \(mode 640\)/ },
  'another key': {
    spoil: (file) => {
      const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
        type: 'pkcs8',
        format: 'pem',
      })
      const text = fs.readFileSync(file, 'utf8')
      fs.writeFileSync(file, String(stranger) + text.slice(text.indexOf('-----BEGIN CERT')))
    },
    why: /do not belong together/,
  },
  'another trust domain': {
    spoil: () => {},
    trustDomain: 'other.test',
    why: /is for URI:spiffe:\/\/weft\.local, not URI:spiffe:\/\/other\.test/,
  },
  expired: { spoil: () => {}, atMs: nowMs + 11 * 365 * dayMs, why: /expired on/ },
}
for (const [name, { spoil, why, trustDomain = 'weft.local', atMs = nowMs }] of Object.entries(unfit)) {
  test(`a root that is unfit is refused, never replaced: ${name}`, async (t) => {
    const dir = folder(t)
    await opened(dir)
    const file = path.join(dir, 'root.pem')
    spoil(file)
    const before = fs.readFileSync(file)
    const ca = await open(dir, { trustDomain, clock: manualClock(atMs) })
    assert.ok('refused' in ca)
    assert.match(ca.refused, why)
    assert.deepEqual(fs.readFileSync(file), before)
  })
}

test('requests that are none, unsigned, or for another kind of key are refused', async (t) => {
  const ca = await opened(folder(t))
  const why = async (der: Uint8Array): Promise<string> => {
    const signed = await ca.signWorkload(der, web)
    return 'refused' in signed ? signed.refused : 'signed'
  }
  const { csrDer } = await createKeyAndCsr()
  assert.equal(await why(csrDer), 'signed')
  const flipped = Buffer.from(csrDer)
  flipped[60] = (flipped[60] ?? 0) ^ 1
  assert.match(await why(flipped), /is not (signed by its own key|a PKCS#10 request in DER)/)
  const other = spawnSync('openssl', [
    'req',
    '-new',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/',
    '-outform',
    'DER',
    '-keyout',
    '/dev/null',
  ])
  assert.match(await why(other.stdout), /is not for an ECDSA P-256 key/)
  assert.match(await why(Buffer.alloc(0)), /is missing/)
  assert.match(await why(Buffer.alloc(5000)), /has 5000 bytes/)
  for (let cut = 1; cut < csrDer.length; cut += 7) assert.match(await why(csrDer.subarray(0, cut)), /is not a PKCS#10/)
})

test('the subject and names that a request asks for are ignored', async (t) => {
  const ca = await opened(folder(t))
  const args = ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=admin']
  const { stdout } = spawnSync('openssl', [
    ...args,
    '-addext',
    'subjectAltName=DNS:evil.test',
    '-outform',
    'DER',
    '-keyout',
    '/dev/null',
  ])
  const signed = await ca.signWorkload(stdout, web)
  assert.ok(!('refused' in signed))
  const leaf = new X509Certificate(signed.chainPem)
  assert.equal(leaf.subjectAltName, `URI:${web}`)
  assert.equal(leaf.subject, undefined)
})

test('short lives are backdated by one life at most, long ones end with the root', () => {
  assert.deepEqual(lifeOf(10_000, 1_000_500, 9e12), { notBeforeMs: 990_000, notAfterMs: 1_010_000 })
  assert.deepEqual(lifeOf(dayMs, nowMs, nowMs + 1500), { notBeforeMs: nowMs - 300_000, notAfterMs: nowMs + 1000 })
})
