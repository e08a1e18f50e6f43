import { createRegistry, fromBinary, toJson, type DescMessage, type JsonValue, type Registry } from '@bufbuild/protobuf'
import { OpenTelemetryConfigSchema } from '../../../xds/gen/envoy/config/trace/v3/opentelemetry_pb.ts'
import { ClusterSchema } from '../../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../../xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { ListenerSchema } from '../../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { RouteConfigurationSchema } from '../../../xds/gen/envoy/config/route/v3/route_pb.ts'
import { StdoutAccessLogSchema } from '../../../xds/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.ts'
import { ClusterConfigSchema } from '../../../xds/gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.ts'
import { CorsPolicySchema, CorsSchema } from '../../../xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import { FilterConfigSchema } from '../../../xds/gen/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.ts'
import { AdaptiveConcurrencySchema } from '../../../xds/gen/envoy/extensions/filters/http/adaptive_concurrency/v3/adaptive_concurrency_pb.ts'
import {
  RateLimitPerRouteSchema,
  RateLimitSchema,
} from '../../../xds/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.ts'
import { LocalRateLimitSchema } from '../../../xds/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.ts'
import { HTTPFaultSchema } from '../../../xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import {
  StatefulSessionPerRouteSchema,
  StatefulSessionSchema,
} from '../../../xds/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.ts'
import { CookieBasedSessionStateSchema } from '../../../xds/gen/envoy/extensions/http/stateful_session/cookie/v3/cookie_pb.ts'
import { HeaderBasedSessionStateSchema } from '../../../xds/gen/envoy/extensions/http/stateful_session/header/v3/header_pb.ts'
import { GrpcWebSchema } from '../../../xds/gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.ts'
import { RBACSchema as HttpRbacSchema } from '../../../xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import { RouterSchema } from '../../../xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts'
import { TlsInspectorSchema } from '../../../xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts'
import { HttpConnectionManagerSchema } from '../../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { RBACSchema as NetworkRbacSchema } from '../../../xds/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts'
import { TcpProxySchema } from '../../../xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { UdpProxyConfigSchema } from '../../../xds/gen/envoy/extensions/filters/udp/udp_proxy/v3/udp_proxy_pb.ts'
import { PreviousHostsPredicateSchema } from '../../../xds/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.ts'
import { RawBufferSchema } from '../../../xds/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts'
import { SecretSchema } from '../../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '../../../xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { ServiceEntrySchema } from '../../../xds/gen/weft/discovery/v1/name_table_pb.ts'
import type { XdsType } from '../../../xds/type-urls.ts'
import type { RenderedResource } from '../resource-cache.ts'
import { HttpProtocolOptionsSchema } from '../../../xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'

const schemas: Readonly<Record<XdsType, DescMessage>> = {
  LDS: ListenerSchema,
  RDS: RouteConfigurationSchema,
  CDS: ClusterSchema,
  EDS: ClusterLoadAssignmentSchema,
  SDS: SecretSchema,
  NDS: ServiceEntrySchema,
}

const registry: Registry = createRegistry(
  OpenTelemetryConfigSchema,
  HttpProtocolOptionsSchema,
  ...Object.values(schemas),
  StdoutAccessLogSchema,
  ClusterConfigSchema,
  CorsSchema,
  CorsPolicySchema,
  FilterConfigSchema,
  GrpcWebSchema,
  HTTPFaultSchema,
  StatefulSessionSchema,
  StatefulSessionPerRouteSchema,
  CookieBasedSessionStateSchema,
  HeaderBasedSessionStateSchema,
  LocalRateLimitSchema,
  RateLimitSchema,
  RateLimitPerRouteSchema,
  AdaptiveConcurrencySchema,
  HttpRbacSchema,
  RouterSchema,
  TlsInspectorSchema,
  HttpConnectionManagerSchema,
  NetworkRbacSchema,
  TcpProxySchema,
  UdpProxyConfigSchema,
  PreviousHostsPredicateSchema,
  RawBufferSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
)

/** For tests: a rendered resource, read back from its bytes, as proto JSON with the field names of the .proto files. */
export function resourceJson(type: XdsType, { message }: RenderedResource): JsonValue {
  const bytes = message.resource?.value ?? new Uint8Array()
  return toJson(schemas[type], fromBinary(schemas[type], bytes), { registry, useProtoFieldName: true })
}
