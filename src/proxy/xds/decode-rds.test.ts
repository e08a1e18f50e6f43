import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import type { RouteSchema } from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { decode, ms, problem, type Init } from './testing/decoding.ts'

type RouteInit = Init<typeof RouteSchema>
const tableOf = (...routes: RouteInit[]): Init<typeof RouteConfigurationSchema> => ({
  name: 'x',
  virtualHosts: [{ name: 'v', domains: ['*'], routes }],
})
const to = (cluster: string) => ({
  case: 'route' as const,
  value: { clusterSpecifier: { case: 'cluster' as const, value: cluster } },
})
const slash = { pathSpecifier: { case: 'prefix' as const, value: '/' } }

test('RDS: matches, weights, retries, origins, defaults', () => {
  const table = decode('RDS', RouteConfigurationSchema, {
    ...tableOf(
      {
        name: 'one',
        match: {
          pathSpecifier: { case: 'pathSeparatedPrefix', value: '/a' },
          caseSensitive: false,
          headers: [
            {
              name: 'X-User',
              headerMatchSpecifier: {
                case: 'stringMatch',
                value: { matchPattern: { case: 'safeRegex', value: { regex: 'a+' } } },
              },
            },
            { name: 'gone', headerMatchSpecifier: { case: 'presentMatch', value: false } },
          ],
          queryParameters: [{ name: 'q', queryParameterMatchSpecifier: { case: 'presentMatch', value: true } }],
        },
        action: {
          case: 'route',
          value: {
            clusterSpecifier: {
              case: 'weightedClusters',
              value: {
                clusters: [
                  { name: 'a', weight: 9 },
                  { name: 'b', weight: 1 },
                ],
              },
            },
            clusterNotFoundResponseCode: 2,
            timeout: ms(0),
            retryPolicy: {
              retryOn: 'connect-failure, refused-stream,retriable-status-codes',
              numRetries: 2,
              perTryTimeout: ms(50),
              retriableStatusCodes: [503],
              retryBackOff: { baseInterval: ms(10) },
            },
          },
        },
        metadata: {
          filterMetadata: {
            'weft.dev': {
              resource: 'HTTPRoute default/x',
              field: 'spec.rules[0]',
              revision: '7',
              retry_on_if_idempotent: 'reset',
              retry_backoff_at_least_ms: 20,
            },
          },
        },
      },
      { match: slash, action: to('c') },
      {
        match: slash,
        action: {
          case: 'directResponse',
          value: { status: 404, body: { specifier: { case: 'inlineString', value: 'no' } } },
        },
      },
    ),
    ignorePortInHostMatching: true,
  } as Init<typeof RouteConfigurationSchema>)
  const [one, two, three] = table.virtualHosts[0]?.routes ?? []
  assert.equal(table.ignorePortInHost, true)
  assert.deepEqual(one?.match, {
    path: { kind: 'segments', value: '/a', caseSensitive: false },
    headers: [
      { name: 'x-user', match: { kind: 'regex', value: 'a+', ignoreCase: false }, invert: false },
      { name: 'gone', match: undefined, invert: true },
    ],
    queryParameters: [{ name: 'q', match: undefined, invert: false }],
  })
  assert.deepEqual(one?.action, {
    kind: 'forward',
    clusters: [
      { cluster: 'a', weight: 9 },
      { cluster: 'b', weight: 1 },
    ],
    timeoutMs: 0,
    retry: {
      retries: 2,
      on: new Set(['connect-failure', 'refused-stream', 'retriable-status-codes']),
      onIfIdempotent: new Set(['reset']),
      perTryTimeoutMs: 50,
      statusCodes: new Set([503]),
      backoffAtLeastMs: 20,
      backoffBaseMs: 10,
      backoffMaxMs: 100,
      hostSelectionAttempts: 0,
    },
    clusterNotFoundStatus: 500,
  })
  assert.deepEqual(one?.origin, { resource: 'HTTPRoute default/x', field: 'spec.rules[0]', revision: '7' })
  assert.deepEqual(two?.name, 'v/1')
  assert.ok(two?.action.kind === 'forward' && two.action.timeoutMs === 15_000 && two.action.retry === undefined)
  assert.deepEqual(three?.action, { kind: 'direct', status: 404, body: 'no' })
})

const rdsRefusals: readonly (readonly [string, Init<typeof RouteConfigurationSchema>, RegExp])[] = [
  [
    'a rewrite',
    tableOf({ match: slash, action: { case: 'route', value: { ...to('a').value, prefixRewrite: '/b' } } }),
    /routes\[0\]\.route\.prefix_rewrite/,
  ],
  [
    'weights of nothing',
    tableOf({
      match: slash,
      action: {
        case: 'route',
        value: { clusterSpecifier: { case: 'weightedClusters', value: { clusters: [{ name: 'a', weight: 0 }] } } },
      },
    }),
    /weighted_clusters: the weights add up to 0/,
  ],
  [
    'an unknown cause of retries',
    tableOf({
      match: slash,
      action: { case: 'route', value: { ...to('a').value, retryPolicy: { retryOn: '5xx,unavailable' } } },
    }),
    /retry_on: "unavailable" is not supported/,
  ],
  [
    'a runtime fraction',
    tableOf({ match: { ...slash, runtimeFraction: {} }, action: to('a') }),
    /match\.runtime_fraction: is not supported/,
  ],
  [
    'headers to add',
    { ...tableOf(), requestHeadersToAdd: [{ header: { key: 'a', value: 'b' } }] } as Init<
      typeof RouteConfigurationSchema
    >,
    /request_headers_to_add: is not supported/,
  ],
  [
    'a domain twice',
    {
      name: 'x',
      virtualHosts: [
        { name: 'a', domains: ['*'] },
        { name: 'b', domains: ['*'] },
      ],
    },
    /the domain \* of virtual host b is there already/,
  ],
  [
    'a file as body',
    tableOf({
      match: slash,
      action: {
        case: 'directResponse',
        value: { status: 200, body: { specifier: { case: 'filename', value: '/etc/passwd' } } },
      },
    }),
    /filename is not supported/,
  ],
  [
    'a negative timeout',
    tableOf({
      match: slash,
      action: { case: 'route', value: { ...to('a').value, timeout: { seconds: -1n, nanos: 0 } } },
    }),
    /route\.timeout: expected a duration/,
  ],
]
for (const [title, init, form] of rdsRefusals)
  test(`RDS refuses ${title}`, () => assert.match(problem('RDS', RouteConfigurationSchema, init), form))
