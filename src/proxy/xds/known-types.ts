import { createRegistry, type Registry } from '@bufbuild/protobuf'
import { OpenTelemetryConfigSchema } from '../../xds/gen/envoy/config/trace/v3/opentelemetry_pb.ts'
import { ZipkinConfigSchema } from '../../xds/gen/envoy/config/trace/v3/zipkin_pb.ts'
import {
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from '../../xds/gen/envoy/extensions/access_loggers/grpc/v3/als_pb.ts'
import { OpenTelemetryAccessLogConfigSchema } from '../../xds/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb.ts'
import { FileAccessLogSchema } from '../../xds/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts'
import {
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
} from '../../xds/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.ts'
import { ClusterConfigSchema as AggregateSchema } from '../../xds/gen/envoy/extensions/clusters/aggregate/v3/cluster_pb.ts'
import { ClusterProvidedSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided_pb.ts'
import { ClusterConfigSchema } from '../../xds/gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.ts'
import { CorsPolicySchema, CorsSchema } from '../../xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import { AdaptiveConcurrencySchema } from '../../xds/gen/envoy/extensions/filters/http/adaptive_concurrency/v3/adaptive_concurrency_pb.ts'
import { LocalRateLimitSchema } from '../../xds/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.ts'
import {
  RateLimitPerRouteSchema,
  RateLimitSchema as ExternalLimitSchema,
} from '../../xds/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.ts'
import {
  StatefulSessionPerRouteSchema,
  StatefulSessionSchema,
} from '../../xds/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.ts'
import { CookieBasedSessionStateSchema } from '../../xds/gen/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb.ts'
import { HeaderBasedSessionStateSchema } from '../../xds/gen/envoy/extensions/http/stateful_session/header/v3/header_pb.ts'
import { HTTPFaultSchema } from '../../xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import { RBACSchema as HttpRbacSchema } from '../../xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import { RouterSchema } from '../../xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import { OriginalDstSchema } from '../../xds/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts'
import { HttpInspectorSchema } from '../../xds/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts'
import { TlsInspectorSchema } from '../../xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts'
import { HttpConnectionManagerSchema } from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { RBACSchema as NetworkRbacSchema } from '../../xds/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts'
import { TcpProxySchema } from '../../xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { LeastRequestSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.ts'
import { RoundRobinSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.ts'
import { PreviousHostsPredicateSchema } from '../../xds/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.ts'
import { PreviousPrioritiesConfigSchema } from '../../xds/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.ts'
import { RawBufferSchema } from '../../xds/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts'
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { SPIFFECertValidatorConfigSchema } from '../../xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.ts'
import { HttpProtocolOptionsSchema } from '../../xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import { ProxyProtocolSchema } from '../../xds/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.ts'
import { ProxyProtocolUpstreamTransportSchema } from '../../xds/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.ts'
import { ClientSideWeightedRoundRobinSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3/client_side_weighted_round_robin_pb.ts'
import { OverrideHostSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/override_host/v3/override_host_pb.ts'
import { RandomSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/random/v3/random_pb.ts'
import { RingHashSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash_pb.ts'
import { MaglevSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb.ts'
import { SubsetSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/subset/v3/subset_pb.ts'
import { WrrLocalitySchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality_pb.ts'
import { UdpProxyConfigSchema } from '../../xds/gen/envoy/extensions/filters/udp/udp_proxy/v3/udp_proxy_pb.ts'
import { RouteSchema } from '../../xds/gen/envoy/extensions/filters/udp/udp_proxy/v3/route_pb.ts'
import { UuidRequestIdConfigSchema } from '../../xds/gen/envoy/extensions/request_id/uuid/v3/uuid_pb.ts'
import { PreserveCaseFormatterConfigSchema } from '../../xds/gen/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case_pb.ts'
import { GrpcWebSchema } from '../../xds/gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.ts'

/** What a bootstrap's Any may hold: all that some decoder of this folder takes. A test compares the two. */
export const knownTypes: Registry = createRegistry(
  HttpConnectionManagerSchema,
  TcpProxySchema,
  NetworkRbacSchema,
  TlsInspectorSchema,
  HttpInspectorSchema,
  OriginalDstSchema,
  RouterSchema,
  HttpRbacSchema,
  CorsSchema,
  CorsPolicySchema,
  HTTPFaultSchema,
  StatefulSessionSchema,
  StatefulSessionPerRouteSchema,
  CookieBasedSessionStateSchema,
  HeaderBasedSessionStateSchema,
  LocalRateLimitSchema,
  ExternalLimitSchema,
  RateLimitPerRouteSchema,
  AdaptiveConcurrencySchema,
  GrpcWebSchema,
  OpenTelemetryConfigSchema,
  ZipkinConfigSchema,
  FileAccessLogSchema,
  StdoutAccessLogSchema,
  StderrAccessLogSchema,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
  OpenTelemetryAccessLogConfigSchema,
  RawBufferSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
  HttpProtocolOptionsSchema,
  ClusterConfigSchema,
  AggregateSchema,
  ClusterProvidedSchema,
  RoundRobinSchema,
  LeastRequestSchema,
  ProxyProtocolSchema,
  ProxyProtocolUpstreamTransportSchema,
  RandomSchema,
  OverrideHostSchema,
  ClientSideWeightedRoundRobinSchema,
  RingHashSchema,
  MaglevSchema,
  SubsetSchema,
  WrrLocalitySchema,
  UdpProxyConfigSchema,
  RouteSchema,
  PreviousHostsPredicateSchema,
  PreviousPrioritiesConfigSchema,
  UuidRequestIdConfigSchema,
  SPIFFECertValidatorConfigSchema,
  PreserveCaseFormatterConfigSchema,
)
