import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import { seeded } from '../../base/random.ts'
import { createTestAuthority } from '../testing/certificates.ts'
import { eventually } from '../testing/world.ts'
import { parseSdsSecret, sdsSecret } from './sds-secret.ts'
import { createSecretSources, type SecretSources } from './secret-sources.ts'
import { testSdsServer } from './testing/sds-server.ts'

const authority = await createTestAuthority()
const one = await authority.issue('spiffe://case.example/one')
const two = await authority.issue('spiffe://case.example/two')
const keyOf = (name: string): string => sdsSecret({ cluster: 'spire', name })

function sourcesAt(t: TestContext, unix: string): SecretSources {
  const sources = createSecretSources({
    targetOf: (cluster) => (cluster === 'spire' ? { unix } : undefined),
    node: { id: 'me', cluster: 'web', version: '0' },
    changed() {},
    clock: systemClock,
    random: seeded(1),
    log: silentLog,
  })
  t.after(() => sources.close())
  return sources
}

test('the name of a secret says whose it is, whatever both are called', () => {
  const secret = { cluster: 'a/b c', name: 'spiffe://case.example/ns/x' }
  assert.deepEqual(parseSdsSecret(sdsSecret(secret)), secret)
  assert.equal(parseSdsSecret('spiffe://case.example/ns/x'), undefined)
})

test('each secret has a stream, is acknowledged, and comes anew when it changes', async (t) => {
  const server = await testSdsServer(t, { own: one, bundle: authority.bundlePem })
  const sources = sourcesAt(t, server.unix)
  const [own, bundle] = [keyOf('own'), keyOf('bundle')]
  sources.want(new Set([own, bundle]))
  await eventually(() => sources.secrets().size === 2)
  assert.equal(sources.secrets().get(own)?.certificate?.chainPem, one.chainPem)
  assert.equal(sources.secrets().get(bundle)?.trustPem, authority.bundlePem)
  const first = server.requests.find(({ resourceNames }) => resourceNames.join() === 'own')
  assert.equal(first?.node?.id, 'me')
  await eventually(() => server.requests.filter(({ versionInfo }) => versionInfo === '1').length === 2)

  server.set({ own: two, bundle: authority.bundlePem })
  await eventually(() => sources.secrets().get(own)?.certificate?.chainPem === two.chainPem)
  sources.want(new Set([own]))
  assert.deepEqual([...sources.secrets().keys()], [own])
})

test('what is no good is refused, and the last good one stays; so it does when the server goes', async (t) => {
  const server = await testSdsServer(t, { own: one })
  const sources = sourcesAt(t, server.unix)
  sources.want(new Set([keyOf('own')]))
  await eventually(() => sources.secrets().size === 1)
  server.set({ own: { chainPem: one.chainPem, keyPem: two.keyPem } })
  await eventually(() => server.requests.at(-1)?.errorDetail !== undefined)
  const last = server.requests.at(-1)
  assert.match(last?.errorDetail?.message ?? '', /own: tls_certificate\.private_key: is no key of this certificate/)
  assert.equal(last?.versionInfo, '1')
  assert.equal(sources.secrets().get(keyOf('own'))?.certificate?.chainPem, one.chainPem)

  server.set({ own: two })
  await eventually(() => sources.secrets().get(keyOf('own'))?.certificate?.chainPem === two.chainPem)
  const asked = server.requests.length
  server.drop()
  await eventually(() => server.requests.length > asked)
  assert.equal(sources.secrets().get(keyOf('own'))?.certificate?.chainPem, two.chainPem)
})

test('a cluster that is not there brings nothing, and says so', (t) => {
  const sources = sourcesAt(t, '/nowhere')
  const key = sdsSecret({ cluster: 'other', name: 'own' })
  sources.want(new Set([key]))
  assert.match(sources.state()[key]?.reason ?? '', /other is no cluster of the bootstrap/)
})
