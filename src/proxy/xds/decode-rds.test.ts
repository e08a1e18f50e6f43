import { create, type JsonObject } from '@bufbuild/protobuf'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packAny } from '../../xds/any.ts'
import { HTTPFaultSchema } from '../../xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import { CorsPolicySchema } from '../../xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import { PreviousPrioritiesConfigSchema } from '../../xds/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.ts'
import { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import type { RouteSchema } from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { clustersOfTable } from './needs.ts'
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

test('RDS: what a route says of silence, of how long calls last and of the deadlines of gRPC callers', () => {
  const said = (value: object): unknown => {
    const clusterSpecifier = { case: 'cluster' as const, value: 'a' }
    const route = { match: slash, action: { case: 'route' as const, value: { clusterSpecifier, ...value } } }
    const action = decode('RDS', RouteConfigurationSchema, tableOf(route)).virtualHosts[0]?.routes[0]?.action
    return action?.kind === 'forward' && [action.idleTimeoutMs, action.grpcTimeoutMaxMs, action.streamTimeoutMs]
  }
  assert.deepEqual(said({}), [undefined, undefined, undefined])
  assert.deepEqual(said({ idleTimeout: ms(0), maxStreamDuration: { grpcTimeoutHeaderMax: ms(2000) } }), [
    0,
    2000,
    undefined,
  ])
  assert.deepEqual(said({ maxStreamDuration: { maxStreamDuration: ms(3000) } }), [undefined, undefined, 3000])
})

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

test('RDS: header edits of a route and of a cluster are put in the order that the table wants', () => {
  const overwrite = (value: string) => ({ header: { key: 'X-A', value }, appendAction: 2 as const })
  const routes = [
    {
      match: slash,
      requestHeadersToAdd: [overwrite('route'), { header: { key: 'p', value: '5%%' } }],
      responseHeadersToRemove: ['X-Gone'],
      action: {
        case: 'route' as const,
        value: {
          hostRewriteSpecifier: { case: 'hostRewriteLiteral' as const, value: 'Inner.example' },
          clusterSpecifier: {
            case: 'weightedClusters' as const,
            value: { clusters: [{ name: 'a', weight: 1, requestHeadersToAdd: [overwrite('cluster')] }] },
          },
        },
      },
    },
  ]
  const read = (mostSpecificHeaderMutationsWins: boolean) => {
    const table = decode('RDS', RouteConfigurationSchema, { ...tableOf(...routes), mostSpecificHeaderMutationsWins })
    const action = table.virtualHosts[0]?.routes[0]?.action
    assert.ok(action?.kind === 'forward')
    return action.clusters[0]
  }
  const ofRoute = {
    remove: [],
    options: [
      { name: 'x-a', rawName: 'X-A', value: 'route', how: 'overwrite' },
      { name: 'p', rawName: 'p', value: '5%', how: 'append' },
    ],
  }
  const ofCluster = { remove: [], options: [{ name: 'x-a', rawName: 'X-A', value: 'cluster', how: 'overwrite' }] }
  const rest = {
    cluster: 'a',
    weight: 1,
    responseEdits: [{ remove: ['x-gone'], options: [] }],
    authority: 'inner.example',
  }
  assert.deepEqual(read(true), { ...rest, requestEdits: [ofRoute, ofCluster] })
  assert.deepEqual(read(false), { ...rest, requestEdits: [ofCluster, ofRoute] })
})

test('RDS: what a route says about CORS', () => {
  const cors = {
    allowOriginStringMatch: [{ matchPattern: { case: 'exact' as const, value: 'https://a.example' } }],
    allowMethods: 'GET',
    maxAge: '60',
  }
  const any = packAny(CorsPolicySchema, create(CorsPolicySchema, cors))
  const route = { match: slash, action: to('a'), typedPerFilterConfig: { 'envoy.filters.http.cors': any } }
  const [decoded] = decode('RDS', RouteConfigurationSchema, tableOf(route)).virtualHosts[0]?.routes ?? []
  assert.deepEqual(decoded?.cors, {
    allowOrigins: [{ kind: 'exact', value: 'https://a.example', ignoreCase: false }],
    allowMethods: 'GET',
    allowHeaders: '',
    exposeHeaders: '',
    maxAge: '60',
    allowCredentials: false,
    forwardUnmatchedPreflights: true,
  })
})

test('RDS: what a route says about faults; a percentage that is absent is none', () => {
  const faultsOf = (fault: Init<typeof HTTPFaultSchema>): Init<typeof RouteConfigurationSchema> => {
    const any = packAny(HTTPFaultSchema, create(HTTPFaultSchema, fault))
    return tableOf({ match: slash, action: to('a'), typedPerFilterConfig: { 'envoy.filters.http.fault': any } })
  }
  const read = (fault: Init<typeof HTTPFaultSchema>) =>
    decode('RDS', RouteConfigurationSchema, faultsOf(fault)).virtualHosts[0]?.routes[0]?.faults
  const fixedDelay = { case: 'fixedDelay' as const, value: ms(1500) }
  assert.deepEqual(
    read({
      delay: { faultDelaySecifier: fixedDelay, percentage: { numerator: 5, denominator: 0 } },
      abort: { errorType: { case: 'grpcStatus', value: 14 } },
      responseRateLimit: {
        limitType: { case: 'fixedLimit', value: { limitKbps: 64n } },
        percentage: { numerator: 50, denominator: 0 },
      },
      headers: [{ name: 'X-Test', headerMatchSpecifier: { case: 'presentMatch', value: true } }],
    }),
    {
      delay: { ms: 1500, share: 0.05 },
      abort: { status: 503, grpcStatus: 14, share: 0 },
      bandwidth: { bytesPerSecond: 65_536, share: 0.5 },
      headers: [{ name: 'x-test', match: undefined, invert: false }],
    },
  )
  assert.equal(read({}), undefined)
  const at = 'virtual_hosts[0].routes[0].typed_per_filter_config[envoy.filters.http.fault]'
  const why = problem(
    'RDS',
    RouteConfigurationSchema,
    faultsOf({
      abort: { errorType: { case: 'httpStatus', value: 200 } },
      delay: { faultDelaySecifier: { case: 'headerDelay', value: {} } },
      responseRateLimit: { limitType: { case: 'headerLimit', value: {} } },
      upstreamCluster: 'a',
    }),
  )
  assert.ok(why.includes(`${at}.abort.http_status: expected 400 to 599, got 200`), why)
  assert.ok(why.includes(`${at}.delay.header_delay: is not supported`), why)
  assert.ok(why.includes(`${at}.upstream_cluster: is not supported`), why)
  assert.ok(why.includes(`${at}.response_rate_limit.header_limit: is not supported`), why)
  const none = faultsOf({ responseRateLimit: { limitType: { case: 'fixedLimit', value: {} } } })
  const tooLittle = `${at}.response_rate_limit.fixed_limit.limit_kbps: expected 1 or more, got 0`
  assert.ok(problem('RDS', RouteConfigurationSchema, none).includes(tooLittle))
})

test('RDS: mirrors, with their share; a cluster that only gets copies is needed too', () => {
  const mirrors = [
    { cluster: 'm' },
    {
      cluster: 'n',
      runtimeFraction: { defaultValue: { numerator: 125_000, denominator: 2 as const } },
      disableShadowHostSuffixAppend: true,
    },
  ]
  const table = decode(
    'RDS',
    RouteConfigurationSchema,
    tableOf({ match: slash, action: { case: 'route', value: { ...to('a').value, requestMirrorPolicies: mirrors } } }),
  )
  const action = table.virtualHosts[0]?.routes[0]?.action
  assert.ok(action?.kind === 'forward')
  assert.deepEqual(action.mirrors, [
    { cluster: 'm', share: 1, markHost: true },
    { cluster: 'n', share: 0.125, markHost: false },
  ])
  assert.deepEqual(clustersOfTable(table), ['a', 'm', 'n'])
})

test('RDS: path changes and redirects', () => {
  const segments = { pathSpecifier: { case: 'pathSeparatedPrefix' as const, value: '/a.b' } }
  const redirect = {
    schemeRewriteSpecifier: { case: 'httpsRedirect' as const, value: true },
    pathRewriteSpecifier: { case: 'prefixRewrite' as const, value: '/c' },
    portRedirect: 8443,
    responseCode: 4 as const,
  }
  const regexRewrite = (regex: string, substitution: string) => ({
    ...to('a').value,
    regexRewrite: { pattern: { regex }, substitution },
  })
  const table = decode(
    'RDS',
    RouteConfigurationSchema,
    tableOf(
      { match: segments, action: { case: 'route', value: { ...to('a').value, prefixRewrite: '/c' } } },
      { match: segments, action: { case: 'route', value: regexRewrite('^/a\\.b/*', '/') } },
      { match: segments, action: { case: 'route', value: regexRewrite('^.*$', '/c') } },
      { match: segments, action: { case: 'redirect', value: redirect }, responseHeadersToRemove: ['x'] },
    ),
  )
  const routes = table.virtualHosts[0]?.routes ?? []
  assert.deepEqual(
    routes.map(({ action }) => (action.kind === 'direct' ? undefined : action.path)),
    [
      { kind: 'prefix', length: 4, value: '/c' },
      { kind: 'strip', length: 4 },
      { kind: 'full', value: '/c' },
      { kind: 'prefix', length: 4, value: '/c' },
    ],
  )
  assert.deepEqual(routes[3]?.responseEdits, [{ remove: ['x'], options: [] }])
  assert.deepEqual(routes[3]?.action, {
    kind: 'redirect',
    status: 308,
    scheme: 'https',
    host: undefined,
    port: 8443,
    path: { kind: 'prefix', length: 4, value: '/c' },
    stripQuery: false,
  })
})

const rdsRefusals: readonly (readonly [string, Init<typeof RouteConfigurationSchema>, RegExp])[] = [
  [
    'a rewrite by a format string',
    tableOf({ match: slash, action: { case: 'route', value: { ...to('a').value, pathRewrite: '/b' } } }),
    /routes\[0\]\.route\.path_rewrite/,
  ],
  [
    'a rewrite that names a group that there is none of',
    tableOf({
      match: slash,
      action: {
        case: 'route',
        value: { ...to('a').value, regexRewrite: { pattern: { regex: '^/(.*)/' }, substitution: '/\\2' } },
      },
    }),
    /route\.regex_rewrite: .*names group 2, and there is none/,
  ],
  [
    'a rewrite that would end the request line',
    tableOf({ match: slash, action: { case: 'route', value: { ...to('a').value, prefixRewrite: '/b HTTP/1.1\r\n' } } }),
    /route\.prefix_rewrite: .* is no path/,
  ],
  [
    'another length for a message',
    tableOf({
      match: slash,
      action: to('a'),
      requestHeadersToAdd: [{ header: { key: 'Content-Length', value: '1' } }],
    }),
    /routes\[0\]\.request_headers_to_add\[0\]\.header\.key: Content-Length cannot be edited/,
  ],
  [
    'values with commands that we do not know or more than one line',
    tableOf({
      match: slash,
      action: to('a'),
      responseHeadersToAdd: [
        { header: { key: 'a', value: '%START_TIME%' } },
        { header: { key: 'b', value: '1\r\nc: 2' } },
      ],
    }),
    /add\[0\]\.header\.value: the command %START_TIME% is not supported.*add\[1\]\.header\.value: has a control character/s,
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
      action: {
        case: 'route',
        value: {
          ...to('a').value,
          retryPolicy: { retryOn: '5xx,retriable-4xx,envoy-ratelimited,http3-post-connect-failure' },
        },
      },
    }),
    /retry_on: "http3-post-connect-failure" is not supported/,
  ],
  [
    'a route that speaks to a filter we do not have',
    tableOf({
      match: slash,
      action: to('a'),
      typedPerFilterConfig: { x: packAny(RouteConfigurationSchema, create(RouteConfigurationSchema, {})) },
    }),
    /typed_per_filter_config\[x\]: .* is not supported/,
  ],
  [
    'a runtime fraction that is none',
    tableOf({ match: { ...slash, runtimeFraction: {} }, action: to('a') }),
    /match\.runtime_fraction\.default_value: is missing/,
  ],
  [
    'headers of the connection to add, for all of a table',
    { ...tableOf(), requestHeadersToAdd: [{ header: { key: 'te', value: 'b' } }] } as Init<
      typeof RouteConfigurationSchema
    >,
    /request_headers_to_add\[0\]\.header\.key: te cannot be edited/,
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

test('RDS: hedging, as Envoy says it and as our own metadata does', () => {
  const decoded = (value: object, weft: JsonObject = {}): readonly unknown[] => {
    const clusterSpecifier = { case: 'cluster' as const, value: 'a' }
    const route = {
      match: slash,
      action: { case: 'route' as const, value: { clusterSpecifier, ...value } },
      metadata: { filterMetadata: { 'weft.dev': weft } },
    }
    const action = decode('RDS', RouteConfigurationSchema, tableOf(route)).virtualHosts[0]?.routes[0]?.action
    return action?.kind === 'forward' ? [action.hedging, action.retry?.perTryTimeoutMs] : []
  }
  const hedgePolicy = { hedgeOnPerTryTimeout: true }
  const retryPolicy = { retryOn: '5xx', numRetries: 2, perTryTimeout: ms(50) }
  assert.deepEqual(decoded({ retryPolicy }), [undefined, 50])
  assert.deepEqual(decoded({ hedgePolicy }), [undefined, undefined])
  const after50 = { after: { ms: 50 }, maxAttempts: 3, anyMethod: false, tellsTimeouts: true }
  assert.deepEqual(decoded({ hedgePolicy, retryPolicy }), [after50, 0])
  const hedging = { quantile: 0.9, max_attempts: 3, any_method: true }
  const learnt = { after: { quantile: 0.9 }, maxAttempts: 3, anyMethod: true }
  assert.deepEqual(decoded({ retryPolicy }, { hedging }), [learnt, 50])
})

test('RDS: a share of the calls, the endpoint as host, and the count of attempts', () => {
  const clusterSpecifier = { case: 'cluster' as const, value: 'a' }
  const hostRewriteSpecifier = { case: 'autoHostRewrite' as const, value: { value: true } }
  const decoded = decode('RDS', RouteConfigurationSchema, {
    name: 'x',
    virtualHosts: [
      {
        name: 'v',
        domains: ['*'],
        includeRequestAttemptCount: true,
        routes: [
          {
            match: {
              ...slash,
              runtimeFraction: { defaultValue: { numerator: 2500, denominator: 1 }, runtimeKey: 'k' },
            },
            action: { case: 'route', value: { clusterSpecifier, hostRewriteSpecifier } },
          },
          {
            match: { ...slash, runtimeFraction: { defaultValue: { numerator: 100 } } },
            action: {
              case: 'route',
              value: { clusterSpecifier, hostRewriteSpecifier: { ...hostRewriteSpecifier, value: { value: false } } },
            },
          },
        ],
      },
    ],
  })
  const routes = decoded.virtualHosts[0]?.routes ?? []
  assert.deepEqual(
    routes.map(({ match, action }) => [
      match.share,
      action.kind === 'forward' && action.tellAttempt,
      action.kind === 'forward' && action.clusters[0]?.authority,
    ]),
    [
      [0.25, true, { kind: 'endpoint' }],
      [undefined, true, undefined],
    ],
  )
})

test('RDS: replies that say when to come again', () => {
  const withWait = (rateLimitedRetryBackOff: object) =>
    tableOf({
      match: slash,
      action: { case: 'route', value: { ...to('a').value, retryPolicy: { retryOn: '5xx', rateLimitedRetryBackOff } } },
    } as Init<typeof RouteSchema>)
  const resetHeaders = [{ name: 'Retry-After' }, { name: 'X-RateLimit-Reset', format: 1 }]
  const action = decode('RDS', RouteConfigurationSchema, withWait({ resetHeaders })).virtualHosts[0]?.routes[0]?.action
  assert.deepEqual(action?.kind === 'forward' && action.retry?.askedWait, {
    resetHeaders: [
      { name: 'retry-after', says: 'seconds' },
      { name: 'x-ratelimit-reset', says: 'time' },
    ],
    mostMs: 300_000,
  })
  const said = problem('RDS', RouteConfigurationSchema, withWait({ maxInterval: ms(0) }))
  assert.match(said, /rate_limited_retry_back_off\.reset_headers: expected at least one/)
  assert.match(said, /rate_limited_retry_back_off\.max_interval: expected more than 0/)
})

test('RDS: retries by the headers of replies and requests, and elsewhere than at levels that were tried', () => {
  const retryPolicy = {
    retryOn: 'retriable-headers',
    retriableHeaders: [{ name: 'X-Again' }],
    retriableRequestHeaders: [{ name: ':method', headerMatchSpecifier: { case: 'exactMatch' as const, value: 'GET' } }],
    retryPriority: {
      name: 'envoy.retry_priorities.previous_priorities',
      configType: {
        case: 'typedConfig' as const,
        value: packAny(PreviousPrioritiesConfigSchema, create(PreviousPrioritiesConfigSchema, { updateFrequency: 2 })),
      },
    },
  }
  const table = (more: object): Init<typeof RouteConfigurationSchema> =>
    tableOf({
      match: slash,
      action: { case: 'route', value: { ...to('a').value, retryPolicy: { ...retryPolicy, ...more } } },
    })
  const action = decode('RDS', RouteConfigurationSchema, table({})).virtualHosts[0]?.routes[0]?.action
  const retry = action?.kind === 'forward' ? action.retry : undefined
  assert.deepEqual([...(retry?.on ?? [])], ['retriable-headers'])
  assert.deepEqual(retry?.replyHeaders, [{ name: 'x-again', match: undefined, invert: false }])
  assert.deepEqual(retry?.requestHeaders, [
    { name: ':method', match: { kind: 'exact', value: 'GET', ignoreCase: false }, invert: false },
  ])
  assert.equal(retry?.avoidPrioritiesEvery, 2)
  const packed = packAny(PreviousPrioritiesConfigSchema, create(PreviousPrioritiesConfigSchema))
  const said = problem(
    'RDS',
    RouteConfigurationSchema,
    table({ retryPriority: { name: 'x', configType: { case: 'typedConfig', value: packed } } }),
  )
  assert.match(said, /retry_priority\.typed_config\.update_frequency: expected an integer of at least 1, got 0/)
  const other = problem('RDS', RouteConfigurationSchema, table({ retryPriority: { name: 'other' } }))
  assert.match(other, /retry_priority: other is not supported/)
})
