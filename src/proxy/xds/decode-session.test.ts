import { create } from '@bufbuild/protobuf'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packAny } from '../../xds/any.ts'
import { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import { StatefulSessionPerRouteSchema } from '../../xds/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.ts'
import { CookieBasedSessionStateSchema } from '../../xds/gen/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb.ts'
import { HeaderBasedSessionStateSchema } from '../../xds/gen/envoy/extensions/http/stateful_session/header/v3/header_pb.ts'
import { decode, ms, problem, type Init } from './testing/decoding.ts'

type PerRoute = Init<typeof StatefulSessionPerRouteSchema>
const tableOf = (said: PerRoute): Init<typeof RouteConfigurationSchema> => ({
  name: 'x',
  virtualHosts: [
    {
      name: 'v',
      domains: ['*'],
      routes: [
        {
          match: { pathSpecifier: { case: 'prefix', value: '/' } },
          action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: 'a' } } },
          typedPerFilterConfig: {
            s: packAny(StatefulSessionPerRouteSchema, create(StatefulSessionPerRouteSchema, said)),
          },
        },
      ],
    },
  ],
})
const stateOf = (said: PerRoute): unknown =>
  decode('RDS', RouteConfigurationSchema, tableOf(said)).virtualHosts[0]?.routes[0]?.sessions?.get('s')
const by = (typedConfig: ReturnType<typeof packAny>, strict = false): PerRoute => ({
  override: { case: 'statefulSession', value: { strict, sessionState: { name: 's', typedConfig } } },
})
const cookie = (value: Init<typeof CookieBasedSessionStateSchema>) =>
  packAny(CookieBasedSessionStateSchema, create(CookieBasedSessionStateSchema, value))

test('RDS: what a route says of sessions', () => {
  const attributes = [{ name: 'Secure' }, { name: 'SameSite', value: 'Lax' }]
  assert.deepEqual(stateOf(by(cookie({ cookie: { name: 'c', path: '/a', ttl: ms(90_000), attributes } }), true)), {
    kind: 'cookie',
    name: 'c',
    path: '/a',
    ttlS: 90,
    attributes: ['Secure', 'SameSite=Lax'],
    strict: true,
  })
  const header = packAny(HeaderBasedSessionStateSchema, create(HeaderBasedSessionStateSchema, { name: 'X-Cart' }))
  assert.deepEqual(stateOf(by(header)), { kind: 'header', name: 'x-cart', strict: false })
  assert.equal(stateOf({ override: { case: 'disabled', value: true } }), undefined)
})

test('RDS: that sessions end when nobody uses them stands in metadata of our own control plane', () => {
  const said = tableOf(by(cookie({ cookie: { name: 'c' } })))
  const route = said.virtualHosts?.[0]?.routes?.[0]
  assert.ok(route)
  route.metadata = { filterMetadata: { 'weft.dev': { session_idle_seconds: 20 } } }
  const state = decode('RDS', RouteConfigurationSchema, said).virtualHosts[0]?.routes[0]?.sessions?.get('s')
  assert.deepEqual(state, { kind: 'cookie', name: 'c', path: '', ttlS: 0, attributes: [], strict: false, idleS: 20 })
})

test('RDS: what is no session is refused', () => {
  const refusal = (said: PerRoute): string => problem('RDS', RouteConfigurationSchema, tableOf(said))
  assert.match(refusal(by(cookie({}))), /session_state\.cookie\.name: is missing/)
  assert.match(refusal({}), /expected disabled: true or stateful_session/)
})
