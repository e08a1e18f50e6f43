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
      service: 'unknown_service:weft',
      tellsSdk: true,
      tellsScope: true,
      mostWaiting: 1024,
    },
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
      service: 'shop',
      tellsSdk: true,
      tellsScope: false,
      mostWaiting: 10,
    },
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
    'tracing.provider.typed_config.grpc_service.initial_metadata: is not supported',
    {
      provider: providerOf({ grpc_service: { ...grpc_service, initial_metadata: [{ key: 'a', value: 'b' }] } }),
    },
  ],
  [
    'tracing.provider.typed_config.http_service.http_uri.uri: expected',
    {
      provider: providerOf({ http_service: { http_uri: { uri: 'nowhere', cluster: 'collector', timeout: '1s' } } }),
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
