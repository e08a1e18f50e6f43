import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromJson, type JsonObject, type JsonValue } from '@bufbuild/protobuf'
import { AccessLogSchema } from '../../xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import type { AccessLog, LogServer } from '../config.ts'
import { decodeAccessLogs, type LogPlace } from './decode-access-log.ts'
import { knownTypes } from './known-types.ts'
import { refusals } from './refusals.ts'

const types = 'type.googleapis.com/envoy.extensions.access_loggers'
const grpc_service = { envoy_grpc: { cluster_name: 'logs' } }
const common = (more: JsonObject = {}): JsonObject => ({
  log_name: 'calls',
  grpc_service,
  transport_api_version: 'V3',
  ...more,
})
const httpLog = (more: JsonObject = {}, config: JsonObject = common()): JsonValue => ({
  typed_config: { '@type': `${types}.grpc.v3.HttpGrpcAccessLogConfig`, common_config: config, ...more },
})
const tcpLog = (config: JsonObject = common()): JsonValue => ({
  typed_config: { '@type': `${types}.grpc.v3.TcpGrpcAccessLogConfig`, common_config: config },
})
const otlpLog = (more: JsonObject = { grpc_service }): JsonValue => ({
  typed_config: { '@type': `${types}.open_telemetry.v3.OpenTelemetryAccessLogConfig`, ...more },
})

function decode(log: JsonValue, place: LogPlace = 'call') {
  const refused = refusals()
  const message = fromJson(AccessLogSchema, log, { registry: knownTypes })
  return { value: decodeAccessLogs([message], place, 'access_log', refused)?.[0], refused: refused.list }
}

const collector = {
  cluster: 'logs',
  protocol: 'grpc',
  authority: 'logs',
  path: '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs',
  timeoutMs: 10_000,
  headers: [],
} as const

test("a log for Envoy's own service, with what is usual", () => {
  const server = { kind: 'stream', name: 'calls', collector, batchBytes: 16_384, flushMs: 1000 } as const
  const nothing = { requestHeaders: [], responseHeaders: [], responseTrailers: [], tags: [] }
  assert.deepEqual(decode(httpLog()), {
    value: { server: { ...server, entries: 'http' }, entry: { kind: 'http', ...nothing } },
    refused: [],
  })
  for (const place of ['call', 'connection', 'listener'] as const)
    assert.deepEqual(decode(tcpLog(), place), {
      value: { server: { ...server, entries: 'tcp' }, entry: { kind: 'tcp', tags: [] } },
      refused: [],
    })
})

test('all that can be said of one', () => {
  const { value, refused } = decode(
    httpLog(
      {
        additional_request_headers_to_log: ['X-User', ':method'],
        additional_response_headers_to_log: ['X-Reply'],
        additional_response_trailers_to_log: ['grpc-status'],
      },
      common({
        grpc_service: {
          envoy_grpc: { cluster_name: 'logs', authority: 'logs.example' },
          timeout: '2s',
          initial_metadata: [{ key: 'X-Tenant', value: 'one' }],
        },
        buffer_flush_interval: '0.25s',
        buffer_size_bytes: 0,
        grpc_stream_retry_policy: { num_retries: 4, retry_back_off: { base_interval: '0.5s' } },
        custom_tags: [{ tag: 'plan', literal: { value: 'gold' } }],
      }),
    ),
  )
  assert.deepEqual(refused, [])
  const expected: AccessLog = {
    server: {
      kind: 'stream',
      entries: 'http',
      collector: { ...collector, authority: 'logs.example', timeoutMs: 2000, headers: [['x-tenant', 'one']] },
      name: 'calls',
      batchBytes: 0,
      flushMs: 250,
      opening: { attempts: 5, baseMs: 500, maxMs: 5000 },
    },
    entry: {
      kind: 'http',
      requestHeaders: ['x-user', ':method'],
      responseHeaders: ['x-reply'],
      responseTrailers: ['grpc-status'],
      tags: [{ tag: 'plan', kind: 'constant', value: 'gold' }],
    },
  }
  assert.deepEqual(value, expected)
})

const text = (string_value: string): JsonObject => ({ string_value })

test('a log of OTLP: its service in three ways, its values in all forms', () => {
  const server = (value: AccessLog | undefined): LogServer | undefined =>
    value && 'server' in value ? value.server : undefined
  const path = '/opentelemetry.proto.collector.logs.v1.LogsService/Export'
  const plain = {
    kind: 'otlp',
    collector: { ...collector, path },
    name: '',
    batchBytes: 16_384,
    flushMs: 1000,
    tellsNode: true,
    resource: [],
  }
  assert.deepEqual(decode(otlpLog()), {
    value: { server: plain, entry: { kind: 'otlp', attributes: [], tags: [] } },
    refused: [],
  })
  assert.deepEqual(server(decode(otlpLog({ common_config: common() })).value), { ...plain, name: 'calls' })
  const byHttp = decode(
    otlpLog({ http_service: { http_uri: { uri: 'http://logs.example/v1/logs', cluster: 'web', timeout: '1s' } } }),
  )
  assert.deepEqual(byHttp.refused, [])
  assert.deepEqual(server(byHttp.value)?.collector, {
    cluster: 'web',
    protocol: 'http',
    authority: 'logs.example',
    path: '/v1/logs',
    timeoutMs: 1000,
    headers: [],
  })
  const { value, refused } = decode(
    otlpLog({
      grpc_service,
      log_name: 'own',
      disable_builtin_labels: true,
      stat_prefix: 'any',
      buffer_size_bytes: 7,
      buffer_flush_interval: '2s',
      custom_tags: [{ tag: 'plan', literal: { value: 'gold' } }],
      body: { kvlist_value: { values: [{ key: 'list', value: { array_value: { values: [text('%PROTOCOL%')] } } }] } },
      attributes: {
        values: [
          { key: 'b', value: text('x %DURATION%') },
          { key: 'a', value: text('') },
        ],
      },
      resource_attributes: {
        values: [
          { key: 't', value: text('%not a command') },
          { key: 'b', value: { bool_value: true } },
          { key: 'i', value: { int_value: '-3' } },
          { key: 'd', value: { double_value: 1.5 } },
          {
            key: 'l',
            value: { array_value: { values: [{ kvlist_value: { values: [{ key: 'k', value: text('v') }] } }] } },
          },
        ],
      },
    }),
  )
  assert.deepEqual(refused, [])
  assert.deepEqual(value, {
    server: {
      ...plain,
      name: 'own',
      tellsNode: false,
      batchBytes: 7,
      flushMs: 2000,
      resource: [
        ['t', { kind: 'text', value: '%not a command' }],
        ['b', { kind: 'truth', value: true }],
        ['i', { kind: 'whole', value: -3 }],
        ['d', { kind: 'number', value: 1.5 }],
        ['l', { kind: 'list', items: [{ kind: 'object', fields: [['k', { kind: 'text', value: 'v' }]] }] }],
      ],
    },
    entry: {
      kind: 'otlp',
      body: {
        kind: 'object',
        fields: [['list', { kind: 'list', items: [{ kind: 'value', parts: [{ kind: 'protocol' }] }] }]],
      },
      // In the order in which they stand.
      attributes: [
        ['b', { kind: 'value', parts: ['x ', { kind: 'duration' }] }],
        ['a', { kind: 'value', parts: [] }],
      ],
      tags: [{ tag: 'plan', kind: 'constant', value: 'gold' }],
    },
  })
})

const at = 'access_log[0].typed_config'
const refusedLogs: readonly (readonly [problem: string, log: JsonValue, place?: LogPlace])[] = [
  [`${at}.common_config: is missing`, { typed_config: { '@type': `${types}.grpc.v3.TcpGrpcAccessLogConfig` } }],
  [`${at}.common_config.log_name: is empty`, tcpLog({ grpc_service })],
  [`${at}.common_config.grpc_service: is missing`, tcpLog({ log_name: 'a' })],
  [
    `${at}.common_config.grpc_service.envoy_grpc: expected cluster_name`,
    tcpLog(common({ grpc_service: { google_grpc: { target_uri: 'x', stat_prefix: 'x' } } })),
  ],
  [`${at}.common_config.transport_api_version: expected V3`, tcpLog(common({ transport_api_version: 'V2' }))],
  [
    `${at}.common_config.buffer_flush_interval: expected a duration above 0`,
    tcpLog(common({ buffer_flush_interval: '0s' })),
  ],
  [
    `${at}.common_config.filter_state_objects_to_log: is not supported`,
    tcpLog(common({ filter_state_objects_to_log: ['x'] })),
  ],
  [
    `${at}.common_config.custom_tags[0].metadata: is not supported`,
    tcpLog(common({ custom_tags: [{ tag: 'a', metadata: {} }] })),
  ],
  [
    `${at}.common_config.grpc_stream_retry_policy.retry_on: is not supported`,
    tcpLog(common({ grpc_stream_retry_policy: { retry_on: 'x' } })),
  ],
  [
    `${at}.additional_request_headers_to_log[1]: is no header name`,
    httpLog({ additional_request_headers_to_log: ['a', 'b c'] }),
  ],
  [`${at}: is not supported: sessions of datagrams have no entries`, tcpLog(), 'session'],
  [`${at}: expected one of grpc_service, http_service and common_config.grpc_service`, otlpLog({})],
  [
    `${at}: expected one of grpc_service, http_service and common_config.grpc_service`,
    otlpLog({ grpc_service, common_config: common() }),
  ],
  [`${at}.formatters: is not supported`, otlpLog({ grpc_service, formatters: [{ name: 'x' }] })],
  [`${at}.resource_detectors: is not supported`, otlpLog({ grpc_service, resource_detectors: [{ name: 'x' }] })],
  [
    `${at}.filter_state_objects_to_log: is not supported`,
    otlpLog({ grpc_service, filter_state_objects_to_log: ['x'] }),
  ],
  [
    `${at}.common_config.custom_tags: is not supported`,
    otlpLog({ common_config: common({ custom_tags: [{ tag: 'a', literal: { value: 'b' } }] }) }),
  ],
  [`${at}.body: expected string_value, kvlist_value or array_value`, otlpLog({ grpc_service, body: { int_value: 3 } })],
  [
    `${at}.body.string_value: the command %FILTER_STATE(x)% is not supported`,
    otlpLog({ grpc_service, body: text('%FILTER_STATE(x)%') }),
  ],
  [
    `${at}.attributes.values[0].value.kvlist_value.values[0].value: expected string_value`,
    otlpLog({
      grpc_service,
      attributes: {
        values: [{ key: 'a', value: { kvlist_value: { values: [{ key: 'b', value: { bool_value: true } }] } } }],
      },
    }),
  ],
  [
    `${at}.resource_attributes.values[0].value: expected a text`,
    otlpLog({ grpc_service, resource_attributes: { values: [{ key: 'a', value: { bytes_value: 'AA==' } }] } }),
  ],
]
for (const [problem, log, place] of refusedLogs)
  test(`refused: ${problem}`, () => {
    const { refused } = decode(log, place)
    assert.ok(
      refused.some((one) => one.startsWith(problem)),
      refused.join('\n'),
    )
  })
