import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { link } from '../link/link.ts'
import { snapshotFromYaml } from '../link/testing/snapshot-from-yaml.ts'
import { statusOf } from './status.ts'

interface Ancestor {
  readonly ancestorRef: { readonly kind: string; readonly name: string; readonly sectionName?: string }
  readonly conditions: readonly { readonly type: string; readonly reason: string }[]
}

const text = fs.readFileSync(new URL('../link/testdata/backend-tls.in.yaml', import.meta.url), 'utf8')
const snapshot = snapshotFromYaml(text)
const { value: model, problems } = link(snapshot, { trustDomain: 'weft.local' })

function reasons(policy: string): readonly string[] {
  const entry = snapshot.entries.get(`BackendTLSPolicy/default/${policy}`)
  assert.ok(entry, policy)
  const status = statusOf(entry, { snapshot, problems, model, acknowledged: () => undefined })
  return (status as { ancestors: readonly Ancestor[] }).ancestors.map(
    ({ ancestorRef: { kind, name }, conditions }) =>
      `${kind} ${name} ${conditions.map(({ reason }) => reason).join(' ')}`,
  )
}

test('a policy says for each Gateway that leads to its targets, and for each target, whether it holds', () => {
  assert.deepEqual(reasons('older'), [
    'Gateway edge Accepted InvalidCACertificateRef',
    'Service pay Accepted InvalidCACertificateRef',
  ])
  assert.deepEqual(reasons('younger'), [
    'Gateway edge Conflicted ResolvedRefs',
    'Service pay Conflicted ResolvedRefs',
    'ExternalService outside Accepted ResolvedRefs',
  ])
  assert.deepEqual(reasons('useless'), [
    'Gateway edge NoValidCACertificate InvalidCACertificateRef',
    'Service lost NoValidCACertificate InvalidCACertificateRef',
    'Service pay NoValidCACertificate InvalidCACertificateRef',
    'Service shop NoValidCACertificate InvalidCACertificateRef',
  ])
})

test('a Service says which policy its callers go by', () => {
  const entry = snapshot.entries.get('Service/default/pay')
  assert.ok(entry)
  const { policies } = statusOf(entry, { snapshot, problems, model, acknowledged: () => undefined }) as {
    policies: readonly { port: number; setting: string; from: string }[]
  }
  assert.deepEqual(
    policies.map(({ port, setting, from }) => `${port} ${setting} ${from}`),
    [
      '443 tls BackendTLSPolicy default/older spec.validation',
      '9443 tls BackendTLSPolicy default/of-port spec.validation',
      '50051 tls BackendTLSPolicy default/older spec.validation',
    ],
  )
})
