import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cluster_DiscoveryType, ClusterSchema } from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { decode, ms, problem, type Init } from './testing/decoding.ts'
import { ads, loopback } from './testing/resources.ts'

const least = { timeout: ms(1_000), interval: ms(5_000), healthyThreshold: 2, unhealthyThreshold: 3 }
const http = (value: object) => ({ case: 'httpHealthCheck', value: { path: '/healthz', ...value } })
const clusterWith = (...healthChecks: object[]): Init<typeof ClusterSchema> =>
  ({
    name: 'x',
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ads },
    healthChecks,
  }) as Init<typeof ClusterSchema>
const decoded = (check: object) => decode('CDS', ClusterSchema, clusterWith(check)).healthCheck

test('health check: defaults where nothing is said', () => {
  assert.deepEqual(decoded({ ...least, healthChecker: http({}) }), {
    probe: {
      kind: 'http',
      protocol: 'http/1.1',
      method: 'GET',
      host: undefined,
      path: '/healthz',
      expected: [{ from: 200, to: 200 }],
      retriable: [],
      headers: [],
      send: Buffer.alloc(0),
      receive: [],
      limitBytes: 1024,
    },
    timeoutMs: 1_000,
    intervalMs: 5_000,
    initialJitterMs: 0,
    intervalJitterMs: 0,
    intervalJitterPercent: 0,
    unhealthyThreshold: 3,
    healthyThreshold: 2,
    noTrafficIntervalMs: 60_000,
    noTrafficHealthyIntervalMs: 60_000,
    unhealthyIntervalMs: 5_000,
    unhealthyEdgeIntervalMs: 5_000,
    healthyEdgeIntervalMs: 5_000,
    reuseConnection: true,
  })
})

test('health check: by HTTP, gRPC and TCP', () => {
  const check = decoded({
    ...least,
    reuseConnection: false,
    unhealthyInterval: ms(100),
    healthChecker: http({
      host: 'web',
      method: 2,
      codecClientType: 1,
      expectedStatuses: [{ start: 200n, end: 300n }],
      retriableStatuses: [{ start: 503n, end: 504n }],
      requestHeadersToAdd: [{ header: { key: 'X-Probe', value: '100%%' } }],
      receive: [{ payload: { case: 'text', value: '6f6b' } }],
    }),
  })
  assert.deepEqual([check?.reuseConnection, check?.unhealthyEdgeIntervalMs], [false, 100])
  assert.deepEqual(check?.probe, {
    kind: 'http',
    protocol: 'h2',
    method: 'HEAD',
    host: 'web',
    path: '/healthz',
    expected: [{ from: 200, to: 299 }],
    retriable: [{ from: 503, to: 503 }],
    headers: [{ name: 'x-probe', value: '100%' }],
    send: Buffer.alloc(0),
    receive: [Buffer.from('ok')],
    limitBytes: 1024,
  })
  const grpc = decoded({
    ...least,
    healthChecker: { case: 'grpcHealthCheck', value: { serviceName: 's', authority: 'a' } },
  })
  assert.deepEqual(grpc?.probe, { kind: 'grpc', service: 's', authority: 'a', headers: [] })
  const tcp = decoded({
    ...least,
    healthChecker: {
      case: 'tcpHealthCheck',
      value: { send: { payload: { case: 'binary', value: Buffer.from('PING') } }, receive: [] },
    },
  })
  assert.deepEqual(tcp?.probe, { kind: 'tcp', send: Buffer.from('PING'), receive: [] })
})

const refusals: readonly (readonly [string, object[], RegExp])[] = [
  [
    'no time',
    [{ ...least, timeout: ms(0), healthChecker: http({}) }],
    /health_checks\[0\]\.timeout: expected more than 0/,
  ],
  ['no thresholds', [{ timeout: ms(1), interval: ms(1), healthChecker: http({}) }], /healthy_threshold: is missing/],
  ['two of them', [{ ...least, healthChecker: http({}) }, least], /health_checks: expected at most one/],
  ['no kind', [least], /expected http_health_check, grpc_health_check or tcp_health_check/],
  [
    'one by Redis',
    [{ ...least, healthChecker: { case: 'customHealthCheck', value: {} } }],
    /custom_health_check: is not/,
  ],
  [
    'a path that is none',
    [{ ...least, healthChecker: http({ path: 'x' }) }],
    /http_health_check\.path: expected a path/,
  ],
  [
    'a status that is none',
    [{ ...least, healthChecker: http({ expectedStatuses: [{ start: 200n, end: 200n }] }) }],
    /expected_statuses\[0\]: expected 100 ≤ start < end ≤ 600, got 200 and 200/,
  ],
  [
    'what is no hexadecimal',
    [{ ...least, healthChecker: http({ receive: [{ payload: { case: 'text', value: 'ok' } }] }) }],
    /receive\[0\]\.text: expected pairs of hexadecimal digits, got "ok"/,
  ],
  ['a log of events', [{ ...least, healthChecker: http({}), eventLogPath: '/x' }], /event_log_path: is not supported/],
]
for (const [title, checks, form] of refusals)
  test(`health check: refused is ${title}`, () =>
    assert.match(problem('CDS', ClusterSchema, clusterWith(...checks)), form))

test('EDS: where and as whom an endpoint is checked', () => {
  const { endpoints } = decode('EDS', ClusterLoadAssignmentSchema, {
    clusterName: 'x',
    endpoints: [
      {
        lbEndpoints: [
          { address: loopback(1) },
          { address: loopback(2), hostname: 'web' },
          { address: loopback(3), hostname: 'web', healthCheckConfig: { portValue: 99, hostname: 'health' } },
          { address: loopback(4), healthCheckConfig: { disableActiveHealthCheck: true } },
        ].map((value) => ({ hostIdentifier: { case: 'endpoint', value } })),
      },
    ],
  } as Init<typeof ClusterLoadAssignmentSchema>)
  assert.deepEqual(
    endpoints.map(({ healthCheck }) => healthCheck),
    [undefined, { host: 'web' }, { port: 99, host: 'health' }, { disabled: true }],
  )
})
