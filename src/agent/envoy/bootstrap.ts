import net from 'node:net'
import type { Address } from '../../base/address.ts'
import { parseLocality } from '../../base/locality.ts'
import { agentCluster, controlPlaneId, ownCertificateSecret, trustBundleSecret } from '../../xds/names.ts'

/** What an Envoy has to know before it can ask for anything. */
export interface BootstrapParts {
  readonly nodeId: string
  readonly service: string
  /** "region/zone/sub-zone"; absent: nobody says. */
  readonly locality?: string
  readonly trustDomain: string
  readonly controlPlane: Address
  readonly admin: Address
  /** Unix socket of the agent, where keys come from. */
  readonly secretsPath: string
}

type Json = Readonly<Record<string, unknown>>

const controlPlaneCluster = 'weft-control-plane'
const typeUrl = (name: string): string => `type.googleapis.com/${name}`
const v3 = { resource_api_version: 'V3' }
/** Nothing is served until it has come, however long the control plane is away: half a configuration would be worse. */
const overAds = { ads: {}, ...v3, initial_fetch_timeout: '0s' }

/**
 * Envoy's bootstrap: who it is, delta ADS over mTLS with the workload's own certificate, and SDS from the agent. It holds no secret.
 * Source: envoy.config.bootstrap.v3.Bootstrap, as proto JSON, so that the agent needs no schema.
 */
export function envoyBootstrap(parts: BootstrapParts): Json {
  const { nodeId, service, locality, admin } = parts
  const place = parseLocality(locality ?? '')
  return {
    node: {
      id: nodeId,
      cluster: service,
      ...(place && { locality: { region: place.region, zone: place.zone ?? '', sub_zone: place.subZone ?? '' } }),
    },
    // Takes HTTP out of tunnels that end in it.
    bootstrap_extensions: [
      extension(
        'envoy.bootstrap.internal_listener',
        'envoy.extensions.bootstrap.internal_listener.v3.InternalListener',
      ),
    ],
    overload_manager: {
      resource_monitors: [
        extension(
          'envoy.resource_monitors.global_downstream_max_connections',
          'envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
          { max_active_downstream_connections: maxConnections },
        ),
      ],
    },
    admin: { address: socketAddress(admin), socket_options: [shared] },
    dynamic_resources: {
      lds_config: overAds,
      cds_config: overAds,
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: controlPlaneCluster } }],
      },
    },
    static_resources: { clusters: [controlPlane(parts), agent(parts)] },
  }
}

/** Accepted ones, all together: Envoy wants some bound. Above what file descriptors allow on most machines. */
const maxConnections = 100_000

/** The address is held by the agent, which does not listen there: SOL_SOCKET, SO_REUSEPORT of Linux. */
const shared = { description: 'held by the agent', level: '1', name: '15', int_value: '1', state: 'STATE_PREBIND' }

const extension = (name: string, type: string, more: Json = {}): Json => ({
  name,
  typed_config: { '@type': typeUrl(type), ...more },
})

const socketAddress = ({ host, port }: Address): Json => ({ socket_address: { address: host, port_value: port } })

const http2 = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': typeUrl('envoy.extensions.upstreams.http.v3.HttpProtocolOptions'),
      // A control plane that is gone without a word is noticed.
      explicit_http_config: { http2_protocol_options: { connection_keepalive: { interval: '10s', timeout: '5s' } } },
    },
  },
}

const cluster = (name: string, type: string, address: Json): Json => ({
  name,
  type,
  connect_timeout: '5s',
  ...http2,
  load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
})

const agent = ({ secretsPath }: BootstrapParts): Json =>
  cluster(agentCluster, 'STATIC', { pipe: { path: secretsPath } })

const controlPlane = ({ controlPlane: address, trustDomain }: BootstrapParts): Json => ({
  ...cluster(controlPlaneCluster, net.isIP(address.host) === 0 ? 'STRICT_DNS' : 'STATIC', socketAddress(address)),
  transport_socket: extension(
    'envoy.transport_sockets.tls',
    'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    {
      common_tls_context: {
        tls_params: { tls_minimum_protocol_version: 'TLSv1_2' },
        alpn_protocols: ['h2'],
        tls_certificate_sds_secret_configs: [fromAgent(ownCertificateSecret)],
        combined_validation_context: {
          default_validation_context: {
            match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: controlPlaneId(trustDomain) } }],
          },
          validation_context_sds_secret_config: fromAgent(trustBundleSecret),
        },
      },
    },
  ),
})

const fromAgent = (name: string): Json => ({
  name,
  sds_config: {
    ...v3,
    api_config_source: {
      api_type: 'GRPC',
      transport_api_version: 'V3',
      grpc_services: [{ envoy_grpc: { cluster_name: agentCluster } }],
    },
  },
})
