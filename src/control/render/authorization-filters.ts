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

/** RBAC policies and limits have no room for metadata: their origins stand on the listener, by their names. */
export function policyOrigins(
  { deny, allow, audit }: PortAuthorization,
  others: readonly Pick<RateLimit, 'name' | 'origin'>[] = [],
): ReturnType<typeof originJson> {
  const named: readonly Pick<AuthorizationRule, 'name' | 'origin'>[] = [...deny, ...allow, ...audit, ...others]
  if (named.length === 0) return {}
  return { policies: Object.fromEntries(named.map(({ name, origin }) => [name, originJson(origin)])) }
}
