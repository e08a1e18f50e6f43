import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeDocument } from './decode.ts'

const policy = (spec: object): object => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'BackendTLSPolicy',
  metadata: { name: 'pay' },
  spec,
})
const complaints = (spec: object): readonly string[] => {
  const decoded = decodeDocument(policy(spec))
  return 'problems' in decoded ? decoded.problems.map(({ field, message }) => `${field}: ${message}`) : []
}
const targetRefs = [{ group: '', kind: 'Service', name: 'pay' }]
const caCertificateRefs = [{ group: '', kind: 'ConfigMap', name: 'ca' }]

test('targets, names and authorities, with the defaults', () => {
  const decoded = decodeDocument(
    policy({
      targetRefs: [...targetRefs, { group: 'weft.dev', kind: 'ExternalService', name: 'pay', sectionName: 'https' }],
      validation: {
        hostname: 'pay.example',
        subjectAltNames: [{ type: 'URI', uri: 'spiffe://a/b' }],
        caCertificateRefs,
      },
    }),
  )
  assert.ok('resource' in decoded)
  assert.deepEqual(decoded.resource.spec, {
    targets: [
      { kind: 'Service', name: 'pay' },
      { kind: 'ExternalService', name: 'pay', sectionName: 'https' },
    ],
    validation: {
      hostname: 'pay.example',
      subjectAltNames: [{ type: 'URI', uri: 'spiffe://a/b' }],
      authorities: [{ group: '', kind: 'ConfigMap', name: 'ca' }],
    },
  })
  assert.deepEqual(complaints({ targetRefs, validation: { hostname: 'a.b', wellKnownCACertificates: 'System' } }), [])
})

test('what cannot be meant is refused, each with its place', () => {
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ targetRefs, validation: { hostname: 'a' } }, /^spec\.validation\.caCertificateRefs: say who vouches/],
    [
      { targetRefs, validation: { hostname: 'a', caCertificateRefs, wellKnownCACertificates: 'System' } },
      /^spec\.validation\.wellKnownCACertificates: stands beside caCertificateRefs/,
    ],
    [
      { targetRefs: [...targetRefs, ...targetRefs], validation: { hostname: 'a', caCertificateRefs } },
      /^spec\.targetRefs\[1\]: is there twice/,
    ],
    [
      { targetRefs: [{ group: '', kind: 'Pod', name: 'pay' }], validation: { hostname: 'a', caCertificateRefs } },
      /^spec\.targetRefs\[0\]\.kind: a target is a Service \(group ""\) or an ExternalService \(group "weft.dev"\), got "Pod" of group ""/,
    ],
    [
      { targetRefs, validation: { hostname: 'a', caCertificateRefs }, options: { 'a.b/c': 'd' } },
      /^spec\.options: there are no TLS options here/,
    ],
    [
      { targetRefs, validation: { hostname: 'a', caCertificateRefs: [{ name: 'ca', namespace: 'b' }] } },
      /^spec\.validation\.caCertificateRefs\[0\]\.namespace: it must be in the same namespace/,
    ],
    [
      {
        targetRefs,
        validation: { hostname: 'a', subjectAltNames: [{ type: 'URI', hostname: 'b' }], caCertificateRefs },
      },
      /^spec\.validation\.subjectAltNames\[0\]\.uri: is needed with type URI/,
    ],
  ]
  for (const [spec, expected] of cases) {
    const all = complaints(spec)
    assert.ok(
      all.some((one) => expected.test(one)),
      `${String(expected)} in ${all.join('\n')}`,
    )
  }
})
