import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import { decode } from '../../base/decode.ts'
import { trafficPolicySpec, type TrafficPolicySpec } from './traffic-policy.ts'

function read(text: string): TrafficPolicySpec {
  const result = decode(trafficPolicySpec, parse(text))
  assert.ok('value' in result, JSON.stringify(result))
  return result.value
}
function problems(text: string): readonly string[] {
  const result = decode(trafficPolicySpec, parse(text))
  return 'issues' in result ? result.issues.map(({ path, message }) => `${path.replace(/^\./, '')}: ${message}`) : []
}
const web = 'targetRefs: [{kind: Service, name: web}]'

test('all that can be said, durations in ms', () => {
  assert.deepEqual(
    read(`
targetRefs: [{group: '', kind: Service, name: web, sectionName: http}, {kind: Namespace, name: default}]
loadBalancing: {}
connectionLimits: {maxConnections: 1, maxPendingRequests: 0, maxRequests: 2, maxRetries: 3}
outlierDetection: {consecutive5xxErrors: 0, consecutiveGatewayErrors: 3, interval: 1s, baseEjectionTime: 1m, maxEjectionTime: 1h, maxEjectionPercent: 100}
healthChecks: {http: {path: /ready, host: web.test, expectedStatuses: [200, 204-299]}, interval: 5s}
locality: {prefer: Zone, minHealthyPercent: 70}
failover: {backendRef: {name: spare, port: 80}}
panicThreshold: 50
connection: {connectTimeout: 250ms, idleTimeout: 0s}
timeouts: {request: 10s, perTry: 2s, idle: 5m, stream: 1h}
retries: {attempts: 0, on: [5xx, retriable-4xx, envoy-ratelimited], codes: [503, 429, 503], backoff: {base: 10ms, max: 1s}}
rateLimits: [{requests: 10, scope: Global}, {requests: 1, unit: Day, burst: 3, per: Caller}, {requests: 2, per: {header: X-User}}]
adaptiveConcurrency: {updateInterval: 250ms}
faults: {delay: {duration: 2s}, abort: {grpcStatus: UNAVAILABLE, percent: 0.25}, bandwidth: {rate: 2MiB/s}, headers: [{name: X-Test, value: a}]}
`),
    {
      targets: [
        { kind: 'Service', name: 'web', sectionName: 'http' },
        { kind: 'Namespace', name: 'default' },
      ],
      loadBalancing: { algorithm: 'PeakEWMA' },
      connectionLimits: { maxConnections: 1, maxPendingRequests: 0, maxRequests: 2, maxRetries: 3 },
      outlierDetection: {
        consecutive5xxErrors: 0,
        consecutiveGatewayErrors: 3,
        interval: 1000,
        baseEjectionTime: 60_000,
        maxEjectionTime: 3_600_000,
        maxEjectionPercent: 100,
      },
      healthChecks: {
        http: {
          path: '/ready',
          method: 'GET',
          host: 'web.test',
          expectedStatuses: [
            { from: 200, to: 200 },
            { from: 204, to: 299 },
          ],
        },
        interval: 5000,
        timeout: 1000,
        unhealthyThreshold: 3,
        healthyThreshold: 1,
      },
      locality: { prefer: 'Zone', minHealthyPercent: 70 },
      failover: { backendRef: { group: '', kind: 'Service', name: 'spare', port: 80 } },
      panicThreshold: 50,
      connection: { connectTimeout: 250, idleTimeout: 0 },
      timeouts: { request: 10_000, perTry: 2000, idle: 300_000, stream: 3_600_000 },
      retries: {
        attempts: 0,
        on: ['5xx', 'retriable-4xx', 'envoy-ratelimited'],
        codes: [429, 503],
        backoff: { base: 10, max: 1000 },
      },
      rateLimits: [
        { requests: 10, unit: 'Second', burst: 10, scope: 'Global' },
        { requests: 1, unit: 'Day', burst: 3, per: 'caller', scope: 'Local' },
        { requests: 2, unit: 'Second', burst: 2, per: { header: 'x-user' }, scope: 'Local' },
      ],
      adaptiveConcurrency: {
        minConcurrency: 3,
        maxConcurrency: 1000,
        latencyPercentile: 50,
        updateInterval: 250,
        baselineInterval: 60_000,
        baselineRequests: 50,
        tolerance: 25,
      },
      faults: {
        delay: { duration: 2000, percent: 100 },
        abort: { grpcStatus: 14, percent: 0.25 },
        bandwidth: { rate: 2048, percent: 100 },
        headers: [{ name: 'x-test', type: 'Exact', value: 'a' }],
      },
    },
  )
  assert.deepEqual(read(`${web}\nfaults: {abort: {grpcStatus: 5}}`).faults, {
    abort: { grpcStatus: 5, percent: 100 },
    headers: [],
  })
  const hedging = (text: string) => read(`${web}\nhedging: ${text}`).hedging
  assert.deepEqual(hedging('{}'), { atPercentile: 95, maxAttempts: 2, methods: 'Idempotent' })
  assert.deepEqual(hedging('{after: 20ms, maxAttempts: 3, methods: Any}'), {
    after: 20,
    maxAttempts: 3,
    methods: 'Any',
  })
  assert.equal(hedging('false'), false)
  assert.equal(read(`${web}\noutlierDetection: false`).outlierDetection, false)
  assert.equal(read(`${web}\nhealthChecks: false`).healthChecks, false)
})

const wrong: readonly (readonly [text: string, problems: readonly string[]])[] = [
  ['panicThreshold: 1', ['targetRefs: expected a list, got nothing']],
  [
    `${web}\nrateLimits: [{unit: Second}, {requests: 1, per: caller}, {requests: 1, per: {header: ':path'}}, {requests: 0, unit: seconds}]`,
    [
      'rateLimits[0].requests: expected a whole number from 1 to 4294967295, got nothing',
      'rateLimits[1].per: expected "Caller" or { header: NAME }, got "caller"',
      'rateLimits[2].per.header: expected a header name, got ":path"',
      'rateLimits[3].requests: expected a whole number from 1 to 4294967295, got 0',
      'rateLimits[3].unit: expected one of "Second", "Minute", "Hour", "Day", got "seconds" (did you mean "Second"?)',
    ],
  ],
  [
    'targetRefs: [{kind: HTTPRoute, name: a}, {kind: ExternalService, name: b}]\nrateLimits: [{requests: 1}]',
    [
      'rateLimits: means nothing for an ExternalService ("b"): it is for the sidecar of the called program, and there is none',
    ],
  ],
  [
    `${web}\nexternalRateLimit: {backendRef: {name: limiter, port: 8081}, domain: '', timeout: 1s, descriptors: [{entries: [{header: a, value: b}]}]}`,
    [
      'externalRateLimit.domain: expected 1 to 256 characters',
      'externalRateLimit.timeout: expected 20ms to 200ms: every request waits for the answer',
      'externalRateLimit.descriptors[0].entries[0]: expected { header } with or without key, { key, value }, or { remoteAddress: true }',
    ],
  ],
  [
    'targetRefs: [{kind: Gateway, name: a, sectionName: web}]\nadaptiveConcurrency: false\nconnection: {connectTimeout: 1s}',
    ['connection', 'adaptiveConcurrency'].map(
      (field) => `${field}: means nothing for a Gateway ("a"): it belongs to the Service that calls go to; target that`,
    ),
  ],
  [
    `${web}\nhedging: {atPercentile: 10, maxAttempts: 1}`,
    [
      'hedging.atPercentile: expected a number from 50 to 99.9, got 10',
      'hedging.maxAttempts: expected a whole number from 2 to 5, got 1',
    ],
  ],
  [
    `${web}\nhedging: {atPercentile: 99, after: 1s}`,
    ['hedging.after: a fixed wait and atPercentile exclude each other; remove one of the two'],
  ],
  [
    `${web}\nadaptiveConcurrency: {minConcurrency: 10, maxConcurrency: 5}`,
    ['adaptiveConcurrency.maxConcurrency: must not be less than minConcurrency (10)'],
  ],
  [
    `${web}\nfaults: {delay: {duration: 1s, percent: 0.00001}, abort: {httpStatus: 503, grpcStatus: UNAVAILABEL}}`,
    [
      'faults.delay.percent: expected a number from 0 to 100 with at most 4 decimals, got 0.00001',
      'faults.abort.grpcStatus: expected one of "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED", got "UNAVAILABEL" (did you mean "UNAVAILABLE"?)',
    ],
  ],
  [
    `${web}\nfaults: {abort: {httpStatus: 503, grpcStatus: 14}}`,
    ['faults.abort: expected one of httpStatus and grpcStatus'],
  ],
  [`${web}\ntimeouts: {request: 2s, stream: 1s}`, ['timeouts.request: must not be longer than stream (1s)']],
  [`${web}\ntimeouts: {perTry: 2s, stream: 1s}`, ['timeouts.perTry: must not be longer than stream (1s)']],
  [
    `${web}\nfaults: {bandwidth: {rate: 100, percent: 101}}`,
    [
      'faults.bandwidth.rate: expected a rate in whole KiB, MiB or GiB a second such as "64KiB/s" or "2MiB/s", got 100',
      'faults.bandwidth.percent: expected a number from 0 to 100 with at most 4 decimals, got 101',
    ],
  ],
  [`${web}\nfaults: {abort: {percent: 3}}`, ['faults.abort: expected one of httpStatus and grpcStatus']],
  [
    `${web}\nfaults: {headers: [{name: a, value: b}]}`,
    ['faults: expected delay, abort or bandwidth, or several of them'],
  ],
  [web, [': only targetRefs is given: the policy says nothing']],
  [
    'targetRefs: [{kind: Pod, name: a}, {group: apps, kind: Service, name: a}, {kind: Service, name: a, namespace: b}]\npanicThreshold: 1',
    [
      'targetRefs[0].kind: expected one of GRPCRoute, HTTPRoute, Service, ExternalService, Gateway, Namespace, MeshConfig, got "Pod"',
      'targetRefs[1].group: a Service is of group "", got "apps"',
      'targetRefs[2].namespace: a policy is for its own namespace only; write it there, and remove this',
    ],
  ],
  [
    'targetRefs: [{kind: Namespace, name: a, sectionName: b}, {kind: MeshConfig, name: other}]\npanicThreshold: 1',
    [
      'targetRefs[0].sectionName: a Namespace has no sections; remove this',
      'targetRefs[1].name: there is one MeshConfig, called "default", got "other"',
    ],
  ],
  [
    'targetRefs: [{kind: Service, name: a}, {kind: Service, name: a}]\npanicThreshold: 1',
    ['targetRefs[1]: is there twice'],
  ],
  [
    'targetRefs: [{kind: HTTPRoute, name: r}]\nloadBalancing: {}\noutlierDetection: false\nretries: {budget: {}}',
    ['loadBalancing', 'outlierDetection', 'retries.budget'].map(
      (field) => `${field}: means nothing for a route ("r"): it belongs to the Service that calls go to; target that`,
    ),
  ],
  [
    `${web}\nconnectionLimits: {maxRetries: 1}\nretries: {budget: {percent: 5}}`,
    ['connectionLimits.maxRetries: a fixed number and retries.budget exclude each other; remove one of the two'],
  ],
  [
    `${web}\ntimeouts: {request: 1s, perTry: 2s}\nretries: {backoff: {base: 1s, max: 10ms}}\noutlierDetection: {baseEjectionTime: 1m, maxEjectionTime: 1s}`,
    [
      'outlierDetection.maxEjectionTime: must not be shorter than baseEjectionTime (1m)',
      'timeouts.perTry: must not be longer than request (1s)',
      'retries.backoff.max: must not be shorter than base (1s)',
    ],
  ],
  [
    `${web}\nconnectionLimits: {}\noutlierDetection: true\nconnection: {connectTimeout: 0s}`,
    [
      'connectionLimits: says nothing; give at least one field, or remove it',
      'outlierDetection: expected an object, got true',
      'connection.connectTimeout: must be longer than 0',
    ],
  ],
  [
    `${web}\noutlierDetection: {consecutiveLocalOriginFailures: 3, successRate: {stdevFactor: 0}, failurePercentage: {threshold: 101}}`,
    [
      'outlierDetection.successRate.stdevFactor: expected a number above 0, at most 100, got 0',
      'outlierDetection.failurePercentage.threshold: expected a whole number from 0 to 100, got 101',
    ],
  ],
  [
    `${web}\noutlierDetection: {consecutiveLocalOriginFailures: 3}\nconnection: {maxAgeJitterPercent: 5, tcpKeepalive: {idleTime: 1500ms}}`,
    [
      'outlierDetection.consecutiveLocalOriginFailures: means nothing without splitExternalLocalOriginErrors: true',
      'connection.tcpKeepalive.idleTime: must be whole seconds',
    ],
  ],
  [`${web}\nconnection: {maxAgeJitterPercent: 5}`, ['connection.maxAgeJitterPercent: means nothing without maxAge']],
  [
    `${web}\nloadBalancing: {algorithm: Maglev, tableSize: 100, choices: 3}`,
    [
      'loadBalancing.choices: means nothing for Maglev; remove it',
      'loadBalancing.hashOn: Maglev needs to know by what calls are told apart',
      'loadBalancing.tableSize: expected a prime number, such as 65537, got 100',
    ],
  ],
  [
    `${web}\nloadBalancing: {algorithm: RingHash, hashOn: [{}, {header: a, source: IP}, {cookie: {name: "a;b"}}]}\nslowStart: {window: 0s}`,
    [
      'loadBalancing.hashOn[0]: give exactly one of cookie, header, queryParameter, source',
      'loadBalancing.hashOn[1]: give exactly one of cookie, header, queryParameter, source',
      'loadBalancing.hashOn[2].cookie.name: expected the name of a cookie, got "a;b"',
      'slowStart.window: must be longer than 0',
    ],
  ],
  [
    `${web}\nloadBalancing: {algorithm: Random}\nslowStart: {window: 30s}`,
    ['slowStart: means nothing for Random; remove it'],
  ],
  [
    `${web}\nlocality: {prefer: Rack, minHealthyPercent: 0}`,
    [
      'locality.prefer: expected one of "Region", "Zone", "SubZone", got "Rack"',
      'locality.minHealthyPercent: expected a whole number from 1 to 100, got 0',
    ],
  ],
  [
    `${web}\nfailover: {backendRef: {name: spare}}\ntimeouts: {idle: 6m}`,
    [
      'failover.backendRef.port: expected a whole number from 1 to 65535, got nothing',
      "timeouts.idle: must not be longer than 5m: the callee's sidecar ends a silent call then",
    ],
  ],
  [`${web}\nhealthChecks: {interval: 1s}`, ['healthChecks: give exactly one of http, grpc, tcp']],
  [
    `${web}\nhealthChecks: {http: {path: ready, host: '*', expectedStatuses: [600, 299-200]}, grpc: {service: 'a b'}, tcp: {send: x}, timeout: 5s}`,
    [
      'healthChecks.http.path: expected a path that begins with "/", got "ready"',
      'healthChecks.http.host: expected a host such as "shop.example", got "*"',
      'healthChecks.http.expectedStatuses[0]: expected a status such as 200, or a range such as "200-299", got 600',
      'healthChecks.http.expectedStatuses[1]: expected a status such as 200, or a range such as "200-299", got "299-200"',
      'healthChecks.grpc.service: expected the name of a gRPC service, got "a b"',
      'healthChecks.tcp.send: means nothing without receive: say what must come back',
    ],
  ],
  [
    `${web}\nhealthChecks: {tcp: {}, http: {}, timeout: 5s}`,
    [
      'healthChecks: give exactly one of http, grpc, tcp',
      'healthChecks.timeout: must not be longer than interval (3s)',
    ],
  ],
  [
    `${web}\nretries: {on: [5x], attempts: 1}\nloadBalancing: {algorithm: RoundRobbin}`,
    [
      'loadBalancing.algorithm: expected one of "PeakEWMA", "LeastRequest", "RoundRobin", "Random", "RingHash", "Maglev", got "RoundRobbin" (did you mean "RoundRobin"?)',
      'retries.on[0]: expected one of "connect-failure", "refused-stream", "reset-before-request", "reset", "5xx", "gateway-error", "retriable-4xx", "envoy-ratelimited", "cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable", got "5x" (did you mean "5xx"?)',
    ],
  ],
]
for (const [text, expected] of wrong) test(text, () => assert.deepEqual(problems(text), expected))
