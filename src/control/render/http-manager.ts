import type { MessageInitShape } from '@bufbuild/protobuf'
import type { FilterSchema } from '../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import { RouterSchema } from '../../xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import {
  HttpConnectionManager_CodecType,
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManagerSchema,
  type HttpFilterSchema,
} from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { accessLogs } from './access-log.ts'
import { duration, typed } from './parts.ts'

/** The terminal filter that speaks HTTP, with Weft's limits written out. `filters` run in their order, before the router. */
export const renderHttp = ({
  statPrefix,
  filters,
  routes,
  accessLog,
}: {
  statPrefix: string
  filters: readonly MessageInitShape<typeof HttpFilterSchema>[]
  routes: MessageInitShape<typeof RouteConfigurationSchema>
  accessLog: boolean
}): MessageInitShape<typeof FilterSchema> => ({
  name: 'envoy.filters.network.http_connection_manager',
  configType: {
    case: 'typedConfig',
    value: typed(HttpConnectionManagerSchema, {
      codecType: HttpConnectionManager_CodecType.AUTO,
      statPrefix,
      routeSpecifier: { case: 'routeConfig', value: routes },
      httpFilters: [
        ...filters,
        { name: 'envoy.filters.http.router', configType: { case: 'typedConfig', value: typed(RouterSchema, {}) } },
      ],
      commonHttpProtocolOptions: { idleTimeout: duration(3_600_000) },
      // Extended CONNECT, by which WebSockets come over HTTP/2 (RFC 8441).
      http2ProtocolOptions: { allowConnect: true },
      streamIdleTimeout: duration(300_000),
      requestHeadersTimeout: duration(10_000),
      accessLog: accessLogs(accessLog),
      // The peer's own word about who it is never counts; what the certificate proves is written anew.
      forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.SANITIZE_SET,
      setCurrentClientCertDetails: { uri: true },
      normalizePath: true,
      mergeSlashes: true,
      upgradeConfigs: [{ upgradeType: 'websocket' }],
      generateRequestId: true,
    }),
  },
})
