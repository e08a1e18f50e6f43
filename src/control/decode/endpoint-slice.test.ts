import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatProblem } from '../../base/problem.ts'
import { parseDocuments } from '../collect/yaml.ts'
import { decodeDocument } from './decode.ts'

const problemsOf = (fields: string): readonly string[] => {
  const text = `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: db}\n${fields}`
  const [document] = parseDocuments(text, 'a.yaml').documents
  assert.ok(document)
  const decoded = decodeDocument(document.value, { placeOf: document.place })
  return 'problems' in decoded ? decoded.problems.map(formatProblem) : []
}

test('an EndpointSlice says what is wrong with it', () => {
  assert.deepEqual(problemsOf('addressType: IPv4\nendpoints: []'), [])
  assert.deepEqual(problemsOf('addressType: FQDN\nports: [{port: 0}]\nspec: {}'), [
    'a.yaml:6: EndpointSlice default/db: spec: unknown field',
    'a.yaml:4: EndpointSlice default/db: addressType: FQDN is not supported: write the IP addresses, or an ExternalService',
    'a.yaml:5: EndpointSlice default/db: ports[0].port: expected a whole number from 1 to 65535, got 0',
  ])
  assert.deepEqual(problemsOf("addressType: IPv4\nendpoints: [{addresses: [10.0.0.1]}, {addresses: ['::1']}]"), [
    'a.yaml:5: EndpointSlice default/db: endpoints[1].addresses[0]: expected an IPv4 address, got "::1"',
  ])
  assert.deepEqual(
    problemsOf('addressType: IPv4\nendpoints: [{addresses: [db.example]}]\nports: [{port: 1, protocol: SCTP}]'),
    [
      'a.yaml:5: EndpointSlice default/db: endpoints[0].addresses[0]: expected an IP address, got "db.example"',
      'a.yaml:6: EndpointSlice default/db: ports[0].protocol: expected one of "TCP", "UDP", got "SCTP"',
    ],
  )
})
