// One bootstrap, two proxies, one collector: the same calls make the same spans with Envoy and with ours.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { realEnvoy } from '../../src/base/testing/real-envoy.ts'
import { freePort } from '../world/free-port.ts'
import { startCollector } from '../world/programs/collector.ts'
import { startEnvoy } from './bare-envoy.ts'
import { startOurs } from './bare-proxy.ts'
import { clusterAt, http2Upstream } from './bootstrap-parts.ts'
import { callersSpan, comparable, outcomes, type Outcome } from './compare-spans.ts'
import { askTraced, startProgram, type Asked } from './traced-program.ts'

const { skip } = realEnvoy()
const types = 'type.googleapis.com/envoy'
const to = (prefix: string, more: object = {}, action: object = {}): object => ({
  match: { prefix },
  route: { cluster: 'program', ...action },
  ...more,
})
const routes = [
  to('/decorated', { decorator: { operation: 'checkout' } }),
  to('/kept', { decorator: { operation: 'inside', propagate: false } }),
  to('/never', { tracing: { overall_sampling: { numerator: 0 } } }),
  to('/always', { tracing: { random_sampling: { numerator: 1_000_000, denominator: 'MILLION' } } }),
  to('/tags', {
    tracing: {
      custom_tags: [
        { tag: 'plan', literal: { value: 'of the route' } },
        { tag: 'only', request_header: { name: 'x-only', default_value: 'none' } },
      ],
    },
  }),
  to('/rewritten', {}, { prefix_rewrite: '/other', host_rewrite_literal: 'rewritten.example' }),
  to('/retried', {}, { retry_policy: { retry_on: '5xx', num_retries: 2 } }),
  to('/gone', {}, { cluster: 'nowhere' }),
  to('/slow', {}, { timeout: '0.1s' }),
  to('/tried', {}, { retry_policy: { retry_on: '5xx', num_retries: 1, per_try_timeout: '0.1s' } }),
  to('/empty', {}, { cluster: 'empty' }),
  { match: { path: '/own' }, direct_response: { status: 418, body: { inline_string: 'own' } } },
  { match: { path: '/elsewhere' }, redirect: { host_redirect: 'elsewhere.example' } },
  { match: { path: '/missing-cluster' }, route: { cluster: 'missing' } },
  to('/some'),
  to('/grpc', {}, { cluster: 'grpc' }),
]

interface Ports {
  readonly collector: number
  readonly httpCollector: number
  readonly nobody: number
  readonly program: number
  readonly grpc: number
  readonly listeners: Readonly<Record<string, number>>
}

const provider = (more: object = {}): object => ({
  name: 'envoy.tracers.opentelemetry',
  typed_config: {
    '@type': `${types}.config.trace.v3.OpenTelemetryConfig`,
    grpc_service: { envoy_grpc: { cluster_name: 'collector' }, timeout: '1s' },
    service_name: 'shop',
    ...more,
  },
})
const byHttp = ({ httpCollector }: Ports): object => ({
  grpc_service: undefined,
  http_service: {
    http_uri: { uri: `http://127.0.0.1:${httpCollector}/v1/traces`, cluster: 'collector-http', timeout: '1s' },
    request_headers_to_add: [{ header: { key: 'x-tenant', value: 'one' } }],
  },
})

const routerFilter = {
  name: 'router',
  typed_config: { '@type': `${types}.extensions.filters.http.router.v3.Router` },
}

const requestIds = (more: object): object => ({
  request_id_extension: {
    typed_config: { '@type': `${types}.extensions.request_id.uuid.v3.UuidRequestIdConfig`, ...more },
  },
})

/** By name: its direction, its tracing, and what else its manager says. */
const managers = (
  ports: Ports,
): Readonly<Record<string, readonly [direction: string, tracing: object, more?: object]>> => ({
  inbound: ['INBOUND', { provider: provider() }],
  outbound: [
    'OUTBOUND',
    {
      provider: provider(),
      max_path_tag_length: 12,
      custom_tags: [
        { tag: 'plan', literal: { value: 'gold' } },
        { tag: 'user', request_header: { name: 'X-User' } },
        { tag: 'place', request_header: { name: 'x-place', default_value: 'home' } },
        { tag: 'shell', environment: { name: 'WEFT_TRACING_TEST', default_value: 'unset' } },
        { tag: 'nothing', environment: { name: 'WEFT_TRACING_TEST' } },
      ],
    },
  ],
  upstream: [
    'UNSPECIFIED',
    { provider: provider(), spawn_upstream_span: true, custom_tags: [{ tag: 'plan', literal: { value: 'gold' } }] },
  ],
  'outbound-upstream': ['OUTBOUND', { provider: provider(), spawn_upstream_span: true }],
  rare: [
    'INBOUND',
    { provider: provider(), random_sampling: { value: 0 } },
    { internal_address_config: { cidr_ranges: [{ address_prefix: '10.0.0.0', prefix_len: 8 }] } },
  ],
  'not-for-clients': [
    'INBOUND',
    { provider: provider(), random_sampling: { value: 0 }, client_sampling: { value: 0 } },
  ],
  never: ['INBOUND', { provider: provider(), overall_sampling: { value: 0 } }],
  edge: ['INBOUND', { provider: provider() }, { use_remote_address: true, preserve_external_request_id: true }],
  guarded: [
    'INBOUND',
    { provider: provider() },
    {
      http_filters: [
        {
          name: 'rbac',
          typed_config: {
            '@type': `${types}.extensions.filters.http.rbac.v3.RBAC`,
            rules: {
              action: 'DENY',
              policies: {
                denied: {
                  permissions: [{ header: { name: 'x-denied', string_match: { exact: 'yes' } } }],
                  principals: [{ any: true }],
                },
              },
            },
          },
        },
        routerFilter,
      ],
    },
  ],
  silent: ['INBOUND', { provider: provider(), no_context_propagation: true }],
  'every-id': ['INBOUND', { provider: provider() }, requestIds({ use_request_id_for_trace_sampling: false })],
  'kept-id': ['INBOUND', { provider: provider() }, requestIds({ pack_trace_reason: false })],
  'by-http': ['INBOUND', { provider: provider(byHttp(ports)) }],
})

const bootstrap = (ports: Ports): object => ({
  node: { id: 'me', cluster: 'callers', locality: { zone: 'zone-a' } },
  static_resources: {
    clusters: [
      clusterAt('program', ports.program),
      clusterAt('grpc', ports.grpc, { ...http2Upstream, alt_stat_name: 'greeter' }),
      clusterAt('nowhere', ports.nobody),
      { name: 'empty', load_assignment: { cluster_name: 'empty' } },
      clusterAt('collector', ports.collector, http2Upstream),
      clusterAt('collector-http', ports.httpCollector),
    ],
    listeners: Object.entries(managers(ports)).map(([name, [direction, tracing, more = {}]]) => ({
      name,
      traffic_direction: direction,
      address: { socket_address: { address: '127.0.0.1', port_value: ports.listeners[name] } },
      filter_chains: [
        {
          filters: [
            {
              name: 'http',
              typed_config: {
                '@type': `${types}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
                stat_prefix: name,
                tracing,
                http_filters: [routerFilter],
                route_config: { validate_clusters: false, virtual_hosts: [{ name: 'v', domains: ['*'], routes }] },
                ...more,
              },
            },
          ],
        },
      ],
    })),
  },
})

const parent = callersSpan
const requests: readonly Asked[] = [
  { path: '/some?q=1', headers: { 'user-agent': 'tester', 'x-envoy-downstream-service-cluster': 'front' } },
  { path: '/some', method: 'POST', body: 'twelve bytes' },
  { path: '/some', headers: { traceparent: `${parent}-01`, tracestate: 'a=1,b=2' } },
  { path: '/some', headers: { traceparent: `${parent}-00`, tracestate: 'a=1' }, untraced: true },
  { path: '/some', headers: { traceparent: `${parent}-03` } },
  { path: '/some', headers: { traceparent: 'nonsense' }, untraced: true },
  {
    path: '/some',
    headers: { traceparent: '00-00000000000000000000000000000000-b7ad6b7169203331-01' },
    untraced: true,
  },
  { path: '/some', headers: { traceparent: `ff-${parent.slice(3)}-01` } },
  { path: '/some', headers: { tracestate: 'alone=1' } },
  { path: '/status/500', status: 404 },
  { path: '/some/500', status: 500 },
  { path: '/some/404', status: 404 },
  { path: '/gone', status: 503 },
  { path: '/own', status: 418 },
  { path: '/elsewhere', status: 301 },
  { path: '/missing-cluster', status: 503 },
  { path: '/decorated' },
  { path: '/decorated', headers: { 'x-envoy-decorator-operation': 'of-the-caller' } },
  { path: '/kept' },
  { path: '/kept/decorates' },
  { path: '/never', untraced: true },
  { path: '/tags', headers: { 'x-only': 'yes' } },
  { path: '/tags' },
  { path: '/rewritten/path' },
  { path: '/some', headers: { 'x-client-trace-id': 'client-7' } },
  { path: '/some', headers: { 'x-request-id': 'not-a-uuid' }, untraced: true },
  { path: '/some', headers: { 'x-request-id': 'f000002b-0000-4000-8000-000000000000' } },
  { to: 'outbound', path: '/some/long/path?with=query', headers: { 'x-user': 'ann' } },
  { to: 'outbound', path: '/tags' },
  { to: 'outbound', path: '/decorated' },
  { to: 'outbound', path: '/kept' },
  { to: 'outbound', path: '/some/decorates' },
  { to: 'outbound', path: '/decorated', headers: { 'x-envoy-decorator-operation': 'of-the-caller' } },
  { to: 'upstream', path: '/some' },
  { to: 'upstream', path: '/some', headers: { traceparent: `${parent}-01` } },
  { to: 'upstream', path: '/retried/500', status: 500 },
  { to: 'upstream', path: '/gone', status: 503 },
  { to: 'upstream', path: '/own', status: 418 },
  { to: 'upstream', path: '/decorated' },
  { to: 'outbound-upstream', path: '/some' },
  { to: 'rare', path: '/some', untraced: true },
  { to: 'rare', path: '/always' },
  { to: 'rare', path: '/some', headers: { traceparent: `${parent}-01` }, untraced: true },
  { to: 'rare', path: '/some', headers: { 'x-client-trace-id': 'client-7' } },
  { to: 'rare', path: '/some', headers: { 'x-envoy-force-trace': 'true' }, untraced: true },
  { to: 'rare', path: '/some', headers: { 'x-envoy-force-trace': 'true', 'x-forwarded-for': '10.1.2.3' } },
  { to: 'rare', path: '/some', headers: { 'x-request-id': 'f000002a-0000-9000-8000-000000000000' } },
  { to: 'not-for-clients', path: '/some', headers: { 'x-client-trace-id': 'client-7' }, untraced: true },
  { to: 'never', path: '/some', untraced: true },
  {
    to: 'edge',
    path: '/some',
    headers: { 'x-envoy-downstream-service-cluster': 'front', 'x-envoy-decorator-operation': 'x' },
  },
  { to: 'by-http', path: '/some' },
  { to: 'silent', path: '/some', headers: { traceparent: `${parent}-01`, tracestate: 'a=1' } },
  { to: 'silent', path: '/some' },
  { to: 'every-id', path: '/some', headers: { 'x-request-id': 'f000002c-0000-4000-8000-000000000000' } },
  { to: 'kept-id', path: '/some' },
  { path: '/some/grpc/13' },
  ...['inbound', 'upstream'].flatMap((to) => [
    { to, path: '/grpc/0', method: 'POST', h2: true as const, headers: { 'content-type': 'application/grpc' } },
    { to, path: '/grpc/13', method: 'POST', h2: true as const, headers: { 'content-type': 'application/grpc+proto' } },
  ]),
  { to: 'upstream', path: '/some/reset', status: 503 },
  { to: 'upstream', path: '/slow', status: 504 },
  { to: 'upstream', path: '/tried/slow', status: 504 },
  { path: '/slow', status: 504 },
  { to: 'upstream', path: '/empty', status: 503 },
  // Its name is not told to who is refused: our refusals have no word of a route.
  { to: 'guarded', path: '/kept', headers: { 'x-denied': 'yes' }, status: 403 },
  { to: 'guarded', path: '/tags', headers: { 'x-denied': 'yes', traceparent: `${parent}-01` }, status: 403 },
  { to: 'guarded', path: '/never', headers: { 'x-denied': 'yes' }, status: 403, untraced: true },
  { to: 'guarded', path: '/decorated' },
  { to: 'outbound', path: '/some/404', status: 404 },
  { to: 'upstream', path: '/some/404', status: 404 },
  ...Array.from({ length: 17 }, (_, status) =>
    ['inbound', 'outbound', 'upstream'].map((to) => ({
      to,
      path: `/some/grpc/${status}`,
      headers: { 'content-type': 'application/grpc', 'grpc-timeout': '5S' },
    })),
  ).flat(),
]

test('spans: the same calls make the same ones as with Envoy', { skip }, async (t) => {
  const program = await startProgram()
  t.after(() => program.stop())
  const results = await Promise.all(
    [startEnvoy, startOurs].map(async (start) => {
      const collector = await startCollector()
      t.after(() => collector.stop())
      const listeners: Record<string, number> = {}
      const ports = {
        collector: collector.port,
        httpCollector: collector.httpPort,
        nobody: 1,
        program: program.port,
        grpc: program.grpcPort,
        listeners,
      }
      for (const name of Object.keys(managers(ports))) listeners[name] = await freePort()
      await start(t, bootstrap(ports), () => askTraced(listeners['never'] ?? 0, { path: '/some' }, 'ready'))
      return {
        outcomes: await outcomes({ who: start.name, requests }, listeners, program, collector),
        exports: collector.exports,
      }
    }),
  )
  const [theirs, ours] = results
  assert.ok(theirs && ours)
  for (const [index, one] of theirs.outcomes.entries()) {
    const what = JSON.stringify(one.asked)
    assert.equal(one.spans.length > 0, one.asked.untraced !== true, `Envoy makes other spans than expected: ${what}`)
    const own: Outcome | undefined = ours.outcomes[index]
    assert.deepEqual(own && comparable(own), comparable(one), what)
  }
  for (const { exports } of results) {
    const byHttp = exports.find((one) => one[':path'] !== undefined)
    assert.deepEqual(
      [byHttp?.[':path'], byHttp?.['x-tenant'], byHttp?.['content-type']],
      ['/v1/traces', 'one', 'application/x-protobuf'],
    )
  }
})
