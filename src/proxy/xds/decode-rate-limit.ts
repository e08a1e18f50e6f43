import type { BucketRate } from '../../base/keyed-buckets.ts'
import {
  RateLimitSchema,
  RateLimit_ActionSchema,
  RateLimit_Action_RequestHeadersSchema,
  type RateLimit as XdsRateLimit,
} from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { RuntimeFractionalPercent } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import type { LocalRateLimitDescriptor } from '../../xds/gen/envoy/extensions/common/ratelimit/v3/ratelimit_pb.ts'
import {
  LocalRateLimitSchema,
  type LocalRateLimit,
} from '../../xds/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.ts'
import type { TokenBucket } from '../../xds/gen/envoy/type/v3/token_bucket_pb.ts'
import { clientCertificateHeader } from '../../xds/names.ts'
import type { KeyedLimit, RateLimit, SharedBudget } from '../config.ts'
import { durationMs, shareOf, type PolicyOrigin } from './decode-parts.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const known = fieldNames(`stat_prefix status token_bucket filter_enabled filter_enforced descriptors rate_limits
  enable_x_ratelimit_headers always_consume_default_token_bucket rate_limited_as_resource_exhausted
  max_dynamic_descriptors enable_retry_after_header`)

/** Undefined: it is switched off, as it is unless it says how many requests it is for. Source: envoy LocalRateLimit. */
export function decodeRateLimit(
  limit: LocalRateLimit,
  origins: ReadonlyMap<string, PolicyOrigin>,
  path: string,
  refused: Refusals,
): RateLimit | undefined {
  knowOnly(LocalRateLimitSchema, limit, known, path, refused)
  const enabled = switchedOn(limit.filterEnabled, join(path, 'filter_enabled'), refused)
  const enforced = switchedOn(limit.filterEnforced, join(path, 'filter_enforced'), refused)
  const { statPrefix: name } = limit
  if (name === '') refused.add(join(path, 'stat_prefix'), 'is empty')
  const status = limit.status?.code ?? 0
  const rate = decodeBucket(limit.tokenBucket, join(path, 'token_bucket'), refused)
  const keyed = decodeKeyed(limit, path, refused)
  if (!enabled || !enforced) return undefined
  const { budget, ...origin } = origins.get(name) ?? {}
  return {
    name,
    ...(budget && { budget }),
    rate: budget === undefined ? rate : equalShare(budget),
    ...(keyed && { keyed: budget === undefined ? keyed : { ...keyed, rate: equalShare(budget) } }),
    status: status < 400 ? 429 : status,
    resourceExhausted: limit.rateLimitedAsResourceExhausted,
    tellsAll: limit.enableXRatelimitHeaders !== 0,
    retryAfter: limit.enableRetryAfterHeader,
    origin: 'resource' in origin ? origin : undefined,
  }
}

/** What each has until it is dealt another; exact, where a token bucket of Envoy is not. */
const equalShare = ({ perSecond, burst, instances }: SharedBudget): BucketRate => ({
  perSecond: perSecond / instances,
  burst: Math.max(1, burst / instances),
})

/** There is no runtime here: the default value holds. */
function switchedOn(part: RuntimeFractionalPercent | undefined, path: string, refused: Refusals): boolean {
  const share = shareOf(part?.defaultValue, 0)
  if (share !== 0 && share !== 1) refused.add(path, 'only 0 % and 100 % are supported')
  return share === 1
}

function decodeBucket(bucket: TokenBucket | undefined, path: string, refused: Refusals): BucketRate {
  if (bucket === undefined) {
    refused.add(path, 'is missing')
    return { burst: 1, perSecond: 1 }
  }
  const { maxTokens: burst, tokensPerFill: filled = 1 } = bucket
  const intervalMs = durationMs(bucket.fillInterval, 0, join(path, 'fill_interval'), refused)
  if (burst < 1) refused.add(join(path, 'max_tokens'), 'must be at least 1')
  if (filled < 1) refused.add(join(path, 'tokens_per_fill'), 'must be at least 1')
  if (intervalMs < 50) refused.add(join(path, 'fill_interval'), `expected at least 50 ms, got ${intervalMs} ms`)
  return { burst, perSecond: (filled * 1000) / Math.max(50, intervalMs) }
}

/** One descriptor that any value of one key matches: a bucket for each. */
function decodeKeyed(limit: LocalRateLimit, path: string, refused: Refusals): KeyedLimit | undefined {
  const [descriptor, ...more] = limit.descriptors
  if (descriptor === undefined && limit.rateLimits.length === 0) return undefined
  const [actions, ...others] = limit.rateLimits
  if (descriptor === undefined || actions === undefined || more.length > 0 || others.length > 0) {
    refused.add(join(path, 'descriptors'), 'expected one, with one entry of rate_limits for it')
    return undefined
  }
  if (limit.alwaysConsumeDefaultTokenBucket !== false)
    refused.add(join(path, 'always_consume_default_token_bucket'), 'expected false beside descriptors')
  const found = decodeActions(actions, join(path, 'rate_limits[0]'), refused)
  const at = join(path, 'descriptors[0]')
  if (!matchesAny(descriptor, found?.key))
    refused.add(at, 'expected one entry, with the key of rate_limits and no value')
  const rate = decodeBucket(descriptor.tokenBucket, join(at, 'token_bucket'), refused)
  // Envoy's own number where none is said.
  return found && { by: found.by, rate, maxKeys: limit.maxDynamicDescriptors ?? 20 }
}

const matchesAny = ({ entries, shadowMode }: LocalRateLimitDescriptor, key: string | undefined): boolean =>
  entries.length === 1 && entries[0]?.key === key && entries[0]?.value === '' && !shadowMode

const actionFields = fieldNames('request_headers')
const headerFields = fieldNames('header_name descriptor_key')

function decodeActions(
  limit: XdsRateLimit,
  path: string,
  refused: Refusals,
): { readonly key: string; readonly by: KeyedLimit['by'] } | undefined {
  knowOnly(RateLimitSchema, limit, fieldNames('actions'), path, refused)
  const [action, ...more] = limit.actions
  if (action === undefined || more.length > 0) {
    refused.add(join(path, 'actions'), `expected one, got ${limit.actions.length}`)
    return undefined
  }
  const at = join(path, 'actions[0]')
  knowOnly(RateLimit_ActionSchema, action, actionFields, at, refused)
  const { actionSpecifier: by } = action
  if (by.case !== 'requestHeaders') return undefined
  knowOnly(RateLimit_Action_RequestHeadersSchema, by.value, headerFields, join(at, 'request_headers'), refused)
  const header = by.value.headerName.toLowerCase()
  if (header === '' || header.startsWith(':'))
    refused.add(join(at, 'request_headers.header_name'), 'expected the name of a header')
  return { key: by.value.descriptorKey, by: header === clientCertificateHeader ? 'caller' : { header } }
}
