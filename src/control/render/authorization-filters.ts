import type { MessageInitShape } from '@bufbuild/protobuf'
import { RBACSchema } from '../../xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import type { HttpFilterSchema } from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { AuthorizationRule, PortAuthorization } from '../model/model.ts'
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

/** An RBAC policy has no room for metadata: their origins stand on the listener, by the policy's name. */
export function policyOrigins({ deny, allow, audit }: PortAuthorization): ReturnType<typeof originJson> {
  const rules: readonly AuthorizationRule[] = [...deny, ...allow, ...audit]
  if (rules.length === 0) return {}
  return { policies: Object.fromEntries(rules.map((rule) => [rule.name, originJson(rule.origin)])) }
}
