import type { Certificates } from '../subject.ts'
import { routeTable, type RouteCounts } from './route-table.ts'

/** What is asked of the proxies of a scenario. */
export interface Work {
  /** `tcp`: bytes as they are. Else HTTP, and so the backend is asked. */
  readonly protocol: 'h2' | 'tcp'
  /** Two proxies with mTLS between them instead of one in plain text. */
  readonly mtls: boolean
  /** Default: two hosts, of which the first has two path rules; the request takes the second. */
  readonly routes?: RouteCounts
}

/** One proxy's place: alone, or before or behind the mTLS hop. */
export interface Place {
  readonly role: 'only' | 'client' | 'server'
  readonly port: number
  readonly adminPort: number
  readonly nextPort: number
}

const type = (name: string): string => `type.googleapis.com/envoy.extensions.${name}`
const at = (port: number): object => ({ socket_address: { address: '127.0.0.1', port_value: port } })

const tls = (certificates: Certificates, own: 'client' | 'server', peer: string): object => ({
  tls_certificates: [
    {
      certificate_chain: { filename: certificates[own].certificate },
      private_key: { filename: certificates[own].key },
    },
  ],
  validation_context: {
    trusted_ca: { filename: certificates.ca },
    match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: peer } }],
  },
  alpn_protocols: ['h2'],
  tls_params: { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' },
})

const rbac = (principal: string): object => ({
  name: 'envoy.filters.http.rbac',
  typed_config: {
    '@type': type('filters.http.rbac.v3.RBAC'),
    rules: {
      action: 'ALLOW',
      policies: {
        callers: {
          permissions: [{ any: true }],
          principals: [{ authenticated: { principal_name: { exact: principal } } }],
        },
      },
    },
  },
})

const http = (authorized: readonly object[], routes: RouteCounts | undefined): object => ({
  name: 'envoy.filters.network.http_connection_manager',
  typed_config: {
    '@type': type('filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'bench',
    route_config: routeTable(routes),
    http_filters: [
      ...authorized,
      { name: 'envoy.filters.http.router', typed_config: { '@type': type('filters.http.router.v3.Router') } },
    ],
  },
})

const tcp = {
  name: 'envoy.filters.network.tcp_proxy',
  typed_config: { '@type': type('filters.network.tcp_proxy.v3.TcpProxy'), stat_prefix: 'bench', cluster: 'next' },
}

const http2Upstream = {
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
    '@type': type('upstreams.http.v3.HttpProtocolOptions'),
    explicit_http_config: { http2_protocol_options: {} },
  },
}

/** The file that Weft (`weft proxy -c`) and Envoy both start from, to the byte but for their ports. */
export function bootstrap({ protocol, mtls, routes }: Work, place: Place, certificates: Certificates): object {
  const isCaller = mtls && place.role === 'client'
  const isCallee = mtls && place.role === 'server'
  const chain = {
    filters: [protocol === 'tcp' ? tcp : http(isCallee ? [rbac(certificates.client.spiffeId)] : [], routes)],
    ...(isCallee && {
      transport_socket: {
        name: 'envoy.transport_sockets.tls',
        typed_config: {
          '@type': type('transport_sockets.tls.v3.DownstreamTlsContext'),
          require_client_certificate: true,
          common_tls_context: tls(certificates, 'server', certificates.client.spiffeId),
        },
      },
    }),
  }
  const next = {
    name: 'next',
    type: 'STATIC',
    connect_timeout: '5s',
    lb_policy: 'LEAST_REQUEST',
    load_assignment: {
      cluster_name: 'next',
      endpoints: [{ lb_endpoints: [{ endpoint: { address: at(place.nextPort) } }] }],
    },
    ...(protocol === 'h2' && { typed_extension_protocol_options: http2Upstream }),
    ...(isCaller && {
      transport_socket: {
        name: 'envoy.transport_sockets.tls',
        typed_config: {
          '@type': type('transport_sockets.tls.v3.UpstreamTlsContext'),
          sni: 'server',
          common_tls_context: tls(certificates, 'client', certificates.server.spiffeId),
        },
      },
    }),
  }
  return {
    admin: { address: at(place.adminPort) },
    static_resources: {
      listeners: [{ name: place.role, address: at(place.port), filter_chains: [chain] }],
      clusters: [next],
    },
  }
}
