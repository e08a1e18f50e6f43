import type { MessageInitShape } from '@bufbuild/protobuf'
import { RBACSchema } from '../../xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import type { HttpFilterSchema } from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { AuthorizationRule, PortAuthorization, RateLimit } from '../model/model.ts'
import { renderAuthorization } from './authorization.ts'
import { originJson, typed } from './parts.ts'

/** What decides about requests on one port, in order. */
export const httpAuthorization = (
  port: Parameters<typeof renderAuthorization>[0],
): MessageInitShape<typeof HttpFilterSchema>[] =>
  renderAuthorization(port, { http: true }).map(({ name, rules }) => ({
    name: `weft.authorization.${name}`,
    configType: { case: 'typedConfig', value: typed(RBACSchema, { rules }) },
  }))

/** RBAC policies and limits have no room for metadata: their origins stand on the listener or route, by their names. */
export function policyOrigins(
  { deny, allow, audit }: PortAuthorization,
  others: readonly Pick<RateLimit, 'name' | 'origin'>[] = [],
): ReturnType<typeof originJson> {
  return namedOrigins([...deny, ...allow, ...audit, ...others])
}

/** The same of any parts that have names. */
export const namedOrigins = (
  parts: readonly Pick<AuthorizationRule, 'name' | 'origin'>[],
): ReturnType<typeof originJson> =>
  parts.length === 0
    ? {}
    : { policies: Object.fromEntries(parts.map(({ name, origin }) => [name, originJson(origin)])) }
