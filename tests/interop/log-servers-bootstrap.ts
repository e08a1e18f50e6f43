// The bootstrap of log-servers.test.ts: every kind of log for a server, at every place where one may stand.
import type { IdentityMaterial } from '../../src/proxy/sidecar-messages.ts'
import type { LogCollector } from '../world/programs/log-collector.ts'
import { clusterAt, http2Upstream } from './bootstrap-parts.ts'

const types = 'type.googleapis.com/envoy'
const custom_tags = [
  { tag: 'plan', literal: { value: 'gold' } },
  { tag: 'user', request_header: { name: 'X-User', default_value: 'nobody' } },
  { tag: 'none', request_header: { name: 'X-Gone' } },
]
const common = (log_name: string): object => ({
  log_name,
  grpc_service: { envoy_grpc: { cluster_name: 'collector' } },
  transport_api_version: 'V3',
  buffer_flush_interval: '0.1s',
  custom_tags,
})
const httpLog = (name: string, more: object = {}): object => ({
  name: 'envoy.access_loggers.http_grpc',
  typed_config: {
    '@type': `${types}.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig`,
    common_config: common(name),
    additional_request_headers_to_log: ['X-User', 'accept', ':method', 'x-two', 'x-forwarded-proto', 'host'],
    additional_response_headers_to_log: ['x-reply', ':status', 'x-two', 'x-gone'],
    additional_response_trailers_to_log: ['grpc-status', 'x-t'],
  },
  ...more,
})
const tcpLog = (name: string): object => ({
  name: 'envoy.access_loggers.tcp_grpc',
  typed_config: {
    '@type': `${types}.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig`,
    common_config: common(name),
  },
})
const text = (string_value: string): object => ({ string_value })
const otlpLog = (name: string, more: object = {}): object => ({
  name: 'envoy.access_loggers.open_telemetry',
  typed_config: {
    '@type': `${types}.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig`,
    log_name: name,
    grpc_service: { envoy_grpc: { cluster_name: 'collector' } },
    buffer_flush_interval: '0.1s',
    custom_tags: custom_tags.slice(1),
    body: {
      kvlist_value: {
        values: [
          { key: 'code', value: text('%RESPONSE_CODE%') },
          { key: 'list', value: { array_value: { values: [text('%PROTOCOL% x'), text('%REQ(x-gone)%')] } } },
        ],
      },
    },
    attributes: {
      values: [
        { key: 'path', value: text('%REQ(:path)%') },
        { key: 'empty', value: text('') },
      ],
    },
    resource_attributes: {
      values: [
        { key: 'n', value: { int_value: -3 } },
        { key: 'zone_name', value: text('own') },
      ],
    },
    ...more,
  },
})
const byHttp = (port: number): object => ({
  grpc_service: undefined,
  disable_builtin_labels: true,
  resource_attributes: { values: [{ key: 'log_name', value: text('by-http') }] },
  http_service: {
    http_uri: { uri: `http://127.0.0.1:${port}/v1/logs`, cluster: 'collector-http', timeout: '1s' },
    request_headers_to_add: [{ header: { key: 'x-tenant', value: 'one' } }],
  },
})
const over500 = {
  filter: { status_code_filter: { comparison: { op: 'GE', value: { default_value: 500, runtime_key: 'a' } } } },
}

const by = (name: string): object => ({ header: { name, present_match: true } })
const rbac = (action: 'ALLOW' | 'DENY'): object => ({
  name: 'rbac',
  typed_config: {
    '@type': `${types}.extensions.filters.http.rbac.v3.RBAC`,
    rules: { action, policies: { known: { permissions: [by('x-known')], principals: [{ any: true }] } } },
  },
})
const tracing = {
  tracing: {
    random_sampling: { value: 0 },
    provider: {
      name: 'envoy.tracers.opentelemetry',
      typed_config: {
        '@type': `${types}.config.trace.v3.OpenTelemetryConfig`,
        grpc_service: { envoy_grpc: { cluster_name: 'nowhere' } },
      },
    },
  },
}

const to = (prefix: string, route: object = {}, more: object = {}): object => ({
  match: { prefix },
  route: { cluster: 'program', ...route },
  ...more,
})
const manager = (access_log: readonly object[], more: object = {}, filters: readonly object[] = []): object => ({
  name: 'http',
  typed_config: {
    '@type': `${types}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 's',
    access_log,
    http_filters: [
      ...filters,
      { name: 'router', typed_config: { '@type': `${types}.extensions.filters.http.router.v3.Router` } },
    ],
    route_config: {
      validate_clusters: false,
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          routes: [
            { match: { prefix: '/own' }, direct_response: { status: 418, body: { inline_string: 'own' } } },
            to('/grpc', { cluster: 'grpc' }),
            to('/gone', { cluster: 'nowhere' }),
            to('/empty', { cluster: 'empty' }),
            to('/missing', { cluster: 'missing' }),
            to('/retried', { retry_policy: { retry_on: '5xx', num_retries: 1 } }),
            to('/slow', { timeout: '0.1s' }),
            to('/rewritten', { prefix_rewrite: '/other', host_rewrite_literal: 'other.example' }, { name: 'renamed' }),
            to('/some', {}, { name: 'some' }),
          ],
        },
      ],
    },
    ...more,
  },
})
const raw = (cluster: string, access_log: readonly object[]): object => ({
  name: 'tcp',
  typed_config: {
    '@type': `${types}.extensions.filters.network.tcp_proxy.v3.TcpProxy`,
    stat_prefix: 's',
    cluster,
    access_log,
  },
})
const inspector = {
  listener_filters: [
    {
      name: 'tls',
      typed_config: { '@type': `${types}.extensions.filters.listener.tls_inspector.v3.TlsInspector` },
    },
  ],
}

/** A listener of datagrams, whose sessions end when they have been silent for a moment. */
const datagrams = (port: number): object => ({
  name: 'datagrams',
  address: { socket_address: { protocol: 'UDP', address: '127.0.0.1', port_value: port } },
  listener_filters: [
    {
      name: 'udp',
      typed_config: {
        '@type': `${types}.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig`,
        stat_prefix: 's',
        idle_timeout: '0.3s',
        matcher: {
          on_no_match: {
            action: {
              name: 'route',
              typed_config: { '@type': `${types}.extensions.filters.udp.udp_proxy.v3.Route`, cluster: 'datagrams' },
            },
          },
        },
        access_log: [
          otlpLog('datagrams', {
            body: text(
              '%DYNAMIC_METADATA(udp.proxy.session:cluster_name)% %DYNAMIC_METADATA(udp.proxy.session:bytes_received)% %ACCESS_LOG_TYPE%',
            ),
          }),
        ],
      },
    },
  ],
})

/** What stands around a proxy. */
export interface World {
  readonly program: number
  readonly grpc: number
  /** Takes datagrams. */
  readonly udp: number
  readonly own: IdentityMaterial
  readonly client: IdentityMaterial
  readonly trust: string
}

/** Each on a port of its own. */
export const listenerNames = [
  'web',
  'guarded',
  'granted',
  'by-http',
  'traced',
  'secure',
  'raw',
  'raw-secure',
  'raw-gone',
  'datagrams',
] as const
export type Ports = Readonly<Record<(typeof listenerNames)[number], number>>

/** What both proxies are started with. */
export function bootstrap({ program, grpc, udp, own, trust }: World, collector: LogCollector, ports: Ports): object {
  const secured = {
    transport_socket: {
      name: 'tls',
      typed_config: {
        '@type': `${types}.extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
        common_tls_context: {
          alpn_protocols: ['h2', 'http/1.1'],
          tls_certificates: [
            { certificate_chain: { inline_string: own.chainPem }, private_key: { inline_string: own.keyPem } },
          ],
          validation_context: { trusted_ca: { inline_string: trust } },
        },
      },
    },
  }
  const listener = (name: keyof Ports, filter: object, chain: object = {}, more: object = {}): object => ({
    name,
    address: { socket_address: { address: '127.0.0.1', port_value: ports[name] } },
    filter_chains: [{ filters: [filter], ...chain }],
    ...more,
  })
  return {
    node: { id: 'me', cluster: 'callers', locality: { zone: 'zone-a' }, metadata: { team: 'shop' } },
    static_resources: {
      clusters: [
        clusterAt('program', program),
        clusterAt('grpc', grpc, http2Upstream),
        clusterAt('nowhere', 1),
        clusterAt('datagrams', udp),
        { name: 'empty', load_assignment: { cluster_name: 'empty' } },
        clusterAt('collector', collector.port, http2Upstream),
        clusterAt('collector-http', collector.httpPort),
      ],
      listeners: [
        listener(
          'web',
          manager([httpLog('web'), tcpLog('web-tcp'), otlpLog('web-otlp'), httpLog('failures', over500)]),
        ),
        listener('guarded', manager([httpLog('guarded'), otlpLog('guarded-otlp')], {}, [rbac('DENY')])),
        listener('granted', manager([httpLog('granted')], {}, [rbac('ALLOW')])),
        listener('by-http', manager([otlpLog('by-http', byHttp(collector.httpPort))])),
        listener('traced', manager([otlpLog('traced')], tracing)),
        listener('secure', manager([httpLog('secure')]), secured, {
          ...inspector,
          access_log: [tcpLog('secure-listener'), httpLog('secure-listener-http')],
        }),
        listener(
          'raw',
          raw('program', [httpLog('raw-http'), tcpLog('raw-tcp'), otlpLog('raw-otlp')]),
          {},
          {
            access_log: [tcpLog('raw-listener')],
          },
        ),
        listener('raw-secure', raw('program', [tcpLog('raw-secure')]), secured, inspector),
        datagrams(ports.datagrams),
        listener('raw-gone', raw('nowhere', [tcpLog('raw-gone'), httpLog('raw-gone-http')])),
      ],
    },
  }
}
