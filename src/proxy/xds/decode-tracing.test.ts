import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Route, Tracing } from '../config.ts'
import { decodeBootstrap } from './decode-bootstrap.ts'

const types = 'type.googleapis.com/envoy'
const grpc_service = { envoy_grpc: { cluster_name: 'collector' } }
const providerOf = (config: object): object => ({
  name: 'envoy.tracers.opentelemetry',
  typed_config: { '@type': `${types}.config.trace.v3.OpenTelemetryConfig`, ...config },
})
const provider = providerOf({ grpc_service })

const decoded = (tracing: object, route: object = {}, manager: object = {}, listener: object = {}) =>
  decodeBootstrap(
    {
      static_resources: {
        clusters: [{ name: 'collector' }, { name: 'a' }],
        listeners: [
          {
            name: 'l',
            address: { socket_address: { address: '127.0.0.1', port_value: 80 } },
            ...listener,
            filter_chains: [
              {
                filters: [
                  {
                    name: 'http',
                    typed_config: {
                      '@type': `${types}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
                      stat_prefix: 's',
                      http_filters: [
                        {
                          name: 'router',
                          typed_config: { '@type': `${types}.extensions.filters.http.router.v3.Router` },
                        },
                      ],
                      route_config: {
                        virtual_hosts: [
                          {
                            name: 'v',
                            domains: ['*'],
                            routes: [{ match: { prefix: '/' }, route: { cluster: 'a' }, ...route }],
                          },
                        ],
                      },
                      tracing,
                      ...manager,
                    },
                  },
                ],
              },
            ],
          },
        ],
      },
    },
    { readFile: () => 'no files here', env: {} },
  )

function taken(...args: Parameters<typeof decoded>): { tracing: Tracing | undefined; route: Route | undefined } {
  const result = decoded(...args)
  assert.ok('value' in result, JSON.stringify(result))
  const terminal = result.value.given.LDS.get('l')?.filterChains[0]?.terminal
  assert.ok(terminal?.kind === 'http' && 'inline' in terminal.routes)
  return { tracing: terminal.tracing, route: terminal.routes.inline.virtualHosts[0]?.routes[0] }
}

const shareOf = (numerator: number, denominator = 10_000) => ({ numerator, denominator })

test('tracing: what is not said is as Envoy has it', () => {
  const { tracing, route } = taken({ provider })
  assert.deepEqual(tracing, {
    exporter: {
      cluster: 'collector',
      protocol: 'grpc',
      authority: 'collector',
      path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
      timeoutMs: 10_000,
      headers: [],
      format: { kind: 'otlp', service: 'unknown_service:weft', tellsSdk: true, tellsScope: true },
      mostWaiting: 1024,
    },
    tracer: { kind: 'opentelemetry' },
    sampling: { client: shareOf(100, 100), random: shareOf(10_000), overall: shareOf(10_000) },
    tags: [],
    maxPathLength: 256,
    attempts: false,
    silent: false,
    egress: false,
    requestIds: { packed: true, decide: true },
  })
  assert.equal(route?.spans, undefined)
})

test('tracing: what is said', () => {
  const http_service = {
    http_uri: { uri: 'http://collector.example:4318/v1/traces?a=b', cluster: 'collector', timeout: '2s' },
    request_headers_to_add: [{ header: { key: 'X-Tenant', value: 'one' } }],
  }
  const config = { http_service, service_name: 'shop', max_cache_size: 10, set_instrumentation_scope: false }
  const { tracing } = taken(
    {
      provider: providerOf(config),
      client_sampling: { value: 50 },
      random_sampling: { value: 0.126 },
      overall_sampling: { value: 99.99 },
      max_path_tag_length: 64,
      spawn_upstream_span: true,
      no_context_propagation: true,
      custom_tags: [
        { tag: 'plan', literal: { value: 'gold' } },
        { tag: 'shell', environment: { name: 'NO_SUCH_VARIABLE', default_value: 'none' } },
        { tag: 'user', request_header: { name: 'X-User', default_value: 'nobody' } },
      ],
    },
    {},
    {
      request_id_extension: {
        typed_config: {
          '@type': `${types}.extensions.request_id.uuid.v3.UuidRequestIdConfig`,
          pack_trace_reason: false,
          use_request_id_for_trace_sampling: false,
        },
      },
    },
    { traffic_direction: 'OUTBOUND' },
  )
  assert.deepEqual(tracing, {
    exporter: {
      cluster: 'collector',
      protocol: 'http',
      authority: 'collector.example:4318',
      path: '/v1/traces?a=b',
      timeoutMs: 2000,
      headers: [['x-tenant', 'one']],
      format: { kind: 'otlp', service: 'shop', tellsSdk: true, tellsScope: false },
      mostWaiting: 10,
    },
    tracer: { kind: 'opentelemetry' },
    sampling: { client: shareOf(50, 100), random: shareOf(13), overall: shareOf(9999) },
    tags: [
      { tag: 'plan', kind: 'constant', value: 'gold' },
      { tag: 'shell', kind: 'constant', value: 'none' },
      { tag: 'user', kind: 'request-header', name: 'x-user', otherwise: 'nobody' },
    ],
    maxPathLength: 64,
    attempts: true,
    silent: true,
    egress: true,
    requestIds: { packed: false, decide: false },
  })
})

test('a route has a word in spans', () => {
  const { route } = taken(
    { provider },
    {
      decorator: { operation: 'checkout', propagate: false },
      tracing: {
        random_sampling: { numerator: 5, denominator: 'MILLION' },
        custom_tags: [{ tag: 'a', literal: { value: 'b' } }],
      },
    },
  )
  assert.deepEqual(route?.spans, {
    sampling: { client: shareOf(100, 100), random: shareOf(5, 1_000_000), overall: shareOf(100, 100) },
    tags: [{ tag: 'a', kind: 'constant', value: 'b' }],
    operation: 'checkout',
    tellsOperation: false,
  })
})

const zipkinOf = (config: object): object => ({
  name: 'envoy.tracers.zipkin',
  typed_config: { '@type': `${types}.config.trace.v3.ZipkinConfig`, ...config },
})
const zipkin = {
  collector_cluster: 'collector',
  collector_endpoint: '/api/v2/spans',
  collector_endpoint_version: 'HTTP_JSON',
}

test('zipkin: what is not said is as Envoy has it', () => {
  const { tracing } = taken({ provider: zipkinOf(zipkin) })
  assert.deepEqual(tracing?.tracer, {
    kind: 'zipkin',
    wideIds: false,
    sharesSpans: true,
    alwaysServer: false,
    alsoW3c: false,
  })
  assert.deepEqual(tracing?.exporter, {
    cluster: 'collector',
    protocol: 'http',
    authority: 'collector',
    path: '/api/v2/spans',
    timeoutMs: 5000,
    headers: [],
    format: { kind: 'zipkin', encoding: 'json', sharesSpans: true },
    mostWaiting: 1024,
  })
})

test('zipkin: what is said', () => {
  const { tracing } = taken({
    provider: zipkinOf({
      ...zipkin,
      collector_hostname: 'zipkin.example:9411',
      collector_endpoint_version: 'HTTP_PROTO',
      trace_id_128bit: true,
      shared_span_context: false,
      split_spans_for_request: true,
      trace_context_option: 'USE_B3_WITH_W3C_PROPAGATION',
    }),
  })
  assert.deepEqual(tracing?.tracer, {
    kind: 'zipkin',
    wideIds: true,
    sharesSpans: false,
    alwaysServer: true,
    alsoW3c: true,
  })
  assert.equal(tracing?.exporter.authority, 'zipkin.example:9411')
  assert.deepEqual(tracing?.exporter.format, { kind: 'zipkin', encoding: 'protobuf', sharesSpans: false })
})

test('zipkin: a service counts before the older fields, and its URI may be a path alone', () => {
  const exporterOf = (uri: string) =>
    taken({
      provider: zipkinOf({
        ...zipkin,
        collector_cluster: 'a',
        collector_service: {
          http_uri: { uri, cluster: 'collector', timeout: '2s' },
          request_headers_to_add: [{ header: { key: 'X-Tenant', value: 'one' } }],
        },
      }),
    }).tracing?.exporter
  const { cluster, authority, path, timeoutMs, headers } = exporterOf('https://zipkin.example/api?a=b') ?? {}
  assert.deepEqual(
    [cluster, authority, path, timeoutMs, headers],
    ['collector', 'zipkin.example', '/api?a=b', 2000, [['x-tenant', 'one']]],
  )
  const alone = exporterOf('/api/v2/spans')
  assert.deepEqual([alone?.authority, alone?.path], ['collector', '/api/v2/spans'])
})

const refused: readonly (readonly [path: string, tracing: object, route?: object])[] = [
  ['tracing.provider: is missing', {}],
  ['tracing.verbose: is not supported', { provider, verbose: true }],
  ['tracing.operation: is not supported', { provider, operation: '%REQ(:path)%' }],
  [
    'tracing.provider.typed_config: type.googleapis.com/envoy.config.core.v3.HttpUri is not supported',
    {
      provider: { name: 'z', typed_config: { '@type': `${types}.config.core.v3.HttpUri`, uri: 'x' } },
    },
  ],
  ['tracing.provider.typed_config: expected grpc_service', { provider: providerOf({}) }],
  [
    'tracing.provider.typed_config.sampler: is not supported',
    { provider: providerOf({ grpc_service, sampler: { name: 's' } }) },
  ],
  [
    'tracing.provider.typed_config.resource_detectors: is not supported',
    {
      provider: providerOf({ grpc_service, resource_detectors: [{ name: 's' }] }),
    },
  ],
  [
    'tracing.provider.typed_config.grpc_service.envoy_grpc: expected cluster_name',
    {
      provider: providerOf({ grpc_service: { google_grpc: { target_uri: 'x' } } }),
    },
  ],
  [
    'tracing.provider.typed_config.grpc_service.initial_metadata[0].value: expected a text of ASCII',
    {
      provider: providerOf({ grpc_service: { ...grpc_service, initial_metadata: [{ key: 'a', value: '%REQ(b)%' }] } }),
    },
  ],
  [
    'tracing.provider.typed_config.grpc_service.retry_policy: is not supported',
    {
      provider: providerOf({ grpc_service: { ...grpc_service, retry_policy: { num_retries: 1 } } }),
    },
  ],
  [
    'tracing.provider.typed_config.http_service.http_uri.uri: expected',
    {
      provider: providerOf({ http_service: { http_uri: { uri: 'nowhere', cluster: 'collector', timeout: '1s' } } }),
    },
  ],
  [
    'tracing.provider.typed_config: expected collector_cluster',
    { provider: zipkinOf({ ...zipkin, collector_cluster: '' }) },
  ],
  [
    'tracing.provider.typed_config.collector_endpoint: expected a path',
    { provider: zipkinOf({ ...zipkin, collector_endpoint: '' }) },
  ],
  [
    'tracing.provider.typed_config.collector_hostname: is no host name',
    { provider: zipkinOf({ ...zipkin, collector_hostname: 'a b' }) },
  ],
  [
    'tracing.provider.typed_config.collector_endpoint_version: expected HTTP_JSON or HTTP_PROTO',
    { provider: zipkinOf({ ...zipkin, collector_endpoint_version: 'GRPC' }) },
  ],
  [
    'tracing.provider.typed_config.collector_endpoint_version: expected HTTP_JSON or HTTP_PROTO',
    { provider: zipkinOf({ collector_cluster: 'collector', collector_endpoint: '/' }) },
  ],
  [
    'tracing.provider.typed_config.trace_context_option: expected USE_B3',
    { provider: zipkinOf({ ...zipkin, trace_context_option: 7 }) },
  ],
  [
    'tracing.provider.typed_config.collector_service.http_uri.uri: expected an http or https URI, or a path',
    {
      provider: zipkinOf({
        collector_service: { http_uri: { uri: 'spans', cluster: 'collector', timeout: '1s' } },
        collector_endpoint_version: 'HTTP_JSON',
      }),
    },
  ],
  [
    'tracing.custom_tags[0].metadata: is not supported',
    {
      provider,
      custom_tags: [
        { tag: 'a', metadata: { kind: { request: {} }, metadata_key: { key: 'k', path: [{ key: 'p' }] } } },
      ],
    },
  ],
  ['tracing.custom_tags[0].value: is not supported', { provider, custom_tags: [{ tag: 'a', value: '%PROTOCOL%' }] }],
  ['tracing.custom_tags[0]: expected literal', { provider, custom_tags: [{ tag: 'a' }] }],
  ['routes[0].tracing.operation: is not supported', { provider }, { tracing: { operation: 'x' } }],
  ['routes[0].decorator.operation: is empty', { provider }, { decorator: {} }],
]
for (const [what, tracing, route] of refused)
  test(`refused of spans: ${what}`, () => {
    const result = decoded(tracing, route)
    assert.ok('problems' in result)
    assert.ok(
      result.problems.some((one) => one.includes(what)),
      JSON.stringify(result.problems),
    )
  })

test('a collector that is not there is named', () => {
  const result = decoded({ provider: providerOf({ grpc_service: { envoy_grpc: { cluster_name: 'elsewhere' } } }) })
  assert.deepEqual('problems' in result && result.problems, [
    'static_resources.listeners (l): tracing names the cluster elsewhere, which is not there',
  ])
})
