import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { LocalRateLimitSchema } from '../../xds/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.ts'
import type { RateLimit } from '../config.ts'
import { decode, manager, ms, problem, typed, withFilters, type Init } from './testing/decoding.ts'
import { router } from './testing/resources.ts'

type Limit = Init<typeof LocalRateLimitSchema>
const all = { defaultValue: { numerator: 100, denominator: 0 as const } }
const bucket = { maxTokens: 5, tokensPerFill: 10, fillInterval: ms(2000) }
const plain: Limit = { statPrefix: 'a', tokenBucket: bucket, filterEnabled: all, filterEnforced: all }
const keyed = (headerName: string): Limit => ({
  ...plain,
  rateLimits: [
    { actions: [{ actionSpecifier: { case: 'requestHeaders', value: { headerName, descriptorKey: 'k' } } }] },
  ],
  descriptors: [{ entries: [{ key: 'k' }], tokenBucket: { ...bucket, maxTokens: 1 } }],
  alwaysConsumeDefaultTokenBucket: false,
})
/** Both are written by hand, so that together they are too. */
const but = (limit: Limit, more: Limit): Limit => ({ ...limit, ...more }) as Limit
const listener = (limit: Limit): Init<typeof ListenerSchema> =>
  withFilters([manager({ httpFilters: [typed('limit', LocalRateLimitSchema, limit), router] })])

function read(limit: Limit): RateLimit | undefined {
  const terminal = decode('LDS', ListenerSchema, listener(limit)).filterChains[0]?.terminal
  assert.ok(terminal?.kind === 'http')
  const [filter] = terminal.filters
  return filter?.kind === 'rate-limit' ? filter.limit : undefined
}

test('one bucket for all: Envoy’s own answers where nothing is said of them', () => {
  assert.deepEqual(read(plain), {
    name: 'a',
    rate: { burst: 5, perSecond: 5 },
    status: 429,
    resourceExhausted: false,
    tellsAll: false,
    retryAfter: false,
    origin: undefined,
  })
})

test('a bucket for each caller or each value of a header; as many as Envoy has, where no number is said', () => {
  const rate = { burst: 1, perSecond: 5 }
  assert.deepEqual(read(keyed('X-User'))?.keyed, { by: { header: 'x-user' }, rate, maxKeys: 20 })
  const many = but(keyed('x-forwarded-client-cert'), { maxDynamicDescriptors: 300 })
  assert.deepEqual(read(many)?.keyed, { by: 'caller', rate, maxKeys: 300 })
})

test('without a word that it is on, it is off', () => {
  assert.equal(read({ statPrefix: 'a', tokenBucket: bucket, filterEnabled: all }), undefined)
  assert.equal(read({ statPrefix: 'a', tokenBucket: bucket, filterEnforced: all }), undefined)
})

const wrong: readonly (readonly [limit: Limit, why: string])[] = [
  [{ statPrefix: 'a', filterEnabled: all, filterEnforced: all }, 'token_bucket: is missing'],
  [but(plain, { tokenBucket: { ...bucket, maxTokens: 0 } }), 'token_bucket.max_tokens: must be at least 1'],
  [but(plain, { tokenBucket: { ...bucket, fillInterval: ms(1) } }), 'fill_interval: expected at least 50 ms, got 1 ms'],
  [
    but(plain, { filterEnforced: { defaultValue: { numerator: 50, denominator: 0 } } }),
    'filter_enforced: only 0 % and 100 % are supported',
  ],
  [but(plain, { localRateLimitPerDownstreamConnection: true }), 'local_rate_limit_per_downstream_connection: is not'],
  [but(keyed('x'), { rateLimits: [] }), 'descriptors: expected one, with one entry of rate_limits for it'],
  [but(keyed('x'), { alwaysConsumeDefaultTokenBucket: true }), 'always_consume_default_token_bucket: expected false'],
  [
    but(keyed('x'), { descriptors: [{ entries: [{ key: 'k', value: 'v' }], tokenBucket: bucket }] }),
    'descriptors[0]: expected one entry, with the key of rate_limits and no value',
  ],
  [
    but(keyed('x'), { rateLimits: [{ actions: [{ actionSpecifier: { case: 'remoteAddress', value: {} } }] }] }),
    'rate_limits[0].actions[0].remote_address: is not supported',
  ],
  [keyed(':path'), 'header_name: expected the name of a header'],
]
for (const [limit, why] of wrong)
  test(`refused: ${why}`, () => {
    const said = problem('LDS', ListenerSchema, listener(limit))
    assert.ok(said.includes(why), said)
  })
