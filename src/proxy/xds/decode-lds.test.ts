import { create } from '@bufbuild/protobuf'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ListenerSchema } from '../../xds/gen/envoy/config/listener/v3/listener_pb.ts'
import { RBAC_Action, RBACSchema } from '../../xds/gen/envoy/config/rbac/v3/rbac_pb.ts'
import { LuaLike } from './testing/unknown.ts'
import { FilterChainMatch_ConnectionSourceType } from '../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { ProxyProtocolSchema } from '../../xds/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.ts'
import { RBACSchema as HttpRbacSchema } from '../../xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import { HttpInspectorSchema } from '../../xds/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts'
import { TlsInspectorSchema } from '../../xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts'
import { HttpConnectionManager_ForwardClientCertDetails } from '../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { RBACSchema as NetworkRbacSchema } from '../../xds/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts'
import { TcpProxySchema } from '../../xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { FileAccessLogSchema } from '../../xds/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts'
import { StdoutAccessLogSchema } from '../../xds/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.ts'
import { type Decoded } from './decode.ts'
import { decode, manager, ms, problem, typed, withFilters, type Init, type Manager } from './testing/decoding.ts'
import { loopback, router } from './testing/resources.ts'
import { downstreamTls } from './testing/tls.ts'

const filterOf = (listener: Decoded['LDS']) => listener.filterChains[0]?.terminal

test('LDS: defaults of the .proto where nothing is said', () => {
  const listener = decode('LDS', ListenerSchema, withFilters([manager()]))
  assert.deepEqual(listener, {
    name: 'x',
    address: { host: '127.0.0.1', port: 80 },
    direction: 'unspecified',
    inspectTls: false,
    inspectTimeoutMs: 15_000,
    continueOnInspectTimeout: false,
    filterChains: [
      {
        name: 'chain-0',
        match: { destinationPort: undefined, serverNames: [], transportProtocol: undefined, applicationProtocols: [] },
        tls: undefined,
        networkFilters: [],
        terminal: {
          kind: 'http',
          statPrefix: 'p',
          routes: { named: 'r' },
          filters: [],
          idleTimeoutMs: 3_600_000,
          headersTimeoutMs: 10_000,
          streamIdleTimeoutMs: 300_000,
          forwardClientCert: 'sanitize',
          clientCertParts: [],
          upgrades: [],
          paths: { normalize: false, mergeSlashes: false },
          serverHeader: { name: 'weft', how: 'overwrite' },
          generateRequestId: true,
          accessLog: undefined,
        },
      },
    ],
    defaultFilterChain: undefined,
    routeByName: false,
  })
})

test('LDS: an inbound listener as our control plane writes it', () => {
  const rbac = (action: RBAC_Action) => ({
    action,
    policies: {
      p: {
        permissions: [{ rule: { case: 'any' as const, value: true } }],
        principals: [
          {
            identifier: {
              case: 'authenticated' as const,
              value: { principalName: { matchPattern: { case: 'exact' as const, value: 'spiffe://x' } } },
            },
          },
        ],
      },
    },
  })
  const listener = decode('LDS', ListenerSchema, {
    name: 'x',
    address: loopback(80),
    trafficDirection: 1,
    listenerFilters: [typed('tls', TlsInspectorSchema, {})],
    listenerFiltersTimeout: ms(1000),
    continueOnListenerFiltersTimeout: true,
    filterChains: [
      {
        name: 'mesh',
        filterChainMatch: { transportProtocol: 'tls', applicationProtocols: ['weft'], serverNames: ['A.example'] },
        transportSocket: downstreamTls('bundle'),
        filters: [
          manager({
            forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.SANITIZE_SET,
            setCurrentClientCertDetails: { uri: true },
            httpFilters: [typed('deny', HttpRbacSchema, { rules: rbac(RBAC_Action.DENY) }), router],
            accessLog: [typed('log', StdoutAccessLogSchema, {})],
            normalizePath: true,
            upgradeConfigs: [{ upgradeType: 'websocket' }],
          } as Manager),
        ],
      },
      {
        filterChainMatch: { transportProtocol: 'raw_buffer' },
        filters: [
          typed('allow', NetworkRbacSchema, { statPrefix: 'p', rules: rbac(RBAC_Action.ALLOW) }),
          typed('tcp', TcpProxySchema, { statPrefix: 't', clusterSpecifier: { case: 'cluster', value: 'app' } }),
        ],
      },
    ],
    metadata: {
      filterMetadata: {
        'weft.dev': {
          routing: 'names',
          policies: { p: { resource: 'AuthorizationPolicy default/p', field: 'spec', revision: '3' } },
        },
      },
    },
  })
  const [mesh, plain] = listener.filterChains
  assert.equal(listener.direction, 'inbound')
  assert.deepEqual(
    [listener.inspectTls, listener.inspectTimeoutMs, listener.continueOnInspectTimeout, listener.routeByName],
    [true, 1000, true, true],
  )
  assert.deepEqual(mesh?.match.serverNames, ['a.example'])
  assert.deepEqual(mesh?.tls, {
    certificate: 'own',
    trust: { secret: 'bundle' },
    peer: { kind: 'names', oneOf: [] },
    requireClientCertificate: true,
    alpn: ['http/1.1'],
  })
  const terminal = mesh?.terminal
  assert.ok(terminal?.kind === 'http')
  assert.deepEqual(terminal.accessLog, [{ path: '/dev/stdout' }])
  assert.equal(terminal.forwardClientCert, 'sanitize-set')
  const [first] = terminal.filters
  assert.ok(first?.kind === 'authorize')
  assert.deepEqual(first.rules, {
    action: 'deny',
    policies: [
      {
        name: 'p',
        permission: { kind: 'any' },
        principal: { kind: 'principal', match: { kind: 'exact', value: 'spiffe://x', ignoreCase: false } },
        origin: { resource: 'AuthorizationPolicy default/p', field: 'spec', revision: '3' },
      },
    ],
  })
  assert.equal(plain?.networkFilters[0]?.rules.action, 'allow')
  assert.deepEqual(plain?.terminal.kind === 'tcp' && plain.terminal.clusters, [{ cluster: 'app', weight: 1 }])
})

test('LDS: raw TCP with a PROXY header, chains by address, a split', () => {
  const listener = decode('LDS', ListenerSchema, {
    name: 'x',
    address: loopback(443),
    listenerFilters: [
      typed('proxy', ProxyProtocolSchema, { allowRequestsWithoutProxyProtocol: true, disallowedVersions: [0] }),
      typed('tls', TlsInspectorSchema, {}),
    ],
    filterChains: [
      {
        filterChainMatch: {
          serverNames: ['*.Example'],
          prefixRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 8 }],
          directSourcePrefixRanges: [{ addressPrefix: '::1', prefixLen: 128 }],
          sourceType: FilterChainMatch_ConnectionSourceType.EXTERNAL,
          sourcePrefixRanges: [{ addressPrefix: '0.0.0.0' }],
          sourcePorts: [7],
        },
        filters: [
          typed('tcp', TcpProxySchema, {
            statPrefix: 't',
            clusterSpecifier: {
              case: 'weightedClusters',
              value: {
                clusters: [
                  { name: 'a', weight: 9 },
                  { name: 'b', weight: 1 },
                ],
              },
            },
            idleTimeout: ms(0),
            maxDownstreamConnectionDuration: ms(60_000),
            maxConnectAttempts: 4,
            accessLog: [typed('log', StdoutAccessLogSchema, {})],
          }),
        ],
      },
    ],
  })
  const [chain] = listener.filterChains
  assert.deepEqual([listener.inspectTls, listener.proxyProtocol], [true, { optional: true, versions: [2] }])
  assert.deepEqual(chain?.match, {
    destinationPort: undefined,
    serverNames: ['*.example'],
    transportProtocol: undefined,
    applicationProtocols: [],
    addresses: {
      destinations: [{ prefix: '10.0.0.0', bits: 8 }],
      directSources: [{ prefix: '::1', bits: 128 }],
      sourceType: 'external',
      sources: [{ prefix: '0.0.0.0', bits: 0 }],
      sourcePorts: [7],
    },
  })
  assert.deepEqual(chain?.terminal, {
    kind: 'tcp',
    statPrefix: 't',
    clusters: [
      { cluster: 'a', weight: 9 },
      { cluster: 'b', weight: 1 },
    ],
    idleTimeoutMs: 0,
    maxDurationMs: 60_000,
    maxConnectAttempts: 4,
    accessLog: [{ path: '/dev/stdout' }],
  })
})

test('LDS: filters that may be unknown, and filters that may not', () => {
  const lua = { name: 'envoy.filters.http.lua', configType: { case: 'typedConfig' as const, value: LuaLike } }
  const optional = decode(
    'LDS',
    ListenerSchema,
    withFilters([manager({ httpFilters: [{ ...lua, isOptional: true }, router] })]),
  )
  assert.equal(filterOf(optional)?.kind, 'http')
  assert.equal(
    problem('LDS', ListenerSchema, withFilters([manager({ httpFilters: [lua, router] })])),
    'x: filter_chains[0].filters[0].http_filters[0]: envoy.filters.http.lua is not supported',
  )
})

test('LDS: listeners that hand over, that nothing is bound for, that look at HTTP, and that have a log', () => {
  const listener = decode('LDS', ListenerSchema, {
    ...withFilters([manager()]),
    useOriginalDst: true,
    bindToPort: false,
    accessLog: [typed('log', StdoutAccessLogSchema, {})],
    listenerFilters: [typed('http', HttpInspectorSchema, {})],
  } as Init<typeof ListenerSchema>)
  assert.partialDeepStrictEqual(listener, {
    handsOver: true,
    restoresDestination: true,
    unbound: true,
    inspectTls: false,
    inspectHttp: true,
    accessLog: [{ path: '/dev/stdout' }],
  })
  assert.match(
    problem('LDS', ListenerSchema, {
      ...withFilters([manager()]),
      accessLog: [typed('log', StdoutAccessLogSchema, {}), typed('log', FileAccessLogSchema, {})],
      listenerFilters: [typed('http', HttpInspectorSchema, {}), typed('proxy', ProxyProtocolSchema, {})],
    } as Init<typeof ListenerSchema>),
    /listener_filters\[1\]: proxy must stand before[\s\S]*access_log\[1\]\.typed_config\.path: is empty|access_log\[1\]\.typed_config\.path: is empty[\s\S]*listener_filters\[1\]: proxy must stand before/,
  )
})

const ldsRefusals: readonly (readonly [string, Init<typeof ListenerSchema>, RegExp])[] = [
  ['no router', withFilters([manager({ httpFilters: [] })]), /http_filters: expected the router/],
  ['no terminal filter', withFilters([]), /filter_chains\[0\]\.filters: expected a terminal filter/],
  [
    'a field of the manager',
    withFilters([manager({ proxy100Continue: true } as Manager)]),
    /filters\[0\]\.proxy_100_continue: is not supported/,
  ],
  [
    'a filter behind the terminal one',
    withFilters([manager(), manager()]),
    /filters\[1\]: http stands behind a terminal filter/,
  ],
  [
    'a socket of a special kind',
    { ...withFilters([manager()]), transparent: true } as Init<typeof ListenerSchema>,
    /transparent: is not supported/,
  ],
  ['no address', { name: 'x', filterChains: [{ filters: [manager()] }] }, /address: no address is not supported/],
  ['no chain', { name: 'x', address: loopback(1) }, /filter_chains: expected at least one/],
  [
    'a certificate from elsewhere',
    {
      name: 'x',
      address: loopback(1),
      filterChains: [
        {
          transportSocket: downstreamTls('b', {
            tlsCertificateSdsSecretConfigs: [
              { name: 'other', sdsConfig: { configSourceSpecifier: { case: 'path', value: '/x' } } },
            ],
          }),
          filters: [manager()],
        },
      ],
    },
    /tls_certificate_sds_secret_configs\[0\].sds_config: path is not supported, expected ads/,
  ],
  [
    'a prefix that is none',
    {
      name: 'x',
      address: loopback(1),
      filterChains: [
        {
          filterChainMatch: { prefixRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 33 }] },
          filters: [manager()],
        },
      ],
    },
    /filter_chain_match\.prefix_ranges\[0\]: expected an IP prefix, got "10\.0\.0\.0\/33"/,
  ],
  [
    'a wildcard inside of a name',
    {
      name: 'x',
      address: loopback(1),
      filterChains: [{ filterChainMatch: { serverNames: ['a*.example'] }, filters: [manager()] }],
    },
    /filter_chain_match\.server_names\[0\]: "a\*\.example": a wildcard/,
  ],
  [
    'a PROXY header behind TLS',
    {
      ...withFilters([manager()]),
      listenerFilters: [typed('tls', TlsInspectorSchema, {}), typed('proxy', ProxyProtocolSchema, {})],
    } as Init<typeof ListenerSchema>,
    /listener_filters\[1\]: proxy must stand before tls_inspector/,
  ],
  [
    'a PROXY header of no version',
    {
      ...withFilters([manager()]),
      listenerFilters: [typed('proxy', ProxyProtocolSchema, { disallowedVersions: [0, 1] })],
    } as Init<typeof ListenerSchema>,
    /listener_filters\[0\]\.disallowed_versions: leaves no version/,
  ],
  [
    'raw bytes in a tunnel, and by what other filters say',
    withFilters([
      typed('tcp', TcpProxySchema, {
        clusterSpecifier: {
          case: 'weightedClusters',
          value: { clusters: [{ name: 'a', weight: 1 }] },
        },
        hashPolicy: [{ policySpecifier: { case: 'filterState', value: { key: 'k' } } }],
        tunnelingConfig: { hostname: 'x' },
      }),
    ]),
    /filters\[0\]\.tunneling_config: is not supported; .*hash_policy\[0\]\.filter_state: is not supported/,
  ],
  [
    'a match by a suffix of the address',
    {
      name: 'x',
      address: loopback(1),
      filterChains: [{ filterChainMatch: { addressSuffix: '10.0.0.1' }, filters: [manager()] }],
    },
    /filter_chains\[0\]\.filter_chain_match\.address_suffix: is not supported/,
  ],
]
for (const [title, init, form] of ldsRefusals)
  test(`LDS refuses ${title}`, () => assert.match(problem('LDS', ListenerSchema, init), form))

test('RBAC: nesting has an end, and what cannot be asked is refused', () => {
  let rule: Init<typeof import('../../xds/gen/envoy/config/rbac/v3/rbac_pb.ts').PermissionSchema> = {
    rule: { case: 'any', value: true },
  }
  for (let depth = 0; depth < 50; depth++) rule = { rule: { case: 'notRule', value: rule } }
  const filter = (permission: typeof rule) =>
    withFilters([
      typed('rbac', NetworkRbacSchema, {
        rules: create(RBACSchema, {
          policies: { p: { permissions: [permission], principals: [{ identifier: { case: 'any', value: true } }] } },
        }),
      }),
      manager(),
    ])
  assert.match(problem('LDS', ListenerSchema, filter(rule)), /is nested too deeply/)
  assert.match(
    problem('LDS', ListenerSchema, filter({ rule: { case: 'requestedServerName', value: {} } })),
    /rules\.policies\[p\]\.permissions\[0\]: requestedServerName is not supported/,
  )
})

test('LDS: raw bytes to a part of the endpoints, and by who asks', () => {
  const lb = (values: object) => ({ filterMetadata: { 'envoy.lb': values } })
  const listener = decode(
    'LDS',
    ListenerSchema,
    withFilters([
      typed('tcp', TcpProxySchema, {
        clusterSpecifier: {
          case: 'weightedClusters',
          value: {
            clusters: [
              { name: 'a', weight: 1, metadataMatch: lb({ v: '2' }) },
              { name: 'b', weight: 1 },
            ],
          },
        },
        metadataMatch: lb({ v: '1', stage: 'prod' }),
        hashPolicy: [{ policySpecifier: { case: 'sourceIp', value: {} } }],
      } as Init<typeof TcpProxySchema>),
    ]),
  )
  const terminal = listener.filterChains[0]?.terminal
  assert.ok(terminal?.kind === 'tcp')
  assert.equal(terminal.hashBySource, true)
  assert.deepEqual(
    terminal.clusters.map(({ subset }) => subset),
    [
      { v: '2', stage: 'prod' },
      { v: '1', stage: 'prod' },
    ],
  )
})
