import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeDocument } from './decode.ts'

const complaints = (document: object): readonly string[] => {
  const decoded = decodeDocument(document)
  return 'problems' in decoded ? decoded.problems.map(({ field, message }) => `${field}: ${message}`) : []
}
const gateway = (spec: object): object => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'Gateway',
  metadata: { name: 'edge' },
  spec: { gatewayClassName: 'weft', ...spec },
})
const certificate = { certificateRefs: [{ name: 'shop' }] }

test('a listener says nothing that its protocol has no room for, and all that it needs', () => {
  const listeners = [
    { name: 'a', port: 80, protocol: 'HTTP', tls: certificate },
    { name: 'b', port: 81, protocol: 'TCP', hostname: 'shop.example' },
    { name: 'c', port: 82, protocol: 'HTTPS' },
    { name: 'd', port: 83, protocol: 'HTTPS', tls: { mode: 'Passthrough' } },
    { name: 'e', port: 84, protocol: 'HTTPS', tls: {} },
    { name: 'f', port: 85, protocol: 'HTTP', hostname: '10.0.0.1' },
    { name: 'g', port: 86, protocol: 'HTTP', allowedRoutes: { namespaces: { from: 'Selector' } } },
  ]
  assert.deepEqual(complaints(gateway({ listeners })), [
    'spec.listeners[0].tls: a listener for HTTP has no tls; use HTTPS or TLS, or remove it',
    'spec.listeners[1].hostname: TCP names no host; remove it',
    'spec.listeners[2].tls: a listener for HTTPS needs tls',
    'spec.listeners[3].tls.mode: HTTPS is decrypted here; use protocol TLS to pass it through',
    'spec.listeners[4].tls.certificateRefs: a certificate is needed to terminate TLS',
    'spec.listeners[5].hostname: expected a hostname such as "shop.example", got "10.0.0.1" (not an IP address)',
    'spec.listeners[6].allowedRoutes.namespaces.selector: from: Selector needs a selector',
  ])
})

test('listeners differ in their name, and in port, protocol or hostname', () => {
  const listeners = [
    { name: 'a', port: 443, protocol: 'HTTPS', hostname: 'a.example', tls: certificate },
    { name: 'a', port: 443, protocol: 'HTTPS', hostname: 'b.example', tls: certificate },
    { name: 'c', port: 443, protocol: 'HTTPS', hostname: 'b.example', tls: certificate },
  ]
  assert.deepEqual(complaints(gateway({ listeners })), [
    'spec.listeners[1].name: "a" is there twice',
    'spec.listeners[2]: another listener has the same port, protocol and hostname',
  ])
})

test('a Secret: its fields stand beside metadata, and no value is ever shown', () => {
  const secret = (body: object): object => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, ...body })
  const decoded = decodeDocument(
    secret({ type: 'kubernetes.io/tls', data: { 'tls.crt': 'aGk=' }, stringData: { 'tls.key': 'key' } }),
  )
  assert.ok('resource' in decoded)
  assert.deepEqual(decoded.resource.spec, { type: 'kubernetes.io/tls', data: { 'tls.crt': 'hi', 'tls.key': 'key' } })
  assert.deepEqual(complaints(secret({ spec: {} })), ['spec: unknown field'])
  const told = complaints(secret({ type: 'kubernetes.io/tls', data: { 'tls.crt': 'tiger!' } }))
  assert.deepEqual(told, [
    'data.tls.crt: expected base64 (plain text goes under stringData); the value is not shown here',
  ])
  assert.deepEqual(complaints(secret({ type: 'kubernetes.io/tls' })), [
    'data.tls.crt: a Secret of type kubernetes.io/tls needs it',
    'data.tls.key: a Secret of type kubernetes.io/tls needs it',
  ])
})

test('what clients must show is said once for each port, by someone', () => {
  const listeners = [{ name: 'a', port: 80, protocol: 'HTTP' }]
  const validation = { caCertificateRefs: [{ kind: 'ConfigMap', name: 'ca' }] }
  const tls = (frontend: object): readonly string[] => complaints(gateway({ listeners, tls: { frontend } }))
  assert.deepEqual(tls({ default: { validation }, perPort: [{ port: 443, tls: {} }] }), [])
  assert.deepEqual(
    tls({
      default: { validation: { mode: 'Allow', caCertificateRefs: [] } },
      perPort: [
        { port: 443, tls: {} },
        { port: 443, tls: {} },
      ],
    }).map((one) => one.slice(0, 70)),
    [
      'spec.tls.frontend.default.validation.caCertificateRefs: expected from ',
      'spec.tls.frontend.default.validation.mode: expected one of "AllowValid',
      'spec.tls.frontend.perPort[1].port: port 443 is there twice',
    ],
  )
})
