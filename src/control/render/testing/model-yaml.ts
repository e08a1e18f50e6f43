import { parse } from 'yaml'
import type {
  AdaptiveConcurrency,
  AuthorizationCondition,
  AuthorizationOperation,
  AuthorizationRule,
  AuthorizationSource,
  Endpoint,
  External,
  BackendTls,
  ClientValidation,
  ExternalLimit,
  Gateway,
  InboundPort,
  InboundRule,
  Locality,
  MeshSettings,
  Model,
  Origin,
  PortAuthorization,
  RateLimit,
  RouteRule,
  Service,
  ServicePort,
  StreamHost,
  Traffic,
  Workload,
} from '../../model/model.ts'

/** What a test writes: any part of a model; the rest is filled with the plainest value. */
type Loose<T> = T extends readonly (infer Item)[]
  ? readonly Loose<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]?: Loose<T[Key]> | undefined }
    : T

/** A model as tests write it: lists instead of maps, and only what matters. */
export interface LooseModel {
  readonly revision?: number
  readonly storeRevision?: number
  readonly mesh?: Loose<MeshSettings>
  readonly services?: readonly Loose<Service>[]
  readonly workloads?: readonly Loose<Workload>[]
  readonly gateways?: readonly Loose<Gateway>[]
  /** PEM of chain and key, by `<namespace>/<name>`. */
  readonly certificates?: Readonly<Record<string, { readonly chainPem: string; readonly keyPem: string }>>
  readonly virtualIps?: Readonly<Record<string, string>>
}

/** For tests: YAML text to a complete model. */
export const modelFromYaml = (text: string): Model => completeModel(parse(text) as LooseModel)

/** For tests: fills in everything that is not said. */
export function completeModel({
  revision = 1,
  storeRevision = 0,
  mesh = {},
  services = [],
  workloads = [],
  gateways = [],
  certificates = {},
  virtualIps = {},
}: LooseModel): Model {
  return {
    revision,
    storeRevision,
    trustDomain: 'weft.local',
    mesh: {
      outboundTraffic: 'allow-any',
      accessLog: false,
      loadBalancing: 'least-request',
      origin: undefined,
      ...(mesh as Partial<MeshSettings>),
    },
    services: byName(services.map(service)),
    workloads: byName(workloads.map(workload)),
    gateways: byName(gateways.map(gateway)),
    certificates: new Map(
      Object.entries(certificates).map(([name, one]) => [name, { ...one, origin: origin(`Secret ${name}`) }]),
    ),
    virtualIps: new Map(Object.entries(virtualIps)),
  }
}

const byName = <T extends { namespace: string; name: string }>(items: readonly T[]): ReadonlyMap<string, T> =>
  new Map(items.map((item) => [`${item.namespace}/${item.name}`, item]))

const origin = (resource: string, given?: Loose<Origin>): Origin => ({
  resource,
  field: 'spec',
  revision: '7',
  ...(given as Partial<Origin>),
})

function service(given: Loose<Service>): Service {
  const { namespace = 'default', name = 'web', ports = [] } = given
  const resource = `Service ${namespace}/${name}`
  return {
    namespace,
    name,
    ports: ports.map((port) => servicePort(port, resource)),
    ...(given.external && { external: external(given.external) }),
    origin: origin(resource, given.origin),
  }
}

const external = ({ egress, ...rest }: Loose<External>): External =>
  ({
    ...rest,
    ...(egress && {
      egress: {
        gateway: 'default/edge',
        identity: 'spiffe://weft.local/ns/default/sa/edge',
        ...egress,
        endpoints: (egress.endpoints ?? []).map(endpoint),
        origin: origin('ExternalService default/api', { field: 'spec.egressGateway' }),
      },
    }),
  }) as External

function servicePort(given: Loose<ServicePort>, resource: string): ServicePort {
  const { port = 80, name = '', protocol = 'http', rules = [], endpoints = [], identities = [] } = given
  return {
    port,
    name,
    protocol,
    rules: rules.map(rule),
    ...(given.streams && { streams: given.streams.map(streamHost) }),
    endpoints: endpoints.map(endpoint),
    identities,
    loadBalancing: given.loadBalancing ?? 'least-request',
    ...(given.tls && { tls: { names: [{ kind: 'dns', value: given.tls.sni ?? '' }], ...given.tls } as BackendTls }),
    ...(given.traffic && { traffic: { settings: {}, ...given.traffic } as Traffic }),
    origin: origin(resource, { field: 'spec.ports[0]', ...given.origin }),
  }
}

function rule(given: Loose<RouteRule>): RouteRule {
  const { name = 'default', match, action, cors, requestHeaders, responseHeaders } = given
  const filled = {
    name,
    match: { path: { kind: 'segments', value: '/' }, method: undefined, headers: [], queryParameters: [], ...match },
    action: action ?? { kind: 'fail', status: 500, reason: 'no action' },
    ...(cors && { cors }),
    ...(requestHeaders && { requestHeaders }),
    ...(responseHeaders && { responseHeaders }),
    origin: origin('HTTPRoute default/web', { field: 'spec.rules[0]', ...given.origin }),
  }
  if (filled.action.kind === 'forward') {
    const backends = filled.action.backends ?? []
    filled.action = {
      ...filled.action,
      backends: backends.map((one) => ({ weight: 1, service: undefined, port: 80, origin: filled.origin, ...one })),
    }
  }
  return filled as RouteRule
}

const endpoint = (given: Loose<Endpoint>): Endpoint =>
  ({
    workload: 'default/web-1',
    address: { host: '127.0.0.1', port: 10_001 },
    mtls: true,
    health: 'healthy',
    weight: 1,
    ...given,
    // YAML has no undefined.
    ...(given.workload === null ? { workload: undefined } : {}),
  }) as Endpoint

function workload(given: Loose<Workload>): Workload {
  const { namespace = 'default', name = 'web-1', service: of = 'web', inbound = [] } = given
  return {
    namespace,
    name,
    service: of,
    identity: given.identity ?? `spiffe://weft.local/ns/${namespace}/sa/${of}`,
    inbound: inbound.map(inboundPort),
    outbound: given.outbound as Workload['outbound'],
    capture: given.capture,
    ...(given.proxy && { proxy: given.proxy }),
    gateway: given.gateway && {
      gateway: given.gateway.gateway ?? `${namespace}/edge`,
      host: given.gateway.host ?? '127.80.0.1',
      address: given.gateway.address ?? '127.80.0.1',
      portMap: new Map(Object.entries(given.gateway.portMap ?? {}).map(([port, bind]) => [Number(port), Number(bind)])),
      authorization: portAuthorization(given.gateway.authorization),
    },
    ...(given.locality && { locality: given.locality as Locality }),
    origin: origin(`Workload ${namespace}/${name}`, given.origin),
  }
}

function inboundPort(given: Loose<InboundPort>): InboundPort {
  const {
    name = 'http',
    targetPort = 8080,
    protocol = 'http',
    mtls = 'permissive',
    authorization,
    rateLimits,
    rules,
    externalLimit,
    adaptiveConcurrency,
  } = given
  return {
    name,
    address: { host: given.address?.host ?? '127.0.0.1', port: given.address?.port ?? 15_006 },
    targetPort,
    protocol,
    mtls,
    mtlsOrigin:
      given.mtlsOrigin === undefined ? undefined : origin('PeerAuthentication default/mtls', given.mtlsOrigin),
    authorization: portAuthorization(authorization),
    ...(rateLimits && { rateLimits: rateLimits as readonly RateLimit[] }),
    ...(rules && { rules: rules.map((one) => inboundRule(one)) }),
    ...(externalLimit && { externalLimit: externalLimit as ExternalLimit }),
    ...(adaptiveConcurrency && { adaptiveConcurrency: adaptiveConcurrency as AdaptiveConcurrency }),
  }
}

const inboundRule = (given: Loose<InboundRule>): InboundRule =>
  ({
    name: 'default/web/rule-0/match-0',
    rateLimits: [],
    ...given,
    match: {
      path: { kind: 'segments', value: '/' },
      method: undefined,
      headers: [],
      queryParameters: [],
      ...given.match,
    },
    origin: origin('HTTPRoute default/web', { field: 'spec.rules[0]', ...given.origin }),
  }) as InboundRule

function portAuthorization(given: Loose<PortAuthorization> = {}): PortAuthorization {
  const rules = (list: readonly Loose<AuthorizationRule>[] = []): readonly AuthorizationRule[] => list.map(policy)
  return {
    deny: rules(given.deny),
    allow: rules(given.allow),
    allowPresent: given.allowPresent ?? (given.allow ?? []).length > 0,
    audit: rules(given.audit),
  }
}

function streamHost({ hostname = '*', split = {} }: Loose<StreamHost>): StreamHost {
  const { name = 'default/raw/rule-0', backends = [], origin: from } = split
  const resource = 'TLSRoute default/raw'
  return {
    hostname,
    split: {
      name,
      backends: backends.map((one) => ({
        weight: one.weight ?? 1,
        service: one.service,
        port: one.port ?? 80,
        origin: origin(resource, one.origin),
      })),
      origin: origin(resource, { field: 'spec.rules[0]', ...from }),
    },
  }
}

function gateway({
  namespace = 'default',
  name = 'edge',
  addresses = [],
  listeners = [],
  streams = [],
  mesh = [],
  clientCertificate,
}: Loose<Gateway>): Gateway {
  const resource = `Gateway ${namespace}/${name}`
  return {
    namespace,
    name,
    addresses,
    ...(clientCertificate !== undefined && { clientCertificate }),
    listeners: listeners.map((given, index) => ({
      name: given.name ?? `listener-${index}`,
      port: given.port ?? 80,
      protocol: given.protocol ?? 'http',
      hostname: given.hostname ?? '*',
      certificates: given.certificates ?? [],
      ...(given.clients && { clients: { origin: origin(resource), ...given.clients } as ClientValidation }),
      hosts: (given.hosts ?? []).map((host) => ({
        hostname: host.hostname ?? '*',
        rules: (host.rules ?? []).map(rule),
      })),
      origin: origin(resource, { field: `spec.listeners[${index}]` }),
    })),
    streams: streams.map((given, index) => ({
      name: given.name ?? `stream-${index}`,
      port: given.port ?? 443,
      protocol: given.protocol ?? 'tls',
      hostname: given.hostname ?? '*',
      certificates: given.certificates ?? [],
      ...(given.clients && { clients: { origin: origin(resource), ...given.clients } as ClientValidation }),
      hosts: (given.hosts ?? []).map(streamHost),
      origin: origin(resource, { field: `spec.listeners[${index}]` }),
    })),
    mesh: mesh.map(({ name: of = 'mesh', port = 15443 }) => ({ name: of, port, origin: origin(resource) })),
    attachments: new Map(),
    listenerSets: [],
    origin: origin(resource),
  }
}

const policy = (given: Loose<AuthorizationRule>): AuthorizationRule => ({
  name: given.name ?? 'default/policy/rule-0',
  from: (given.from ?? []).map((one) => ({ ...emptySource, ...one }) as AuthorizationSource),
  to: (given.to ?? []).map((one) => ({ ...emptyOperation, ...one }) as AuthorizationOperation),
  when: (given.when ?? []).map((one) => ({ values: [], notValues: [], ...one }) as unknown as AuthorizationCondition),
  origin: origin('AuthorizationPolicy default/policy', { field: 'spec.rules[0]', ...given.origin }),
})

const emptySource: AuthorizationSource = {
  principals: [],
  notPrincipals: [],
  namespaces: [],
  notNamespaces: [],
  ipBlocks: [],
  notIpBlocks: [],
}
const emptyOperation: AuthorizationOperation = {
  hosts: [],
  notHosts: [],
  ports: [],
  notPorts: [],
  methods: [],
  notMethods: [],
  paths: [],
  notPaths: [],
}
