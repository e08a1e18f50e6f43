import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf'
import { RBACSchema } from '../../xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import type { HttpFilterSchema } from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { AuthorizationRule, PortAuthorization, RateLimit } from '../model/model.ts'
import { renderAuthorization } from './authorization.ts'
import { originJson, typed } from './parts.ts'
import { budgetJson } from './rate-limits.ts'

/** What decides about requests on one port, in order. */
export const httpAuthorization = (
  port: Parameters<typeof renderAuthorization>[0],
): MessageInitShape<typeof HttpFilterSchema>[] =>
  renderAuthorization(port, { http: true }).map(({ name, rules }) => ({
    name: `weft.authorization.${name}`,
    configType: { case: 'typedConfig', value: typed(RBACSchema, { rules }) },
  }))

/** What has a name, and no room for metadata in its own message. */
type Named = Pick<AuthorizationRule, 'name' | 'origin'>

/** RBAC policies and limits have no room for metadata: what is to be said of them stands on the listener or route, by their names. */
export const policyOrigins = (
  { deny, allow, audit }: PortAuthorization,
  limits: readonly RateLimit[] = [],
  others: readonly Named[] = [],
): JsonObject => notes([...[...deny, ...allow, ...audit, ...others].map(noteOf), ...limits.map(noteOfLimit)])

/** The same of limits alone. */
export const limitOrigins = (limits: readonly RateLimit[]): JsonObject => notes(limits.map(noteOfLimit))

type Note = readonly [name: string, note: JsonObject]
const notes = (all: readonly Note[]): JsonObject => (all.length === 0 ? {} : { policies: Object.fromEntries(all) })
const noteOf = ({ name, origin }: Named): Note => [name, originJson(origin)]
const noteOfLimit = (limit: RateLimit): Note => [limit.name, { ...originJson(limit.origin), ...budgetJson(limit) }]
