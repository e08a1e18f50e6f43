import { nearest, type Decoder } from '../../base/decode.ts'
import { authorizationPolicySpec } from './authorization-policy.ts'
import { backendTlsPolicySpec } from './backend-tls-policy.ts'
import { configMapBody, configMapSpec } from './config-map.ts'
import { endpointSliceBody, endpointSliceSpec } from './endpoint-slice.ts'
import { externalServiceSpec } from './external-service.ts'
import { gatewayClassSpec } from './gateway-class.ts'
import { gatewaySpec } from './gateway.ts'
import { grpcRouteSpec } from './grpc-route.ts'
import { httpRouteSpec } from './http-route.ts'
import { listenerSetSpec } from './listener-set.ts'
import { meshConfigSpec } from './mesh-config.ts'
import { namespaceSpec } from './namespace.ts'
import { peerAuthenticationSpec } from './peer-authentication.ts'
import { referenceGrantSpec } from './reference-grant.ts'
import type { Kind, Specs } from './resource-types.ts'
import { secretBody, secretSpec } from './secret.ts'
import { streamRouteSpec, tlsRouteSpec } from './stream-route.ts'
import { serviceSpec } from './service.ts'
import { trafficPolicySpec } from './traffic-policy.ts'
import { virtualIpSpec } from './virtual-ip.ts'
import { workloadSpec } from './workload.ts'

/** What is known of a kind besides its fields. */
export interface KindInfo<K extends Kind = Kind> {
  readonly kind: K
  /** The first is the one that we write. */
  readonly apiVersions: readonly [string, ...string[]]
  /** Lower case, for URLs and the command line. */
  readonly plural: string
  readonly shortNames: readonly string[]
  readonly namespaced: boolean
  /** The fields of the document that stand in the place of `spec`; absent: `spec` it is. */
  readonly body?: readonly string[]
}

type Row<K extends Kind> = KindInfo<K> & { readonly spec: Decoder<Specs[K]> }

const own = 'weft.dev/v1alpha1'
const gatewayApi = ['gateway.networking.k8s.io/v1', 'gateway.networking.k8s.io/v1beta1'] as const
const istio = ['security.istio.io/v1', 'security.istio.io/v1beta1'] as const

/** The closed list of kinds, each with its decoder; exhaustive, or no compile. */
const table: { readonly [K in Kind]: Row<K> } = {
  Namespace: {
    kind: 'Namespace',
    apiVersions: ['v1'],
    plural: 'namespaces',
    shortNames: ['ns'],
    namespaced: false,
    spec: namespaceSpec,
  },
  Service: {
    kind: 'Service',
    apiVersions: ['v1'],
    plural: 'services',
    shortNames: ['svc'],
    namespaced: true,
    spec: serviceSpec,
  },
  Workload: {
    kind: 'Workload',
    apiVersions: [own],
    plural: 'workloads',
    shortNames: ['wl'],
    namespaced: true,
    spec: workloadSpec,
  },
  EndpointSlice: {
    kind: 'EndpointSlice',
    apiVersions: ['discovery.k8s.io/v1'],
    plural: 'endpointslices',
    shortNames: [],
    namespaced: true,
    body: endpointSliceBody,
    spec: endpointSliceSpec,
  },
  ExternalService: {
    kind: 'ExternalService',
    apiVersions: [own],
    plural: 'externalservices',
    shortNames: ['es'],
    namespaced: true,
    spec: externalServiceSpec,
  },
  GatewayClass: {
    kind: 'GatewayClass',
    apiVersions: gatewayApi,
    plural: 'gatewayclasses',
    shortNames: ['gc'],
    namespaced: false,
    spec: gatewayClassSpec,
  },
  Gateway: {
    kind: 'Gateway',
    apiVersions: gatewayApi,
    plural: 'gateways',
    shortNames: ['gtw'],
    namespaced: true,
    spec: gatewaySpec,
  },
  ListenerSet: {
    kind: 'ListenerSet',
    apiVersions: ['gateway.networking.k8s.io/v1'],
    plural: 'listenersets',
    shortNames: ['lset'],
    namespaced: true,
    spec: listenerSetSpec,
  },
  HTTPRoute: {
    kind: 'HTTPRoute',
    apiVersions: gatewayApi,
    plural: 'httproutes',
    shortNames: [],
    namespaced: true,
    spec: httpRouteSpec,
  },
  GRPCRoute: {
    kind: 'GRPCRoute',
    apiVersions: ['gateway.networking.k8s.io/v1'],
    plural: 'grpcroutes',
    shortNames: [],
    namespaced: true,
    spec: grpcRouteSpec,
  },
  TLSRoute: {
    kind: 'TLSRoute',
    apiVersions: [
      'gateway.networking.k8s.io/v1',
      'gateway.networking.k8s.io/v1alpha3',
      'gateway.networking.k8s.io/v1alpha2',
    ],
    plural: 'tlsroutes',
    shortNames: [],
    namespaced: true,
    spec: tlsRouteSpec,
  },
  TCPRoute: {
    kind: 'TCPRoute',
    apiVersions: ['gateway.networking.k8s.io/v1alpha2', 'gateway.networking.k8s.io/v1'],
    plural: 'tcproutes',
    shortNames: [],
    namespaced: true,
    spec: streamRouteSpec,
  },
  UDPRoute: {
    kind: 'UDPRoute',
    apiVersions: ['gateway.networking.k8s.io/v1alpha2', 'gateway.networking.k8s.io/v1'],
    plural: 'udproutes',
    shortNames: [],
    namespaced: true,
    spec: streamRouteSpec,
  },
  ReferenceGrant: {
    kind: 'ReferenceGrant',
    apiVersions: gatewayApi,
    plural: 'referencegrants',
    shortNames: ['refgrant'],
    namespaced: true,
    spec: referenceGrantSpec,
  },
  BackendTLSPolicy: {
    kind: 'BackendTLSPolicy',
    apiVersions: ['gateway.networking.k8s.io/v1', 'gateway.networking.k8s.io/v1alpha3'],
    plural: 'backendtlspolicies',
    shortNames: ['btlspolicy'],
    namespaced: true,
    spec: backendTlsPolicySpec,
  },
  PeerAuthentication: {
    kind: 'PeerAuthentication',
    apiVersions: [own, ...istio],
    plural: 'peerauthentications',
    shortNames: ['pa'],
    namespaced: true,
    spec: peerAuthenticationSpec,
  },
  AuthorizationPolicy: {
    kind: 'AuthorizationPolicy',
    apiVersions: [own, ...istio],
    plural: 'authorizationpolicies',
    shortNames: ['ap'],
    namespaced: true,
    spec: authorizationPolicySpec,
  },
  Secret: {
    kind: 'Secret',
    apiVersions: ['v1'],
    plural: 'secrets',
    shortNames: [],
    namespaced: true,
    body: secretBody,
    spec: secretSpec,
  },
  ConfigMap: {
    kind: 'ConfigMap',
    apiVersions: ['v1'],
    plural: 'configmaps',
    shortNames: ['cm'],
    namespaced: true,
    body: configMapBody,
    spec: configMapSpec,
  },
  TrafficPolicy: {
    kind: 'TrafficPolicy',
    apiVersions: [own],
    plural: 'trafficpolicies',
    shortNames: ['tp'],
    namespaced: true,
    spec: trafficPolicySpec,
  },
  MeshConfig: {
    kind: 'MeshConfig',
    apiVersions: [own],
    plural: 'meshconfigs',
    shortNames: ['mc'],
    namespaced: false,
    spec: meshConfigSpec,
  },
  VirtualIP: {
    kind: 'VirtualIP',
    apiVersions: [own],
    plural: 'virtualips',
    shortNames: ['vip'],
    namespaced: true,
    spec: virtualIpSpec,
  },
}

/** Every kind, in the order in which people list them. */
export const kinds: readonly KindInfo[] = Object.values(table)

/** By its exact name. */
export const kindInfo = <K extends Kind>(kind: K): KindInfo<K> => table[kind]
export const specDecoder = <K extends Kind>(kind: K): Decoder<Specs[K]> => table[kind].spec
export const isKind = (kind: string): kind is Kind => Object.hasOwn(table, kind)

/** "httproutes", "HTTPRoute", "svc": singular, plural or short, in any case. */
export function findKind(name: string): KindInfo | undefined {
  const wanted = name.toLowerCase()
  return kinds.find(
    (info) => info.kind.toLowerCase() === wanted || info.plural === wanted || info.shortNames.includes(wanted),
  )
}

/** `there is no kind "Servise"; did you mean Service?` */
export function unknownKind(name: string): string {
  const names = kinds.map((info) => info.kind)
  const near = nearest(name, names) ?? nearest(name.replace(/s$/, ''), names)
  const remedy = near === undefined ? `known are ${names.join(', ')}` : `did you mean ${near}?`
  return `there is no kind ${JSON.stringify(name)}; ${remedy}`
}
