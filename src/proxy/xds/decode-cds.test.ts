import { create } from '@bufbuild/protobuf'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packAny } from '../../xds/any.ts'
import {
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  ClusterSchema,
} from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterConfigSchema } from '../../xds/gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.ts'
import { HttpProtocolOptionsSchema } from '../../xds/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts'
import { decode, ms, problem, type Init } from './testing/decoding.ts'
import { ads, loopback } from './testing/resources.ts'
import { upstreamTls } from './testing/tls.ts'

const eds: Init<typeof ClusterSchema> = {
  name: 'x',
  clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
  edsClusterConfig: { edsConfig: ads, serviceName: 'e' },
}

test('CDS: defaults of the .proto where nothing is said', () => {
  const { origin, ...cluster } = decode('CDS', ClusterSchema, eds)
  assert.equal(origin, undefined)
  assert.deepEqual(cluster, {
    name: 'x',
    connectTimeoutMs: 5_000,
    loadBalancing: { kind: 'round-robin' },
    discovery: 'eds',
    edsName: 'e',
    inline: { endpoints: [] },
    hashHostnames: false,
    transports: new Map([['', undefined]]),
    transportMatches: [],
    limits: {
      maxConnections: 1024,
      maxPendingRequests: 1024,
      maxRequests: 1024,
      retryBudgetPercent: 0,
      minRetryConcurrency: 3,
    },
    upstreamProtocol: 'http/1.1',
    idleTimeoutMs: 3_600_000,
    outlierDetection: undefined,
    panicThresholdPercent: 50,
  })
})

test('CDS: limits, outliers, balancing, protocol, transports', () => {
  const cluster = decode('CDS', ClusterSchema, {
    ...eds,
    lbPolicy: Cluster_LbPolicy.LEAST_REQUEST,
    lbConfig: { case: 'leastRequestLbConfig', value: { choiceCount: 3 } },
    commonLbConfig: { healthyPanicThreshold: { value: 0 } },
    circuitBreakers: { thresholds: [{ maxRequests: 5, retryBudget: { budgetPercent: { value: 10 } } }] },
    outlierDetection: { consecutive5xx: 7, maxEjectionPercent: 50, alwaysEjectOneHost: true, enforcingSuccessRate: 0 },
    typedExtensionProtocolOptions: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': packAny(
        HttpProtocolOptionsSchema,
        create(HttpProtocolOptionsSchema, {
          commonHttpProtocolOptions: { idleTimeout: ms(90) },
          upstreamProtocolOptions: {
            case: 'explicitHttpConfig',
            value: { protocolConfig: { case: 'http2ProtocolOptions', value: {} } },
          },
        }),
      ),
    },
    transportSocketMatches: [
      { name: 'mtls', match: { weft: 'mtls' }, transportSocket: upstreamTls('b', ['spiffe://a']) },
    ],
  } as Init<typeof ClusterSchema>)
  assert.deepEqual(cluster.loadBalancing, { kind: 'least-request', choices: 3, activeRequestBias: 1 })
  assert.equal(cluster.panicThresholdPercent, 0)
  assert.deepEqual(
    [cluster.limits.maxRequests, cluster.limits.retryBudgetPercent, cluster.limits.minRetryConcurrency],
    [5, 10, 3],
  )
  assert.deepEqual(cluster.outlierDetection, {
    consecutive5xx: { limit: 7, enforcingPercent: 100 },
    consecutiveGatewayFailure: { limit: 5, enforcingPercent: 0 },
    consecutiveLocalOriginFailure: { limit: 5, enforcingPercent: 100 },
    split: false,
    baseEjectionMs: 30_000,
    maxEjectionMs: 300_000,
    jitterMs: 0,
    maxEjectionPercent: 50,
    passedCheckReturns: true,
    alwaysEjectOne: true,
    intervalMs: 10_000,
  })
  assert.deepEqual([cluster.upstreamProtocol, cluster.idleTimeoutMs], ['h2', 90])
  assert.deepEqual(cluster.transports.get('mtls'), {
    certificate: 'own',
    trust: { secret: 'b' },
    peer: {
      kind: 'names',
      oneOf: [{ kind: 'uri', match: { kind: 'exact', value: 'spiffe://a', ignoreCase: false } }],
    },
    sni: 'web',
    alpn: ['weft', 'http/1.1'],
  })
})

test('CDS: a static cluster has its endpoints, a forward proxy has none', () => {
  const fixed = decode('CDS', ClusterSchema, {
    name: 'x',
    loadAssignment: {
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: { address: loopback(9) } } }] }],
    },
  })
  assert.deepEqual([fixed.discovery, fixed.edsName, fixed.inline.endpoints[0]?.address.port], ['static', undefined, 9])
  const forward = decode('CDS', ClusterSchema, {
    name: 'x',
    clusterDiscoveryType: {
      case: 'clusterType',
      value: {
        name: 'envoy.clusters.dynamic_forward_proxy',
        typedConfig: packAny(ClusterConfigSchema, create(ClusterConfigSchema)),
      },
    },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
  })
  assert.equal(forward.discovery, 'dynamic-forward')
  const original = (value: object) =>
    decode('CDS', ClusterSchema, {
      name: 'x',
      clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
      lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
      lbConfig: { case: 'originalDstLbConfig', value },
    })
  assert.equal(original({}).discovery, 'original-destination')
  assert.deepEqual(original({ useHttpHeader: true }).originalDestination, { header: 'x-envoy-original-dst-host' })
  assert.deepEqual(
    original({ useHttpHeader: true, httpHeaderName: 'X-To', upstreamPortOverride: 81 }).originalDestination,
    { header: 'x-to', port: 81 },
  )
})

const cdsRefusals: readonly (readonly [string, Init<typeof ClusterSchema>, RegExp])[] = [
  [
    'an original destination with endpoints and a choice among them',
    {
      name: 'x',
      clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
      loadAssignment: {},
      lbConfig: { case: 'originalDstLbConfig', value: { metadataKey: {}, upstreamPortOverride: 70_000 } },
    },
    /load_assignment: .* has no endpoints.*lb_policy: .* has CLUSTER_PROVIDED.*metadata_key: is not supported.*port_override: expected a port/,
  ],
  ['a policy for clusters of its own', { ...eds, lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED }, /lb_policy: expected/],
  [
    'a Maglev table of no prime size',
    {
      ...eds,
      lbPolicy: Cluster_LbPolicy.MAGLEV,
      lbConfig: { case: 'maglevLbConfig', value: { tableSize: 65_536n } },
    },
    /maglev_lb_config\.table_size: expected a prime of at most 5000011, got 65536/,
  ],
  [
    'another hash function',
    {
      ...eds,
      lbPolicy: Cluster_LbPolicy.RING_HASH,
      lbConfig: { case: 'ringHashLbConfig', value: { hashFunction: 1 } },
    },
    /ring_hash_lb_config\.hash_function: MURMUR_HASH_2/,
  ],
  [
    'bounded loads',
    {
      ...eds,
      lbPolicy: Cluster_LbPolicy.RING_HASH,
      commonLbConfig: { consistentHashingLbConfig: { hashBalanceFactor: 120 } },
    },
    /hash_balance_factor: is not supported/,
  ],
  [
    'EDS from elsewhere',
    { ...eds, edsClusterConfig: { edsConfig: { configSourceSpecifier: { case: 'path', value: '/x' } } } },
    /eds_config: path is not supported/,
  ],
  [
    'TLS to anybody',
    {
      ...eds,
      transportSocket: {
        name: 'envoy.transport_sockets.tls',
        configType: {
          case: 'typedConfig',
          value: create(AnySchema, {
            typeUrl: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
          }),
        },
      },
    },
    /transport_socket: without a validation context/,
  ],
]
for (const [title, init, form] of cdsRefusals)
  test(`CDS refuses ${title}`, () =>
    assert.match(problem('CDS', ClusterSchema, init as Init<typeof ClusterSchema>), form))

test('clusters by DNS: names for hosts, how they are asked for', () => {
  const assignment = (...hosts: readonly string[]) => ({
    endpoints: [
      {
        lbEndpoints: hosts.map((address) => ({
          hostIdentifier: {
            case: 'endpoint' as const,
            value: {
              address: {
                address: {
                  case: 'socketAddress' as const,
                  value: { address, portSpecifier: { case: 'portValue' as const, value: 80 } },
                },
              },
            },
          },
        })),
      },
    ],
  })
  const type = (value: Cluster_DiscoveryType) => ({ case: 'type' as const, value })
  const strict = decode('CDS', ClusterSchema, {
    name: 'x',
    clusterDiscoveryType: type(Cluster_DiscoveryType.STRICT_DNS),
    loadAssignment: assignment('Web.example', '192.0.2.1'),
    dnsRefreshRate: ms(250),
    respectDnsTtl: true,
    dnsFailureRefreshRate: { baseInterval: ms(100) },
  })
  assert.deepEqual(
    strict.inline.endpoints.map(({ address }) => address.host),
    ['web.example', '192.0.2.1'],
  )
  assert.deepEqual(strict.dns, {
    use: 'all',
    family: 'auto',
    refreshMs: 250,
    respectTtl: true,
    failureMs: 100,
    mostFailureMs: 1000,
    jitterMs: 0,
  })
  const said = problem('CDS', ClusterSchema, {
    name: 'x',
    clusterDiscoveryType: type(Cluster_DiscoveryType.LOGICAL_DNS),
    loadAssignment: assignment('a.example', 'not a name'),
  })
  assert.match(said, /a LOGICAL_DNS cluster has exactly one endpoint, not 2/)
  assert.match(said, /expected an IP address or a host name, got "not a name"/)
})
