import type { Any } from '@bufbuild/protobuf/wkt'
import { CorsPolicySchema } from '../../xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import type { CorsPolicy } from '../config.ts'
import { stringMatch } from './decode-parts.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

const known = fieldNames(`allow_origin_string_match allow_methods allow_headers expose_headers max_age
  allow_credentials forward_not_matching_preflights`)

/** What a route says of CORS. Source: envoy CorsPolicy. */
export function decodeCors(any: Any, path: string, refused: Refusals): CorsPolicy | undefined {
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
