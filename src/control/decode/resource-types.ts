import type { Place } from '../../base/problem.ts'
import type { AuthorizationPolicySpec } from './authorization-policy.ts'
import type { BackendTlsPolicySpec } from './backend-tls-policy.ts'
import type { ConfigMapSpec } from './config-map.ts'
import type { EndpointSliceSpec } from './endpoint-slice.ts'
import type { ExternalServiceSpec } from './external-service.ts'
import type { GatewayClassSpec } from './gateway-class.ts'
import type { GatewaySpec } from './gateway.ts'
import type { GrpcRouteSpec } from './grpc-route.ts'
import type { HttpRouteSpec } from './http-route.ts'
import type { ListenerSetSpec } from './listener-set.ts'
import type { MeshConfigSpec } from './mesh-config.ts'
import type { NamespaceSpec } from './namespace.ts'
import type { PeerAuthenticationSpec } from './peer-authentication.ts'
import type { ReferenceGrantSpec } from './reference-grant.ts'
import type { Metadata } from './resource.ts'
import type { SecretSpec } from './secret.ts'
import type { StreamRouteSpec, TlsRouteSpec } from './stream-route.ts'
import type { ServiceSpec } from './service.ts'
import type { TrafficPolicySpec } from './traffic-policy.ts'
import type { VirtualIpSpec } from './virtual-ip.ts'
import type { WorkloadSpec } from './workload.ts'

/** What each kind's `spec` (or what it has instead) decodes to: the closed list of kinds. */
export interface Specs {
  Namespace: NamespaceSpec
  Service: ServiceSpec
  Workload: WorkloadSpec
  EndpointSlice: EndpointSliceSpec
  ExternalService: ExternalServiceSpec
  GatewayClass: GatewayClassSpec
  Gateway: GatewaySpec
  ListenerSet: ListenerSetSpec
  HTTPRoute: HttpRouteSpec
  GRPCRoute: GrpcRouteSpec
  TLSRoute: TlsRouteSpec
  TCPRoute: StreamRouteSpec
  UDPRoute: StreamRouteSpec
  ReferenceGrant: ReferenceGrantSpec
  BackendTLSPolicy: BackendTlsPolicySpec
  PeerAuthentication: PeerAuthenticationSpec
  AuthorizationPolicy: AuthorizationPolicySpec
  Secret: SecretSpec
  ConfigMap: ConfigMapSpec
  TrafficPolicy: TrafficPolicySpec
  MeshConfig: MeshConfigSpec
  VirtualIP: VirtualIpSpec
}
export type Kind = keyof Specs

/** A decoded resource of one kind. */
export interface ResourceOf<K extends Kind> {
  readonly apiVersion: string
  readonly kind: K
  readonly metadata: Metadata
  readonly spec: Specs[K]
  /** Where it was written, for messages: a field's path → file and line. Absent for what came over the API. */
  readonly placeOf?: (field: string) => Place
}

/** Any decoded resource: a union tagged by `kind`. */
export type Resource = { [K in Kind]: ResourceOf<K> }[Kind]

/** A route whose rules are about calls, of any kind. */
export type RouteResource = ResourceOf<'HTTPRoute'> | ResourceOf<'GRPCRoute'>

/** A route of bytes or datagrams, whatever they say. */
export type StreamRouteResource = ResourceOf<'TLSRoute'> | ResourceOf<'TCPRoute'> | ResourceOf<'UDPRoute'>

/** A route of any kind. */
export type AnyRouteResource = RouteResource | StreamRouteResource
