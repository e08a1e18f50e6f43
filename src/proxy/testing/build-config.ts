import type { Address } from '../../base/address.ts'
import { meshAlpn, mtlsTransport, passthroughCluster, trustBundleSecret } from '../../xds/names.ts'
import type {
  Cluster,
  Endpoint,
  FilterChain,
  HttpFilter,
  HttpTerminal,
  Listener,
  OutlierDetection,
  ProxyConfig,
  RetryPolicy,
  RouteTable,
  TcpTerminal,
  UpstreamTls,
} from '../config.ts'

/** A configuration from its parts; what is left out is empty. */
export const buildConfig = (parts: {
  readonly listeners?: readonly Listener[]
  readonly clusters?: readonly Cluster[]
  readonly routes?: readonly RouteTable[]
  readonly names?: readonly { readonly namespace: string; readonly name: string; readonly port: number }[]
  readonly trustPem?: string
}): ProxyConfig => ({
  listeners: new Map(parts.listeners?.map((one) => [one.name, one])),
  clusters: new Map(parts.clusters?.map((one) => [one.name, one])),
  routes: new Map(parts.routes?.map((one) => [one.name, one])),
  names: new Map(
    parts.names?.map(({ namespace, name, port }) => [
      `${namespace}/${name}`,
      { namespace, name, ports: [{ port, protocol: 'http' as const }] },
    ]),
  ),
  trust: new Map(parts.trustPem === undefined ? [] : [[trustBundleSecret, parts.trustPem]]),
  certificates: new Map(),
})

/** One route to one cluster, for any host and path. */
export const buildTable = (
  name: string,
  cluster: string,
  more: Partial<{ timeoutMs: number; retry: RetryPolicy }> = {},
): RouteTable => ({
  name,
  ignorePortInHost: true,
  origin: undefined,
  virtualHosts: [
    {
      name: 'all',
      domains: ['*'],
      routes: [
        {
          name: `${name}/all`,
          match: { path: { kind: 'prefix', value: '/', caseSensitive: true }, headers: [], queryParameters: [] },
          action: {
            kind: 'forward',
            clusters: [{ cluster, weight: 1 }],
            timeoutMs: more.timeoutMs ?? 0,
            retry: more.retry,
          },
          origin: undefined,
        },
      ],
    },
  ],
})

/** A healthy endpoint. */
export const buildEndpoint = (address: Address, transport = ''): Endpoint => ({
  address,
  weight: 1,
  priority: 0,
  health: 'healthy',
  locality: '',
  transport,
  workload: undefined,
})

/** Ejects after five failures in a row, at most a tenth of the endpoints and one in any case: Envoy's defaults. */
export const outlierRules: OutlierDetection = {
  consecutive5xx: { limit: 5, enforcingPercent: 100 },
  consecutiveGatewayFailure: { limit: 5, enforcingPercent: 0 },
  consecutiveLocalOriginFailure: { limit: 5, enforcingPercent: 100 },
  split: false,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  jitterMs: 0,
  maxEjectionPercent: 10,
  passedCheckReturns: true,
  alwaysEjectOne: true,
  intervalMs: 10_000,
}

/** Ejects after the first failure, for half a minute. */
export const ejectAtOnce: OutlierDetection = {
  consecutive5xx: { limit: 1, enforcingPercent: 100 },
  consecutiveGatewayFailure: { limit: 1, enforcingPercent: 0 },
  consecutiveLocalOriginFailure: { limit: 1, enforcingPercent: 0 },
  split: false,
  baseEjectionMs: 30_000,
  maxEjectionMs: 30_000,
  jitterMs: 0,
  maxEjectionPercent: 100,
  passedCheckReturns: true,
  alwaysEjectOne: true,
  intervalMs: 10_000,
}

/** A cluster; with `peerIds` its endpoints speak mTLS and must prove one of them. */
export const buildCluster = (
  name: string,
  addresses: readonly Address[],
  more: Partial<Cluster> & { readonly peerIds?: readonly string[] } = {},
): Cluster => {
  const { peerIds, ...rest } = more
  const secure: UpstreamTls = {
    certificate: 'own',
    trust: { secret: trustBundleSecret },
    peer: { kind: 'spiffe', ids: peerIds ?? [] },
    sni: 'web.default',
    alpn: rest.upstreamProtocol === 'h2' ? [meshAlpn, 'h2', 'http/1.1'] : [meshAlpn, 'http/1.1'],
  }
  const transport = peerIds === undefined ? '' : mtlsTransport
  return {
    name,
    connectTimeoutMs: 2000,
    loadBalancing: { kind: 'round-robin' },
    discovery: 'eds',
    endpoints: addresses.map((address) => buildEndpoint(address, transport)),
    transports: new Map([[transport, peerIds === undefined ? undefined : secure]]),
    limits: {
      maxConnections: 1024,
      maxPendingRequests: 1024,
      maxRequests: 1024,
      retryBudgetPercent: 20,
      minRetryConcurrency: 3,
    },
    upstreamProtocol: 'http/1.1',
    idleTimeoutMs: 60_000,
    outlierDetection: undefined,
    panicThresholdPercent: 0,
    origin: undefined,
    ...rest,
  }
}

const buildTerminal = (routes: HttpTerminal['routes'], filters: readonly HttpFilter[] = []): HttpTerminal => ({
  kind: 'http',
  upgrades: ['websocket'],
  paths: { normalize: true, mergeSlashes: true },
  statPrefix: 'test',
  routes,
  filters,
  idleTimeoutMs: 300_000,
  headersTimeoutMs: 10_000,
  streamIdleTimeoutMs: 300_000,
  forwardClientCert: 'sanitize-set',
  clientCertParts: ['uri'],
  generateRequestId: true,
  accessLog: undefined,
})

const anyMatch = {
  destinationPort: undefined,
  serverNames: [],
  transportProtocol: undefined,
  applicationProtocols: [],
} as const

/** The inbound listener of one port: mTLS for the mesh, plain text too unless `strict`. */
export function buildInbound(
  address: Address,
  cluster: string,
  {
    strict = false,
    mesh = true,
    filters = [],
  }: { strict?: boolean; mesh?: boolean; filters?: readonly HttpFilter[] } = {},
): Listener {
  const terminal = buildTerminal({ inline: buildTable('inbound', cluster) }, filters)
  const secure: FilterChain = {
    name: 'mtls',
    match: { ...anyMatch, transportProtocol: 'tls', applicationProtocols: [meshAlpn] },
    tls: {
      certificate: 'own',
      trust: { secret: trustBundleSecret },
      peer: { kind: 'spiffe', ids: [] },
      requireClientCertificate: true,
      alpn: ['h2', 'http/1.1'],
    },
    networkFilters: [],
    terminal,
  }
  const tcp: FilterChain = {
    name: 'mtls-tcp',
    match: { ...anyMatch, transportProtocol: 'tls', applicationProtocols: ['weft-tcp'] },
    tls: {
      certificate: 'own',
      trust: { secret: trustBundleSecret },
      peer: { kind: 'spiffe', ids: [] },
      requireClientCertificate: true,
      alpn: ['weft-tcp'],
    },
    networkFilters: [],
    terminal: {
      kind: 'tcp',
      statPrefix: 'test',
      clusters: [{ cluster, weight: 1 }],
      idleTimeoutMs: 0,
      maxConnectAttempts: 3,
      accessLog: undefined,
    },
  }
  const plain: FilterChain = {
    name: 'plain',
    match: { ...anyMatch, transportProtocol: 'raw_buffer' },
    tls: undefined,
    networkFilters: [],
    terminal,
  }
  return {
    name: 'inbound',
    address,
    direction: 'inbound',
    inspectTls: mesh,
    inspectTimeoutMs: 1000,
    filterChains: [...(mesh ? [secure, tcp] : []), ...(strict ? [] : [plain])],
    defaultFilterChain: undefined,
    routeByName: false,
  }
}

/** A filter chain of raw bytes to clusters, by weight. */
export const buildTcpChain = (
  name: string,
  clusters: Readonly<Record<string, number>>,
  more: Partial<Pick<FilterChain, 'tls'>> & {
    readonly match?: Partial<FilterChain['match']>
    readonly terminal?: Partial<TcpTerminal>
  } = {},
): FilterChain => ({
  name,
  match: { ...anyMatch, ...more.match },
  tls: more.tls,
  networkFilters: [],
  terminal: {
    kind: 'tcp',
    statPrefix: name,
    clusters: Object.entries(clusters).map(([cluster, weight]) => ({ cluster, weight })),
    idleTimeoutMs: 0,
    maxConnectAttempts: 3,
    accessLog: [{ path: '/dev/stdout' }],
    ...more.terminal,
  },
})

/** A listener of such chains; TLS is looked at. */
export const buildTcpListener = (
  address: Address,
  filterChains: readonly FilterChain[],
  more: Partial<Listener> = {},
): Listener => ({
  name: `tcp/${address.port}`,
  address,
  direction: 'unspecified',
  inspectTls: true,
  inspectTimeoutMs: 1000,
  filterChains,
  defaultFilterChain: undefined,
  routeByName: false,
  ...more,
})

/** The explicit outbound listener; what is not in the mesh passes by. */
export const buildOutbound = (address: Address): Listener => ({
  name: 'outbound',
  address,
  direction: 'outbound',
  inspectTls: false,
  inspectTimeoutMs: 0,
  filterChains: [],
  defaultFilterChain: {
    name: 'outbound',
    match: anyMatch,
    tls: undefined,
    networkFilters: [],
    terminal: buildTerminal({ inline: buildTable('outside', passthroughCluster) }),
  },
  routeByName: true,
})

/** Where hosts outside of the mesh go. */
export const buildPassthrough = (): Cluster => buildCluster(passthroughCluster, [], { discovery: 'dynamic-forward' })
