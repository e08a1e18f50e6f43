import { ClusterConfigSchema } from '../../xds/gen/envoy/extensions/clusters/aggregate/v3/cluster_pb.ts'
import { ClusterProvidedSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided_pb.ts'
import { create, type DescMessage } from '@bufbuild/protobuf'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packAny } from '../../xds/any.ts'
import {
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  ClusterSchema,
} from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import { LeastRequestSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.ts'
import { MaglevSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb.ts'
import { ClientSideWeightedRoundRobinSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3/client_side_weighted_round_robin_pb.ts'
import { OverrideHostSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/override_host/v3/override_host_pb.ts'
import { HealthStatus } from '../../xds/gen/envoy/config/core/v3/health_check_pb.ts'
import { RandomSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/random/v3/random_pb.ts'
import { RingHashSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash_pb.ts'
import { RoundRobinSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.ts'
import { SubsetSchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/subset/v3/subset_pb.ts'
import { WrrLocalitySchema } from '../../xds/gen/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality_pb.ts'
import type { LoadBalancing } from '../config.ts'
import { buildCluster } from './build-cluster.ts'
import type { ClusterShape } from './decode-cds.ts'
import { decode, ms, problem, type Init } from './testing/decoding.ts'
import { ads, loopback } from './testing/resources.ts'

type ClusterInit = Init<typeof ClusterSchema>
const eds: ClusterInit = {
  name: 'x',
  clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
  edsClusterConfig: { edsConfig: ads },
}

const policy = <S extends DescMessage>(schema: S, init: Init<S>): ClusterInit =>
  ({
    ...eds,
    loadBalancingPolicy: {
      policies: [
        { typedExtensionConfig: { name: 'unknown', typedConfig: create(AnySchema, { typeUrl: 'unknown' }) } },
        { typedExtensionConfig: { name: 'x', typedConfig: packAny(schema, create(schema, init)) } },
      ],
    },
  }) as ClusterInit
const policies: readonly (readonly [ClusterInit, LoadBalancing, boolean?])[] = [
  [{ ...eds, lbPolicy: Cluster_LbPolicy.RANDOM }, { kind: 'random' }],
  [
    { ...eds, lbPolicy: Cluster_LbPolicy.LEAST_REQUEST } as ClusterInit,
    { kind: 'least-request', choices: 2, activeRequestBias: 1 },
  ],
  [
    { ...eds, lbPolicy: Cluster_LbPolicy.RING_HASH },
    { kind: 'ring-hash', minSize: 1024, maxSize: 8_388_608 },
  ],
  [
    {
      ...eds,
      lbPolicy: Cluster_LbPolicy.MAGLEV,
      lbConfig: { case: 'maglevLbConfig', value: { tableSize: 101n } },
      commonLbConfig: { consistentHashingLbConfig: { useHostnameForHashing: true } },
    } as ClusterInit,
    { kind: 'maglev', tableSize: 101 },
    true,
  ],
  [policy(RoundRobinSchema, {}), { kind: 'round-robin' }],
  [policy(RandomSchema, {}), { kind: 'random' }],
  [
    policy(LeastRequestSchema, { choiceCount: 4, activeRequestBias: { defaultValue: 0.5 } }),
    { kind: 'least-request', choices: 4, activeRequestBias: 0.5 },
  ],
  [
    policy(RingHashSchema, { minimumRingSize: 7n, maximumRingSize: 9n, useHostnameForHashing: true }),
    { kind: 'ring-hash', minSize: 7, maxSize: 9 },
    true,
  ],
  [
    policy(MaglevSchema, { consistentHashingLbConfig: { useHostnameForHashing: true } }),
    { kind: 'maglev', tableSize: 65_537 },
    true,
  ],
]
for (const [init, wanted, hashHostnames = false] of policies)
  test(`CDS: balancing by ${wanted.kind}, ${'loadBalancingPolicy' in init ? 'as an extension' : 'as lb_policy'}`, () => {
    const cluster = decode('CDS', ClusterSchema, init)
    assert.deepEqual([cluster.loadBalancing, cluster.hashHostnames], [wanted, hashHostnames])
  })

const slowStartConfig = {
  slowStartWindow: ms(60_000),
  aggression: { defaultValue: 2 },
  minWeightPercent: { value: 5 },
}
const slowStart = { windowMs: 60_000, aggression: 2, minWeightPercent: 5 }
const child = {
  policies: [{ typedExtensionConfig: { name: 'r', typedConfig: packAny(RandomSchema, create(RandomSchema)) } }],
}
const selectors = [
  { keys: ['version'] },
  { keys: ['stage', 'version'], fallbackPolicy: 4, fallbackKeysSubset: ['version'] },
  { keys: ['stage'], fallbackPolicy: 2 },
]

test('CDS: slow start, localities and subsets, as old fields and as policies', () => {
  const old = decode('CDS', ClusterSchema, {
    ...eds,
    lbConfig: { case: 'roundRobinLbConfig', value: { slowStartConfig } },
    commonLbConfig: {
      healthyPanicThreshold: { value: 30 },
      localityConfigSpecifier: { case: 'localityWeightedLbConfig', value: {} },
    },
    lbSubsetConfig: {
      fallbackPolicy: 2,
      defaultSubset: { version: 'v1' },
      subsetSelectors: selectors,
      listAsAny: true,
    },
  } as ClusterInit)
  assert.deepEqual(old.loadBalancing, { kind: 'round-robin', slowStart })
  assert.deepEqual([old.localityWeighted, old.panicThresholdPercent], [true, 30])
  assert.deepEqual(old.subsets, {
    fallback: 'default',
    defaultSubset: { version: 'v1' },
    selectors: [
      { keys: ['version'] },
      { keys: ['stage', 'version'], fallbackKeys: ['version'] },
      { keys: ['stage'], fallback: 'any' },
    ],
    listAsAny: true,
    localityWeightAware: false,
  })

  const least = decode('CDS', ClusterSchema, policy(LeastRequestSchema, { slowStartConfig }))
  assert.deepEqual(least.loadBalancing, { kind: 'least-request', choices: 2, activeRequestBias: 1, slowStart })
  const byLocality = decode('CDS', ClusterSchema, policy(WrrLocalitySchema, { endpointPickingPolicy: child }))
  assert.deepEqual([byLocality.loadBalancing, byLocality.localityWeighted], [{ kind: 'random' }, true])
  const split = decode(
    'CDS',
    ClusterSchema,
    policy(SubsetSchema, { fallbackPolicy: 1, subsetSelectors: selectors, subsetLbPolicy: child } as Init<
      typeof SubsetSchema
    >),
  )
  assert.deepEqual(
    [split.loadBalancing, split.subsets?.fallback, split.subsets?.selectors.length],
    [{ kind: 'random' }, 'any', 3],
  )
})

const refusals: readonly (readonly [string, object, RegExp])[] = [
  [
    'an aggression of 0',
    { lbConfig: { case: 'roundRobinLbConfig', value: { slowStartConfig: { aggression: { defaultValue: 0 } } } } },
    /round_robin_lb_config\.slow_start_config\.aggression: expected more than 0/,
  ],
  [
    'the part of another policy',
    { lbConfig: { case: 'maglevLbConfig', value: {} } },
    /maglevLbConfig: is for another lb_policy/,
  ],
  [
    'one endpoint for each subset',
    { lbSubsetConfig: { subsetSelectors: [{ keys: ['a'], singleHostPerSubset: true }] } },
    /subset_selectors\[0\]\.single_host_per_subset: is not supported/,
  ],
  [
    'a fallback to the same keys',
    { lbSubsetConfig: { subsetSelectors: [{ keys: ['a'], fallbackPolicy: 4, fallbackKeysSubset: ['a'] }] } },
    /fallback_keys_subset: expected some of the keys, but not all/,
  ],
  [
    'a full scan',
    policy(LeastRequestSchema, { selectionMethod: 1 }),
    /load_balancing_policy\.policies\[1\]\.selection_method: FULL_SCAN is not supported/,
  ],
]
for (const [title, more, form] of refusals)
  test(`CDS: balancing, refused is ${title}`, () =>
    assert.match(problem('CDS', ClusterSchema, { ...eds, ...more } as ClusterInit), form))

test('EDS: weights of localities, reserve, what balancing knows of an endpoint', () => {
  const metadata = { filterMetadata: { 'envoy.lb': { version: 'v1', hash_key: 'one' } } }
  const assignment = decode('EDS', ClusterLoadAssignmentSchema, {
    clusterName: 'x',
    policy: { overprovisioningFactor: 200, weightedPriorityHealth: true },
    endpoints: [
      {
        locality: { zone: 'a' },
        loadBalancingWeight: 7,
        lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: { address: loopback(1) } }, metadata }],
      },
    ],
  } as Init<typeof ClusterLoadAssignmentSchema>)
  assert.deepEqual([assignment.overprovisioningPercent, assignment.weightedPriorityHealth], [200, true])
  const [first] = assignment.endpoints
  assert.deepEqual(
    [first?.localityWeight, first?.metadata, first?.hashKey],
    [7, { version: 'v1', hash_key: 'one' }, 'one'],
  )
})

test('RDS: the subset that a route and its clusters ask for', () => {
  const match = (fields: Record<string, string>) => ({ filterMetadata: { 'envoy.lb': fields } })
  const table = decode('RDS', RouteConfigurationSchema, {
    name: 'x',
    virtualHosts: [
      {
        name: 'v',
        domains: ['*'],
        routes: [
          {
            match: { pathSpecifier: { case: 'prefix', value: '/' } },
            action: {
              case: 'route',
              value: {
                metadataMatch: match({ stage: 'prod', version: 'v1' }),
                clusterSpecifier: {
                  case: 'weightedClusters',
                  value: {
                    clusters: [
                      { name: 'a', weight: 1 },
                      { name: 'b', weight: 1, metadataMatch: match({ version: 'v2' }) },
                    ],
                  },
                },
              },
            },
          },
        ],
      },
    ],
  } as Init<typeof RouteConfigurationSchema>)
  const action = table.virtualHosts[0]?.routes[0]?.action
  assert.deepEqual(action?.kind === 'forward' && action.clusters.map(({ subset }) => subset), [
    { stage: 'prod', version: 'v1' },
    { stage: 'prod', version: 'v2' },
  ])
})

test('CDS: weights by the endpoints own reports', () => {
  const one = decode(
    'CDS',
    ClusterSchema,
    policy(ClientSideWeightedRoundRobinSchema, {
      blackoutPeriod: ms(5_000),
      weightExpirationPeriod: ms(60_000),
      weightUpdatePeriod: ms(50),
      errorUtilizationPenalty: 0.5,
      metricNamesForComputingUtilization: ['named_metrics.queue'],
      slowStartConfig,
    }),
  )
  assert.deepEqual(one.loadBalancing, {
    kind: 'client-side-weights',
    blackoutMs: 5_000,
    expirationMs: 60_000,
    updateMs: 100, // as often as may be
    errorPenalty: 0.5,
    metrics: ['named_metrics.queue'],
    slowStart,
  })
  const two = decode('CDS', ClusterSchema, policy(ClientSideWeightedRoundRobinSchema, {})).loadBalancing
  assert.deepEqual(two, {
    kind: 'client-side-weights',
    blackoutMs: 10_000,
    expirationMs: 180_000,
    updateMs: 1_000,
    errorPenalty: 1,
    metrics: [],
  })
  const said = problem(
    'CDS',
    ClusterSchema,
    policy(ClientSideWeightedRoundRobinSchema, {
      enableOobLoadReport: true,
      errorUtilizationPenalty: -1,
      oobReportingConfig: {},
    }),
  )
  assert.match(said, /policies\[1\]\.enable_oob_load_report: is not supported/)
  assert.match(said, /oob_reporting_config: is not supported/)
  assert.match(said, /error_utilization_penalty: expected at least 0, got -1/)
})

test('CDS: endpoints that calls ask for by headers, and which of them may be', () => {
  const one = decode('CDS', ClusterSchema, {
    ...policy(OverrideHostSchema, {
      overrideHostSources: [{ header: 'X-Gateway-Destination-Endpoint' }, { header: 'x-then' }],
      fallbackPolicy: child,
    }),
    commonLbConfig: { overrideHostStatus: { statuses: [HealthStatus.UNKNOWN, HealthStatus.DRAINING] } },
  } as ClusterInit)
  assert.deepEqual(one.overrideHeaders, ['x-gateway-destination-endpoint', 'x-then'])
  assert.deepEqual(one.loadBalancing, { kind: 'random' })
  assert.deepEqual(one.overrideStatuses, new Set(['unknown', 'draining']))
  const said = (init: Init<typeof OverrideHostSchema>): string =>
    problem('CDS', ClusterSchema, policy(OverrideHostSchema, init))
  assert.match(said({ fallbackPolicy: child }), /override_host_sources: expected at least one/)
  const sources = { overrideHostSources: [{}, { metadata: { key: 'envoy.lb' } }] }
  assert.match(said(sources), /override_host_sources\[0\]\.header: is missing/)
  assert.match(said(sources), /override_host_sources\[1\]\.metadata: is not supported/)
  assert.match(said(sources), /fallback_policy: is missing/)
})

test('EDS: what discovery says of an endpoint is kept word by word where the cluster must know', () => {
  const assignment = {
    endpoints: [
      {
        lbEndpoints: [HealthStatus.HEALTHY, HealthStatus.TIMEOUT].map((healthStatus, index) => ({
          hostIdentifier: { case: 'endpoint' as const, value: { address: loopback(index + 1) } },
          healthStatus,
        })),
      },
    ],
  }
  const shape = decode('CDS', ClusterSchema, { name: 'x', loadAssignment: assignment } as ClusterInit)
  const statuses = (of: ClusterShape): unknown[] =>
    buildCluster(of, of.inline, undefined).endpoints.map(({ health, healthStatus }) => [health, healthStatus])
  assert.deepEqual(statuses(shape), [
    ['healthy', undefined],
    ['unhealthy', undefined],
  ])
  assert.deepEqual(statuses({ ...shape, overrideStatuses: new Set() }), [
    ['healthy', 'healthy'],
    ['unhealthy', 'timeout'],
  ])
})

test('CDS: a cluster of clusters', () => {
  const of = (clusters: readonly string[], more: ClusterInit = { lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED }) =>
    ({
      name: 'x',
      clusterDiscoveryType: {
        case: 'clusterType',
        value: {
          name: 'envoy.clusters.aggregate',
          typedConfig: packAny(ClusterConfigSchema, create(ClusterConfigSchema, { clusters: [...clusters] })),
        },
      },
      ...more,
    }) as ClusterInit
  const provided = {
    policies: [
      {
        typedExtensionConfig: { name: 'x', typedConfig: packAny(ClusterProvidedSchema, create(ClusterProvidedSchema)) },
      },
    ],
  }
  for (const init of [of(['a', 'b']), of(['a', 'b'], { loadBalancingPolicy: provided })]) {
    const { discovery, members } = decode('CDS', ClusterSchema, init)
    assert.deepEqual([discovery, members], ['aggregate', ['a', 'b']])
  }
  assert.match(problem('CDS', ClusterSchema, of([])), /cluster_type\.typed_config\.clusters: expected at least one/)
  assert.match(problem('CDS', ClusterSchema, of(['a'], {})), /lb_policy: expected CLUSTER_PROVIDED/)
  const byPolicy = of(['a'], { loadBalancingPolicy: child })
  assert.match(problem('CDS', ClusterSchema, byPolicy), /load_balancing_policy: expected cluster_provided/)
})

test('CDS: where connections come from', () => {
  const address = (host: string, port = 0) => ({
    address: host,
    portSpecifier: { case: 'portValue' as const, value: port },
  })
  const of = (upstreamBindConfig: object): ClusterInit => ({ name: 'x', upstreamBindConfig }) as ClusterInit
  const one = of({
    sourceAddress: address('127.0.0.6'),
    extraSourceAddresses: [{ address: address('::1', 9) }],
  })
  assert.deepEqual(decode('CDS', ClusterSchema, one).sourceAddresses, [
    { host: '127.0.0.6', port: 0 },
    { host: '::1', port: 9 },
  ])
  assert.equal(decode('CDS', ClusterSchema, of({})).sourceAddresses, undefined)
  const said = problem(
    'CDS',
    ClusterSchema,
    of({ extraSourceAddresses: [{ address: address('x') }], freebind: true, socketOptions: [{}] }),
  )
  assert.match(said, /upstream_bind_config\.source_address: is missing/)
  assert.match(said, /upstream_bind_config\.freebind: is not supported/)
  assert.match(said, /upstream_bind_config\.socket_options: is not supported/)
  assert.match(said, /extra_source_addresses\[0\]\.address\.address: expected an IP address, got "x"/)
})

test('EDS: calls that the control plane wants refused', () => {
  const policy = {
    dropOverloads: [
      { category: 'throttle', dropPercentage: { numerator: 25 } },
      { category: 'lb', dropPercentage: { numerator: 1, denominator: 1 } },
    ],
  }
  const shape = decode('CDS', ClusterSchema, { name: 'x', loadAssignment: { policy } } as ClusterInit)
  assert.deepEqual(buildCluster(shape, shape.inline, undefined).drops, [
    { category: 'throttle', share: 0.25 },
    { category: 'lb', share: 0.0001 },
  ])
})

test('CDS: the own zone first, as an old field and in policies', () => {
  const old = (config: object): ClusterInit =>
    ({
      ...eds,
      commonLbConfig: { localityConfigSpecifier: { case: 'zoneAwareLbConfig', value: config } },
    }) as ClusterInit
  assert.deepEqual(decode('CDS', ClusterSchema, old({})).zoneAware, { enabledPercent: 100, minEndpoints: 6 })
  const said = old({ routingEnabled: { value: 20 }, minClusterSize: 2n })
  assert.deepEqual(decode('CDS', ClusterSchema, said).zoneAware, { enabledPercent: 20, minEndpoints: 2 })
  assert.match(
    problem('CDS', ClusterSchema, old({ failTrafficOnPanic: true })),
    /zone_aware_lb_config\.fail_traffic_on_panic: is not supported/,
  )
  const byPolicy = (value: object): ClusterInit =>
    policy(RandomSchema, {
      localityLbConfig: { localityConfigSpecifier: { case: 'zoneAwareLbConfig', value } },
    } as Init<typeof RandomSchema>)
  const zoneAware = (value: object): unknown => decode('CDS', ClusterSchema, byPolicy(value)).zoneAware
  assert.deepEqual(zoneAware({ localityBasis: 1 }), { enabledPercent: 100, minEndpoints: 6, byWeight: true })
  assert.deepEqual(zoneAware({ forceLocalZone: { minSize: 3 } }), {
    enabledPercent: 100,
    minEndpoints: 6,
    forceFrom: 3,
  })
  assert.deepEqual(zoneAware({ forceLocalityDirectRouting: true }), {
    enabledPercent: 100,
    minEndpoints: 6,
    forceFrom: 1,
  })
  assert.match(
    problem('CDS', ClusterSchema, byPolicy({ localityBasis: 7 })),
    /locality_basis: expected HEALTHY_HOSTS_NUM/,
  )
})

test('EDS: endpoints that are Unix sockets', () => {
  const of = (pipe: object): ClusterInit =>
    ({
      name: 'x',
      loadAssignment: {
        endpoints: [
          {
            lbEndpoints: [
              {
                hostIdentifier: {
                  case: 'endpoint',
                  value: { address: { address: { case: 'pipe', value: pipe } } },
                },
              },
            ],
          },
        ],
      },
    }) as ClusterInit
  const address = (path: string): unknown =>
    decode('CDS', ClusterSchema, of({ path })).inline.endpoints[0]?.address.host
  assert.equal(address('/run/web.sock'), '/run/web.sock')
  assert.equal(address('@web'), '@web')
  assert.equal(address('web.sock'), `${process.cwd()}/web.sock`)
  assert.match(problem('CDS', ClusterSchema, of({ path: '@' })), /address\.pipe\.path: expected a path, got "@"/)
  assert.match(problem('CDS', ClusterSchema, of({ path: '/x', mode: 1 })), /address\.pipe\.mode: is not supported/)
})

test('CDS: for how long calls count for the budget of retries', () => {
  const of = (budgetInterval: object): ClusterInit =>
    ({ ...eds, circuitBreakers: { thresholds: [{ retryBudget: { budgetInterval } }] } }) as ClusterInit
  const interval = (init: object): unknown => decode('CDS', ClusterSchema, of(init)).limits.retryBudgetIntervalMs
  assert.equal(interval(ms(2_500)), 2_500)
  assert.equal(interval(ms(0)), undefined)
  assert.match(problem('CDS', ClusterSchema, of(ms(-1_000))), /retry_budget\.budget_interval: expected a duration/)
})
