import type { Any } from '@bufbuild/protobuf/wkt'
import { typeUrlOf } from '../../xds/any.ts'
import { CorsPolicySchema } from '../../xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import type { CorsPolicy } from '../config.ts'
import { stringMatch } from './decode-parts.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

const known = fieldNames(`allow_origin_string_match allow_methods allow_headers expose_headers max_age
  allow_credentials forward_not_matching_preflights`)

/** A route's word to single filters: that about CORS is taken, others are refused. Source: envoy CorsPolicy. */
export function decodeFilterConfigs(
  configs: Readonly<Record<string, Any>>,
  path: string,
  refused: Refusals,
): { readonly cors?: CorsPolicy } {
  let cors: CorsPolicy | undefined
  for (const [name, any] of Object.entries(configs)) {
    const at = join(path, `typed_per_filter_config[${name}]`)
    if (any.typeUrl === typeUrlOf(CorsPolicySchema)) cors = decodeCors(any, at, refused)
    else refused.add(at, `${any.typeUrl} is not supported`)
  }
  return cors === undefined ? {} : { cors }
}

function decodeCors(any: Any, path: string, refused: Refusals): CorsPolicy | undefined {
  const policy = open(any, CorsPolicySchema, path, refused)
  if (policy === undefined) return undefined
  knowOnly(CorsPolicySchema, policy, known, path, refused)
  for (const field of ['allowMethods', 'allowHeaders', 'exposeHeaders', 'maxAge'] as const)
    if (!/^[\x20-\x7e]*$/.test(policy[field])) refused.add(path, `${field} is no header value`)
  return {
    allowOrigins: policy.allowOriginStringMatch.map((one, index) =>
      stringMatch(one, join(path, `allow_origin_string_match[${index}]`), refused),
    ),
    allowMethods: policy.allowMethods,
    allowHeaders: policy.allowHeaders,
    exposeHeaders: policy.exposeHeaders,
    maxAge: policy.maxAge,
    allowCredentials: policy.allowCredentials ?? false,
    forwardUnmatchedPreflights: policy.forwardNotMatchingPreflights ?? true,
  }
}
