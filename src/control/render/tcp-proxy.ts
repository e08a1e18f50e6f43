import type { MessageInitShape } from '@bufbuild/protobuf'
import type { FilterSchema } from '../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { RBACSchema } from '../../xds/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts'
import {
  TcpProxySchema,
  type TcpProxy,
} from '../../xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { accessLogs } from './access-log.ts'
import { renderAuthorization } from './authorization.ts'
import { duration, typed } from './parts.ts'

/** What raw bytes pass: the rules that need no request, then on to where they go. */
export const tcpFilters = (
  port: Parameters<typeof renderAuthorization>[0],
  { statPrefix, accessLog, to }: { statPrefix: string; accessLog: boolean; to: TcpProxy['clusterSpecifier'] },
): MessageInitShape<typeof FilterSchema>[] => [
  ...renderAuthorization(port, { http: false }).map(({ name, rules }) => ({
    name: `weft.authorization.${name}`,
    configType: { case: 'typedConfig' as const, value: typed(RBACSchema, { rules, statPrefix }) },
  })),
  {
    name: 'envoy.filters.network.tcp_proxy',
    configType: {
      case: 'typedConfig',
      value: typed(TcpProxySchema, {
        statPrefix,
        clusterSpecifier: to,
        idleTimeout: duration(3_600_000),
        maxConnectAttempts: 3,
        accessLog: accessLogs(accessLog),
      }),
    },
  },
]
