import { create } from '@bufbuild/protobuf'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packAny } from '../../xds/any.ts'
import { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import {
  RateLimitPerRouteSchema,
  RateLimitPerRoute_OverrideOptions,
  RateLimitPerRoute_VhRateLimitsOptions,
} from '../../xds/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.ts'
import { decode, problem, type Init } from './testing/decoding.ts'

type PerRoute = Init<typeof RateLimitPerRouteSchema>
const words = (said: PerRoute) => ({
  typedPerFilterConfig: { s: packAny(RateLimitPerRouteSchema, create(RateLimitPerRouteSchema, said)) },
})
const tableOf = (ofRoute: PerRoute, ofHost?: PerRoute): Init<typeof RouteConfigurationSchema> => ({
  name: 'x',
  virtualHosts: [
    {
      name: 'v',
      domains: ['*'],
      ...(ofHost && words(ofHost)),
      routes: [
        {
          match: { pathSpecifier: { case: 'prefix', value: '/' } },
          action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: 'a' } } },
          ...words(ofRoute),
        },
      ],
    },
  ],
})
const limiterOf = (table: Init<typeof RouteConfigurationSchema>): unknown =>
  decode('RDS', RouteConfigurationSchema, table).virtualHosts[0]?.routes[0]?.limiters?.get('s')
const key = { actionSpecifier: { case: 'genericKey' as const, value: { descriptorKey: 'k', descriptorValue: 'v' } } }

test('RDS: that a limiter is asked about the calls of a route, and in which words', () => {
  assert.deepEqual(limiterOf(tableOf({})), {})
  assert.deepEqual(limiterOf(tableOf({ domain: 'd', rateLimits: [{ actions: [key] }] })), {
    domain: 'd',
    descriptors: [{ stage: 0, entries: [{ kind: 'text', key: 'k', value: 'v' }] }],
  })
  assert.deepEqual(limiterOf(tableOf({}, { domain: 'of the host' })), {}, 'the narrower one has the last word')
})

const refused: readonly (readonly [said: PerRoute, why: string])[] = [
  [{ vhRateLimits: RateLimitPerRoute_VhRateLimitsOptions.IGNORE }, 'vh_rate_limits: is not supported'],
  [{ overrideOption: RateLimitPerRoute_OverrideOptions.INCLUDE_POLICY }, 'override_option: is not supported'],
  [{ rateLimits: [{}] }, 'rate_limits[0].actions: expected at least one'],
]
for (const [said, why] of refused)
  test(`RDS: refused of a limiter: ${why}`, () => {
    assert.equal(
      problem('RDS', RouteConfigurationSchema, tableOf(said)),
      `x: virtual_hosts[0].routes[0].typed_per_filter_config[s].${why}`,
    )
  })
