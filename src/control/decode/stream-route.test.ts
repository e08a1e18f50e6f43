import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeDocument } from './decode.ts'

const route = (kind: string, version: string, spec: object): object => ({
  apiVersion: `gateway.networking.k8s.io/${version}`,
  kind,
  metadata: { name: 'mail' },
  spec,
})
const complaints = (document: object): readonly string[] => {
  const decoded = decodeDocument(document)
  return 'problems' in decoded ? decoded.problems.map(({ field, message }) => `${field}: ${message}`) : []
}
const parentRefs = [{ name: 'edge' }]
const rules = [{ backendRefs: [{ name: 'mail', port: 25 }] }]

test('every version that is served, with the defaults', () => {
  for (const version of ['v1', 'v1alpha3', 'v1alpha2']) {
    const decoded = decodeDocument(route('TLSRoute', version, { parentRefs, hostnames: ['mail.example'], rules }))
    assert.ok('resource' in decoded)
    const { hostnames, rules: read } = decoded.resource.spec as { hostnames: unknown; rules: unknown }
    assert.deepEqual(hostnames, ['mail.example'])
    assert.deepEqual(read, [{ backendRefs: [{ group: '', kind: 'Service', name: 'mail', port: 25, weight: 1 }] }])
  }
  for (const version of ['v1alpha2', 'v1'])
    assert.deepEqual(complaints(route('TCPRoute', version, { parentRefs, rules })), [])
})

test('what means nothing for bytes is refused, each with its place', () => {
  const odd = complaints(
    route('TCPRoute', 'v1alpha2', {
      parentRefs: [],
      hostnames: ['a'],
      rules: [{ matches: [], backendRefs: [] }, { backendRefs: [{ name: 'mail', port: 25, weight: -1 }] }],
    }),
  )
  for (const field of [/^spec\.parentRefs: /, /^spec\.hostnames: /, /^spec\.rules: /])
    assert.ok(
      odd.some((one) => field.test(one)),
      `${String(field)} in ${odd.join('; ')}`,
    )
  const within = complaints(
    route('TLSRoute', 'v1', {
      parentRefs,
      hostnames: ['10.0.0.1'],
      rules: [{ matches: [], filters: [], backendRefs: [{ name: 'mail', weight: -1 }] }],
    }),
  )
  for (const field of ['hostnames[0]', 'rules[0].matches', 'rules[0].filters', 'rules[0].backendRefs[0].weight'])
    assert.ok(
      within.some((one) => one.startsWith(`spec.${field}: `)),
      `${field} in ${within.join('; ')}`,
    )
})
