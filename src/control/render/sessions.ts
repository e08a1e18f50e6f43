import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import type { HttpFilterSchema } from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import {
  StatefulSessionPerRouteSchema,
  StatefulSessionSchema,
} from '../../xds/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.ts'
import { CookieBasedSessionStateSchema } from '../../xds/gen/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb.ts'
import { HeaderBasedSessionStateSchema } from '../../xds/gen/envoy/extensions/http/stateful_session/header/v3/header_pb.ts'
import type { Session } from '../model/model.ts'
import { duration, typed } from './parts.ts'

/** Name of Envoy's filter, by which a route finds its own configuration for it. */
export const sessionFilter = 'envoy.filters.http.stateful_session'

/** Does what routes say of sessions, and nothing by itself. */
export const sessionsByRoute: MessageInitShape<typeof HttpFilterSchema> = {
  name: sessionFilter,
  configType: { case: 'typedConfig', value: typed(StatefulSessionSchema, {}) },
}

/** Envoy's cookie says when it ends, and is told once. */
export const sessionMetadata = (session: Session | undefined): JsonObject =>
  session?.kind === 'cookie' && session.idleMs !== undefined ? { session_idle_seconds: session.idleMs / 1000 } : {}

/** As `typed_per_filter_config` of a route. An endpoint that is gone has a successor. */
export const renderSession = (session: Session): Any =>
  typed(StatefulSessionPerRouteSchema, {
    override: {
      case: 'statefulSession',
      value: {
        sessionState:
          session.kind === 'header'
            ? {
                name: 'envoy.http.stateful_session.header',
                typedConfig: typed(HeaderBasedSessionStateSchema, { name: session.name }),
              }
            : {
                name: 'envoy.http.stateful_session.cookie',
                typedConfig: typed(CookieBasedSessionStateSchema, {
                  cookie: {
                    name: session.name,
                    path: '/',
                    ...(session.ttlMs === 0 ? {} : { ttl: duration(session.ttlMs) }),
                  },
                }),
              },
      },
    },
  })
