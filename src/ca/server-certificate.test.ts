import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLog } from '../base/log.ts'
import { seeded } from '../base/random.ts'
import { manualClock } from '../base/testing/manual-clock.ts'
import { settable } from '../base/watchable.ts'
import type { CertificateAuthority, IssuedCertificate } from './authority.ts'
import { keepServerCertificate } from './server-certificate.ts'

test('a server certificate is renewed at half life, tried again after a failure, and no more once closed', async () => {
  const clock = manualClock(1_000_000)
  let issued = 0
  let failing = false
  const ca: CertificateAuthority = {
    trustDomain: 'weft.local',
    trustBundlePem: settable(''),
    rootHash: '',
    signWorkload: () => Promise.reject(new Error('not asked')),
    issueServer: () =>
      failing
        ? Promise.reject(new Error('away'))
        : Promise.resolve({
            keyPem: '',
            chainPem: `${++issued}`,
            notBeforeMs: 0,
            notAfterMs: clock.wallMs() + 100_000,
          }),
  }
  const parts = { ca, clock, random: seeded(7), log: silentLog }
  const server = await keepServerCertificate({ spiffeId: 'x', dnsNames: [], ips: [] }, parts)
  const changes: IssuedCertificate[] = []
  server.current.watch((next) => changes.push(next))
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  clock.advance(44_000)
  await settle()
  assert.equal(changes.length, 0)
  clock.advance(12_000)
  await settle()
  assert.deepEqual(
    changes.map((one) => one.chainPem),
    ['2'],
  )
  failing = true
  clock.advance(56_000)
  await settle()
  assert.equal(changes.length, 1)
  failing = false
  clock.advance(1000)
  await settle()
  assert.deepEqual(
    changes.map((one) => one.chainPem),
    ['2', '3'],
  )
  server.close()
  assert.equal(clock.pending, 0)
})
