import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { ApiVersion } from '../../xds/gen/envoy/config/core/v3/config_source_pb.ts'
import type { RateLimitSchema as DescriptorSchema } from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import {
  RateLimitPerRouteSchema,
  RateLimitSchema,
  RateLimit_XRateLimitHeadersRFCVersion as Version,
} from '../../xds/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.ts'
import type { HttpFilterSchema } from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { AuthorizationRule, ExternalLimit, LimitEntry } from '../model/model.ts'
import { duration, typed } from './parts.ts'
import { authorityOf, clusterOf } from './backend-cluster.ts'

type Action = NonNullable<MessageInitShape<typeof DescriptorSchema>['actions']>[number]

const filterName = ({ name }: ExternalLimit): string => `weft.external_limit.${name}`

type Filter = MessageInitShape<typeof HttpFilterSchema>

/** Asks the limiter, which is a service of the mesh or one outside; nothing where none is to be asked. */
export const renderExternalLimit = (limit: ExternalLimit | undefined): readonly Filter[] =>
  limit === undefined ? [] : [renderFilter(limit)]

/** One filter for each limiter that some route has asked; it asks nobody about the calls of other routes. */
export const limiterSlots = (limits: readonly (ExternalLimit | undefined)[]): readonly Filter[] =>
  eachOnce(limits).map((limit) => ({ ...renderFilter(limit), disabled: true }))

/** As `typed_per_filter_config` of a route behind such filters. */
export const limiterOfRoute = (limit: ExternalLimit | undefined): Readonly<Record<string, Any>> =>
  limit === undefined ? {} : { [filterName(limit)]: typed(RateLimitPerRouteSchema, {}) }

const eachOnce = (limits: readonly (ExternalLimit | undefined)[]): readonly ExternalLimit[] => [
  ...new Map(limits.flatMap((limit) => (limit === undefined ? [] : [[limit.name, limit] as const]))).values(),
]

const renderFilter = (limit: ExternalLimit): Filter => ({
  name: filterName(limit),
  configType: {
    case: 'typedConfig',
    value: typed(RateLimitSchema, {
      domain: limit.domain,
      timeout: duration(limit.timeoutMs),
      failureModeDeny: limit.closed,
      ...(limit.closed ? { statusOnError: { code: 503 } } : {}),
      rateLimitedAsResourceExhausted: true,
      rateLimitService: {
        grpcService: {
          targetSpecifier: {
            case: 'envoyGrpc',
            value: { clusterName: clusterOf(limit), authority: authorityOf(limit) },
          },
        },
        transportApiVersion: ApiVersion.V3,
      },
      enableXRatelimitHeaders: limit.tellsAll ? Version.DRAFT_VERSION_03 : Version.OFF,
      rateLimits: limit.descriptors.map((entries) => ({ actions: entries.map(renderEntry) })),
    }),
  },
})

function renderEntry(entry: LimitEntry): Action {
  switch (entry.kind) {
    case 'header':
      return {
        actionSpecifier: { case: 'requestHeaders', value: { headerName: entry.name, descriptorKey: entry.key } },
      }
    case 'text':
      return {
        actionSpecifier: { case: 'genericKey', value: { descriptorKey: entry.key, descriptorValue: entry.value } },
      }
    case 'remote-address':
      return { actionSpecifier: { case: 'remoteAddress', value: {} } }
  }
}

/** For the listener's metadata. */
export const namedExternalLimits = (
  limits: readonly (ExternalLimit | undefined)[],
): readonly Pick<AuthorizationRule, 'name' | 'origin'>[] =>
  eachOnce(limits).map((limit) => ({ name: filterName(limit), origin: limit.origin }))
