import type { MessageInitShape } from '@bufbuild/protobuf'
import type { FilterSchema } from '../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import { RouterSchema } from '../../xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import {
  HttpConnectionManager_CodecType,
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManager_ServerHeaderTransformation,
  HttpConnectionManagerSchema,
  type HttpFilterSchema,
  type LocalReplyConfigSchema,
} from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { accessLogs } from './access-log.ts'
import { duration, overAds, typed } from './parts.ts'
import { renderTracing, type CallTracing } from './tracing.ts'

/** Source: Envoy, "Configuring Envoy as an edge proxy". */
const edgeHttp2 = {
  maxConcurrentStreams: 100,
  initialStreamWindowSize: 65_536,
  initialConnectionWindowSize: 1_048_576,
}

/** The terminal filter that speaks HTTP, with Weft's limits written out. `filters` run in their order, before the router. */
export const renderHttp = ({
  statPrefix,
  filters,
  routes,
  accessLog,
  tracing,
  edge = false,
  tunnels = false,
  localReplies,
}: {
  statPrefix: string
  filters: readonly MessageInitShape<typeof HttpFilterSchema>[]
  /** The routes themselves, or the name by which they are asked for. */
  routes: MessageInitShape<typeof RouteConfigurationSchema> | string
  accessLog: boolean
  tracing: CallTracing | undefined
  /** Strangers come here: what they say of themselves and of those before them is not believed, and they get less room. */
  edge?: boolean
  /** Takes calls of a program that names it as its proxy: CONNECT too, and names with the dot that ends them. */
  tunnels?: boolean
  /** What is said besides in answers of the proxy's own. */
  localReplies?: MessageInitShape<typeof LocalReplyConfigSchema>
}): MessageInitShape<typeof FilterSchema> => ({
  name: 'envoy.filters.network.http_connection_manager',
  configType: {
    case: 'typedConfig',
    value: typed(HttpConnectionManagerSchema, {
      codecType: HttpConnectionManager_CodecType.AUTO,
      statPrefix,
      routeSpecifier:
        typeof routes === 'string'
          ? { case: 'rds', value: { configSource: overAds, routeConfigName: routes } }
          : { case: 'routeConfig', value: routes },
      httpFilters: [
        ...filters,
        {
          name: 'envoy.filters.http.router',
          // A caller's deadline holds from hop to hop; what strangers say of theirs counts for nothing.
          configType: { case: 'typedConfig', value: typed(RouterSchema, { respectExpectedRqTimeout: !edge }) },
        },
      ],
      commonHttpProtocolOptions: { idleTimeout: duration(3_600_000) },
      // Extended CONNECT, by which WebSockets come over HTTP/2 (RFC 8441).
      http2ProtocolOptions: { allowConnect: true, ...(edge ? edgeHttp2 : {}) },
      streamIdleTimeout: duration(300_000),
      requestHeadersTimeout: duration(10_000),
      accessLog: accessLogs(accessLog),
      ...(tracing && { tracing: renderTracing(tracing, edge) }),
      // The peer's own word about who it is never counts; what the certificate proves is written anew.
      forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.SANITIZE_SET,
      setCurrentClientCertDetails: { uri: true },
      ...(tunnels ? { stripTrailingHostDot: true } : {}),
      normalizePath: true,
      mergeSlashes: true,
      upgradeConfigs: [{ upgradeType: 'websocket' }, ...(tunnels ? [{ upgradeType: 'CONNECT' }] : [])],
      ...(localReplies && { localReplyConfig: localReplies }),
      generateRequestId: true,
      // A program's own word about itself is its own business.
      serverHeaderTransformation: HttpConnectionManager_ServerHeaderTransformation.PASS_THROUGH,
      ...(edge ? { useRemoteAddress: true, preserveExternalRequestId: true } : {}),
    }),
  },
})
