import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import type { RateLimitSchema } from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { XRateLimitHeadersRFCVersion } from '../../xds/gen/envoy/extensions/common/ratelimit/v3/ratelimit_pb.ts'
import { LocalRateLimitSchema } from '../../xds/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.ts'
import type { HttpFilterSchema } from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { TokenBucketSchema } from '../../xds/gen/envoy/type/v3/token_bucket_pb.ts'
import { clientCertificateHeader } from '../../xds/names.ts'
import type { RateLimit } from '../model/model.ts'
import { duration, fraction, typed } from './parts.ts'

/** One key of the descriptors is enough. */
const key = 'key'

/** Of so many values of a key each has its own count. */
const maxKeys = 10_000

/** One filter a limit, so that a request has to pass them all. */
export const renderRateLimits = (limits: readonly RateLimit[]): MessageInitShape<typeof HttpFilterSchema>[] =>
  limits.map((limit) => ({
    name: `weft.rate_limit.${limit.name}`,
    configType: { case: 'typedConfig', value: renderRateLimit(limit) },
  }))

/** Who is told apart by nothing meets the filter's own bucket. */
const renderRateLimit = (limit: RateLimit): Any =>
  typed(LocalRateLimitSchema, {
    statPrefix: limit.name,
    tokenBucket: bucketOf(limit),
    filterEnabled: { defaultValue: fraction(1) },
    filterEnforced: { defaultValue: fraction(1) },
    ...(limit.per === undefined ? {} : keyed(limit, limit.per)),
    enableXRatelimitHeaders: XRateLimitHeadersRFCVersion.DRAFT_VERSION_03,
    enableRetryAfterHeader: true,
    rateLimitedAsResourceExhausted: true,
  })

const slotName = (index: number): string => `weft.rate_limit.by_route.${index}`

/** As many filters as a route has limits at most: each does what the route says, and nothing by itself. */
export const limitSlots = (routes: readonly (readonly RateLimit[])[]): MessageInitShape<typeof HttpFilterSchema>[] =>
  Array.from({ length: routes.reduce((most, { length }) => Math.max(most, length), 0) }, (_, index) => ({
    name: slotName(index),
    configType: { case: 'typedConfig', value: typed(LocalRateLimitSchema, { statPrefix: slotName(index) }) },
    disabled: true,
  }))

/** As `typed_per_filter_config` of a route behind such filters. */
export const limitsOfRoute = (limits: readonly RateLimit[]): Readonly<Record<string, Any>> =>
  Object.fromEntries(limits.map((limit, index) => [slotName(index), renderRateLimit(limit)]))

/** What has no key falls back to the filter's own bucket, which the others leave alone. */
const keyed = (
  limit: RateLimit,
  per: NonNullable<RateLimit['per']>,
): Pick<
  MessageInitShape<typeof LocalRateLimitSchema>,
  'rateLimits' | 'descriptors' | 'alwaysConsumeDefaultTokenBucket' | 'maxDynamicDescriptors'
> => ({
  rateLimits: [actionsFor(per)],
  descriptors: [{ entries: [{ key }], tokenBucket: bucketOf(limit) }],
  alwaysConsumeDefaultTokenBucket: false,
  maxDynamicDescriptors: maxKeys,
})

/** Who calls stands in the header that the connection manager writes anew from the certificate. */
const actionsFor = (per: NonNullable<RateLimit['per']>): MessageInitShape<typeof RateLimitSchema> => ({
  actions: [
    {
      actionSpecifier: {
        case: 'requestHeaders',
        value: { headerName: per === 'caller' ? clientCertificateHeader : per.header, descriptorKey: key },
      },
    },
  ],
})

/** Of a budget that instances share an equal part, without fractions of requests: what each has until it is dealt another. */
function bucketOf({ requests, unitMs, burst, instances = 1 }: RateLimit): MessageInitShape<typeof TokenBucketSchema> {
  const each = requests / instances
  return {
    maxTokens: Math.max(1, Math.floor(burst / instances)),
    tokensPerFill: Math.max(1, Math.floor(each)),
    fillInterval: duration(each >= 1 ? unitMs : Math.ceil(unitMs / each)),
  }
}

/** What xDS cannot say of a limit: the whole budget, where instances share it. */
export const budgetJson = ({ requests, unitMs, burst, instances }: RateLimit): JsonObject =>
  instances === undefined ? {} : { budget: { per_second: (requests * 1000) / unitMs, burst, instances } }
