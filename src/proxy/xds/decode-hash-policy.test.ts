import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RouteAction_HashPolicySchema } from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import type { HashPolicy } from '../config.ts'
import { decode, ms, problem, type Init } from './testing/decoding.ts'

type PolicyInit = Init<typeof RouteAction_HashPolicySchema>
const tableWith = (...hashPolicy: PolicyInit[]): Init<typeof RouteConfigurationSchema> => ({
  name: 'x',
  virtualHosts: [
    {
      name: 'v',
      domains: ['*'],
      routes: [
        {
          match: { pathSpecifier: { case: 'prefix', value: '/' } },
          action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: 'c' }, hashPolicy } },
        },
      ],
    },
  ],
})
const policiesOf = (...policies: PolicyInit[]): readonly HashPolicy[] | undefined => {
  const table = decode('RDS', RouteConfigurationSchema, tableWith(...policies))
  const action = table.virtualHosts[0]?.routes[0]?.action
  return action?.kind === 'forward' ? action.hashPolicies : undefined
}

test('hash policies: header, cookie, source address, query parameter, in order', () => {
  assert.deepEqual(
    policiesOf(
      { policySpecifier: { case: 'header', value: { headerName: 'X-User' } }, terminal: true },
      { policySpecifier: { case: 'cookie', value: { name: 'brought' } } },
      {
        policySpecifier: {
          case: 'cookie',
          value: {
            name: 'given',
            ttl: ms(90_500),
            path: '/a',
            attributes: [{ name: 'SameSite', value: 'Strict' }, { name: 'Secure' }],
          },
        },
      },
      { policySpecifier: { case: 'connectionProperties', value: { sourceIp: true } } },
      { policySpecifier: { case: 'queryParameter', value: { name: 'user' } } },
    ),
    [
      { kind: 'header', name: 'x-user', terminal: true },
      { kind: 'cookie', name: 'brought', generate: undefined, terminal: false },
      {
        kind: 'cookie',
        name: 'given',
        generate: { ttlS: 90, path: '/a', attributes: ['SameSite=Strict', 'Secure'] },
        terminal: false,
      },
      { kind: 'source-ip', terminal: false },
      { kind: 'query-parameter', name: 'user', terminal: false },
    ],
  )
  assert.equal(policiesOf(), undefined)
})

const refusals: readonly (readonly [string, PolicyInit, RegExp])[] = [
  [
    'a rewritten header',
    { policySpecifier: { case: 'header', value: { headerName: 'a', regexRewrite: { substitution: 'x' } } } },
    /hash_policy\[0\]\.header\.regex_rewrite: is not supported/,
  ],
  ['filter state', { policySpecifier: { case: 'filterState', value: { key: 'k' } } }, /filter_state: is not supported/],
  ['nothing', {}, /hash_policy\[0\]: expected header, cookie/],
  [
    'a cookie that would end its header',
    { policySpecifier: { case: 'cookie', value: { name: 'a', path: '/;\r\nx: y' } } },
    /cookie\.path: expected a path without semicolon/,
  ],
]
for (const [title, init, form] of refusals)
  test(`hash policies: refused is ${title}`, () =>
    assert.match(problem('RDS', RouteConfigurationSchema, tableWith(init)), form))
