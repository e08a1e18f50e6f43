import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { createTestAuthority } from '../proxy/testing/certificates.ts'
import { checkPeer, type SubjectMatch } from './peer-check.ts'
import { subjectNames } from './subject-names.ts'

const authority = await createTestAuthority()
const issue = async (...names: string[]): Promise<Buffer> =>
  new X509Certificate((await authority.issue(names)).chainPem).raw
const exact = (kind: SubjectMatch['kind'], value: string): SubjectMatch => ({
  kind,
  match: { kind: 'exact', value, ignoreCase: false },
})
const passes = (certificate: Buffer, ...oneOf: SubjectMatch[]): boolean =>
  !(checkPeer(certificate, { kind: 'names', oneOf }) instanceof Error)

test('the rule of the mesh: exactly one SPIFFE ID', async () => {
  const id = 'spiffe://weft.local/ns/a/sa/b'
  const rule = { kind: 'spiffe', ids: [] } as const
  assert.equal(checkPeer(await issue(id, 'dns:b.example'), rule), id)
  assert.match(String(checkPeer(await issue(id, 'spiffe://x/ns/c/sa/d'), rule)), /has 2 URI names, not one/)
  assert.match(String(checkPeer(await issue('dns:b.example'), rule)), /has 0 URI names/)
  assert.match(String(checkPeer(await issue('https://b.example'), rule)), /no SPIFFE ID/)
  assert.match(
    String(checkPeer(await issue(id), { kind: 'spiffe', ids: ['spiffe://x'] })),
    /is for .*not for spiffe:..x/,
  )
})

test("Envoy's rule: any certificate, or one of the names", async () => {
  const certificate = await issue('dns:api.example', 'dns:*.wide.example', 'ip:192.0.2.7')
  assert.deepEqual(subjectNames(certificate), [
    { kind: 'dns', value: 'api.example' },
    { kind: 'dns', value: '*.wide.example' },
    { kind: 'ip', value: '192.0.2.7' },
  ])
  assert.equal(checkPeer(certificate, { kind: 'names', oneOf: [] }), 'api.example')
  assert.ok(passes(certificate, exact('dns', 'other.example'), exact('dns', 'API.example')))
  assert.ok(passes(certificate, exact('dns', 'x.wide.example')))
  assert.ok(!passes(certificate, exact('dns', 'x.y.wide.example')))
  assert.ok(!passes(certificate, exact('dns', 'wide.example')))
  assert.ok(passes(certificate, exact('ip', '192.0.2.7')))
  assert.ok(!passes(certificate, exact('uri', 'api.example')))
  assert.ok(passes(certificate, exact(undefined, 'api.example')))
  assert.ok(passes(certificate, { kind: 'dns', match: { kind: 'regex', value: 'a.i\\.example', ignoreCase: false } }))
  assert.ok(!passes(certificate, { kind: 'dns', match: { kind: 'regex', value: '(', ignoreCase: false } }))
})
