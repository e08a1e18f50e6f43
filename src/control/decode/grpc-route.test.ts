import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode } from '../../base/decode.ts'
import { grpcRouteSpec } from './grpc-route.ts'

const parentRefs = [{ group: '', kind: 'Service', name: 'echo' }]

/** What is said about a route with these rules. */
function said(...rules: readonly object[]): readonly string[] {
  const decoded = decode(grpcRouteSpec, { parentRefs, rules })
  return 'issues' in decoded ? decoded.issues.map(({ path, message }) => `${path}: ${message}`) : []
}

test('what is left out matches everything', () => {
  const decoded = decode(grpcRouteSpec, { parentRefs, rules: [{}, { matches: [{ method: { method: 'List' } }] }] })
  assert.ok('value' in decoded)
  assert.deepEqual(
    decoded.value.rules.map(({ matches }) => matches),
    [[{ headers: [] }], [{ method: { type: 'Exact', method: 'List' }, headers: [] }]],
  )
})

test('methods are names, or expressions that can be used', () => {
  assert.deepEqual(
    said({
      matches: [
        { method: {} },
        { method: { service: '/shop.Orders', method: 'a/b' } },
        { method: { type: 'RegularExpression', service: '(' } },
        { headers: [{ name: 'x', value: 'a' }] },
      ],
    }).map((one) => one.replace(/, got .*/, '')),
    [
      'rules[0].matches[0].method: needs service, method, or both',
      'rules[0].matches[1].method.service: expected the name of a service such as "shop.Orders"',
      'rules[0].matches[1].method.method: expected the name of a method such as "List"',
      'rules[0].matches[2].method.service: expected a regular expression in RE2 syntax',
    ],
  )
})

test('what a GRPCRoute has not is refused with what there is instead', () => {
  assert.deepEqual(
    said({
      timeouts: { request: '1s' },
      retry: {},
      filters: [{ type: 'URLRewrite', urlRewrite: { hostname: 'a' } }],
    }),
    [
      'rules[0].timeouts: a GRPCRoute has none: callers say grpc-timeout, and a TrafficPolicy bounds it',
      'rules[0].retry: a GRPCRoute has none; write a TrafficPolicy with retries',
      'rules[0].filters[0].type: URLRewrite is no filter of a GRPCRoute; remove it',
    ],
  )
})
