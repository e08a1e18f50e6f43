import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { VirtualHost_TlsRequirementType as TlsRequirement } from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import { decode, manager, problem, withFilters, type Init } from './testing/decoding.ts'

/** A table of one host with one route. */
const tableOf = (host: object, route: object = {}, action: object = {}): Init<typeof RouteConfigurationSchema> =>
  ({
    name: 'x',
    virtualHosts: [
      {
        name: 'h',
        domains: ['*'],
        ...host,
        routes: [
          {
            match: { pathSpecifier: { case: 'prefix', value: '/' } },
            action: {
              case: 'route',
              value: { clusterSpecifier: { case: 'cluster', value: 'c' }, ...action },
            },
            ...route,
          },
        ],
      },
    ],
  }) as Init<typeof RouteConfigurationSchema>
const hostOf = (table: Init<typeof RouteConfigurationSchema>) =>
  decode('RDS', RouteConfigurationSchema, table).virtualHosts[0]
const actionOf = (table: Init<typeof RouteConfigurationSchema>) => hostOf(table)?.routes[0]?.action

test('upgrades of a listener: any protocol that HTTP/1.1 can change to', () => {
  const upgradeConfigs = [
    { upgradeType: 'WebSocket' },
    { upgradeType: 'spdy/3.1' },
    { upgradeType: 'other', enabled: false },
  ]
  const terminal = decode('LDS', ListenerSchema, withFilters([manager({ upgradeConfigs })])).filterChains[0]?.terminal
  assert.partialDeepStrictEqual(terminal, { upgrades: ['websocket', 'spdy/3.1'] })
  for (const upgradeType of ['connect-udp', 'h2c', 'a b', ''])
    assert.match(
      problem('LDS', ListenerSchema, withFilters([manager({ upgradeConfigs: [{ upgradeType }] })])),
      /upgrade_configs\[0\]\.upgrade_type: ".*" is not supported/,
    )
})

test('upgrades of a route', () => {
  const upgradeConfigs = [{ upgradeType: 'WebSocket', enabled: false }, { upgradeType: 'spdy/3.1' }]
  assert.partialDeepStrictEqual(actionOf(tableOf({}, {}, { upgradeConfigs })), {
    upgrades: new Map([
      ['websocket', false],
      ['spdy/3.1', true],
    ]),
  })
  const tunnel = { upgradeConfigs: [{ upgradeType: 'websocket', connectConfig: {} }, { upgradeType: 'WEBSOCKET' }] }
  const why = problem('RDS', RouteConfigurationSchema, tableOf({}, {}, tunnel))
  assert.match(why, /upgrade_configs\[0\]\.connect_config: is for CONNECT/)
  assert.match(why, /upgrade_configs\[1\]\.upgrade_type: WEBSOCKET is there twice/)
})

test('how much of a request is kept: the route, else its host; the newer name, else the older', () => {
  const limitIn = (host: object, route: object): number | undefined => {
    const action = actionOf(tableOf(host, route))
    return action?.kind === 'forward' ? action.bufferLimitBytes : undefined
  }
  const old = (value: number) => ({ perRequestBufferLimitBytes: value })
  const newer = (value: bigint) => ({ requestBodyBufferLimit: value })
  assert.equal(limitIn({}, {}), undefined)
  assert.equal(limitIn(old(10), {}), 10)
  assert.equal(limitIn(old(10), newer(20n)), 20)
  assert.equal(limitIn(newer(30n), old(0)), 0)
  const both = tableOf({}, { ...old(1), ...newer(2n) })
  assert.match(problem('RDS', RouteConfigurationSchema, both), /request_body_buffer_limit: .* exclude each other/)
})

test('what a virtual host says of TLS and of attempts', () => {
  assert.equal(hostOf(tableOf({ requireTls: TlsRequirement.ALL }))?.requireTls, 'all')
  assert.equal(hostOf(tableOf({ requireTls: TlsRequirement.EXTERNAL_ONLY }))?.requireTls, 'external')
  assert.equal(hostOf(tableOf({}))?.requireTls, undefined)
  assert.partialDeepStrictEqual(actionOf(tableOf({ includeAttemptCountInResponse: true })), { tellAttempts: true })
})

test('a CONNECT ends here, or is refused', () => {
  const connect = { match: { pathSpecifier: { case: 'connectMatcher', value: {} } } }
  const ends = { upgradeConfigs: [{ upgradeType: 'CONNECT', connectConfig: {} }] }
  const host = hostOf(tableOf({}, connect, ends))
  assert.partialDeepStrictEqual(host?.routes[0], {
    match: { headers: [{ name: ':method', match: { kind: 'exact', value: 'CONNECT' } }] },
    action: { endsConnect: true, upgrades: new Map([['connect', true]]) },
  })
  const why = (action: object): string => problem('RDS', RouteConfigurationSchema, tableOf({}, connect, action))
  assert.match(why({}), /route\.upgrade_configs: expected CONNECT with connect_config/)
  assert.match(
    why({ upgradeConfigs: [{ upgradeType: 'CONNECT' }] }),
    /upgrade_configs\[0\]\.connect_config: is missing/,
  )
  const posted = { upgradeConfigs: [{ upgradeType: 'CONNECT', connectConfig: { allowPost: true } }] }
  assert.match(why(posted), /upgrade_configs\[0\]\.connect_config\.allow_post: is not supported/)
})
