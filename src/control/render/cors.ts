import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { CorsPolicySchema, CorsSchema } from '../../xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import type { HttpFilterSchema } from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { CorsPolicy } from '../model/model.ts'
import { typed } from './parts.ts'
import { quoteRegex, regexMatch, type StringMatch } from './value-pattern.ts'

/** Name of Envoy's filter, by which a route finds its own configuration for it. */
export const corsFilter = 'envoy.filters.http.cors'

/** Does what routes say of CORS; our proxy needs no filter for that. */
export const corsByRoute: MessageInitShape<typeof HttpFilterSchema> = {
  name: corsFilter,
  isOptional: true,
  configType: { case: 'typedConfig', value: typed(CorsSchema, {}) },
}

/** As `typed_per_filter_config` of a route. A preflight is answered here in any case, never by the backend. */
export const renderCors = (policy: CorsPolicy): Any =>
  typed(CorsPolicySchema, {
    allowOriginStringMatch: policy.allowOrigins.map(originMatch),
    allowMethods: policy.allowMethods.join(', '),
    allowHeaders: policy.allowHeaders.join(', '),
    exposeHeaders: policy.exposeHeaders.join(', '),
    maxAge: String(policy.maxAgeSeconds),
    allowCredentials: policy.allowCredentials,
    forwardNotMatchingPreflights: false,
  })

/** "*" is any number of labels; anywhere else in an origin it cannot stand. */
function originMatch(origin: string): StringMatch {
  if (origin === '*') return regexMatch('.*')
  const [before = '', after] = origin.split('*')
  if (after === undefined) return { matchPattern: { case: 'exact', value: origin } }
  return regexMatch(`${quoteRegex(before)}[^/]+${quoteRegex(after)}`)
}
