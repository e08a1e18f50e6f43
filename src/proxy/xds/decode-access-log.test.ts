import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { AccessLogSchema } from '../../xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import type { AccessLog, LogFormat } from '../config.ts'
import { decodeAccessLogs, type LogPlace } from './decode-access-log.ts'
import { knownTypes } from './known-types.ts'
import { refusals } from './refusals.ts'

const types = 'type.googleapis.com/envoy.extensions.access_loggers'
const file = (more: Record<string, JsonValue>): JsonValue => ({
  typed_config: { '@type': `${types}.file.v3.FileAccessLog`, path: '/log', ...more },
})

function decode(logs: readonly JsonValue[], place: LogPlace = 'call') {
  const refused = refusals()
  const messages = logs.map((log) => fromJson(AccessLogSchema, log, { registry: knownTypes }))
  return { value: decodeAccessLogs(messages, place, 'access_log', refused), refused: refused.list }
}

const formatOf = (log: AccessLog | undefined): LogFormat | undefined => (log && 'path' in log ? log.format : undefined)
const format = (more: Record<string, JsonValue>): JsonValue => file({ log_format: more })
const text = (written: string): JsonValue => format({ text_format_source: { inline_string: written } })

test('several logs; without a format our own words', () => {
  assert.equal(decode([]).value, undefined)
  const stream = (name: string): JsonValue => ({ typed_config: { '@type': `${types}.stream.v3.${name}` } })
  assert.deepEqual(decode([file({}), stream('StdoutAccessLog'), stream('StderrAccessLog'), file({ format: '' })]), {
    value: [{ path: '/log' }, { path: '/dev/stdout' }, { path: '/dev/stderr' }, { path: '/log' }],
    refused: [],
  })
})

test('text, however it is given', () => {
  const parts = ['a ', { kind: 'response-code' }, ' é\n']
  const written = 'a %RESPONSE_CODE% é\n'
  for (const log of [
    text(written),
    format({ text_format: written }),
    format({ text_format_source: { inline_bytes: Buffer.from(written).toString('base64') } }),
    file({ format: written }),
  ])
    assert.deepEqual(decode([log]), {
      value: [{ path: '/log', format: { kind: 'text', parts, omitEmpty: false } }],
      refused: [],
    })
})

test('JSON keeps its shape, in the order of its names', () => {
  const { value, refused } = decode([
    format({
      json_format: { b: ['%PROTOCOL%', 1, null], a: { z: 'x', y: true } },
      omit_empty_values: true,
      json_format_options: { sort_properties: true },
    }),
  ])
  assert.deepEqual(refused, [])
  assert.deepEqual(formatOf(value?.[0]), {
    kind: 'json',
    omitEmpty: true,
    fields: [
      [
        'a',
        {
          kind: 'object',
          fields: [
            ['y', { kind: 'constant', value: true }],
            ['z', { kind: 'value', parts: ['x'] }],
          ],
        },
      ],
      [
        'b',
        {
          kind: 'list',
          items: [
            { kind: 'value', parts: [{ kind: 'protocol' }] },
            { kind: 'constant', value: 1 },
            { kind: 'constant', value: null },
          ],
        },
      ],
    ],
  })
  for (const name of ['json_format', 'typed_json_format'])
    assert.equal(formatOf(decode([file({ [name]: { a: '%DURATION%' } })]).value?.[0])?.kind, 'json')
})

const filtered = (filter: JsonValue): JsonValue => ({ ...(file({}) as object), filter })
const comparison = { op: 'GE', value: { default_value: 500, runtime_key: 'a' } }

test('filters', () => {
  const { value, refused } = decode([
    filtered({
      and_filter: {
        filters: [
          { or_filter: { filters: [{ status_code_filter: { comparison } }, { duration_filter: { comparison } }] } },
          { not_health_check_filter: {} },
          { header_filter: { header: { name: 'X-A', string_match: { exact: 'b' } } } },
          { response_flag_filter: { flags: ['UH'] } },
          { grpc_status_filter: { statuses: ['UNAVAILABLE'], exclude: true } },
          { runtime_filter: { runtime_key: 'r', percent_sampled: { numerator: 5, denominator: 'TEN_THOUSAND' } } },
        ],
      },
    }),
  ])
  assert.deepEqual(refused, [])
  assert.deepEqual(value?.[0]?.filter, {
    kind: 'all',
    of: [
      {
        kind: 'any',
        of: [
          { kind: 'status', op: '>=', value: 500 },
          { kind: 'duration', op: '>=', value: 500 },
        ],
      },
      { kind: 'always' },
      {
        kind: 'header',
        match: { name: 'x-a', match: { kind: 'exact', value: 'b', ignoreCase: false }, invert: false },
      },
      { kind: 'flags', oneOf: ['UH'] },
      { kind: 'grpc-status', oneOf: [14], exclude: true },
      { kind: 'share', numerator: 5, denominator: 10_000, independent: false },
    ],
  })
})

const at = String.raw`^access_log\[0\]\.`
const refusedLogs: readonly (readonly [string, JsonValue, string, LogPlace?])[] = [
  ['an unknown command', text('%NOPE%'), String.raw`typed_config\.log_format\.text_format_source: the command %NOPE%`],
  ['metadata', text('%DYNAMIC_METADATA(a:b)%'), 'typed_config.*the command %DYNAMIC_METADATA'],
  [
    'a command deep in JSON',
    format({ json_format: { a: { b: ['%FILTER_STATE(x)%'] } } }),
    String.raw`typed_config\.log_format\.json_format\.a\.b\[0\]: the command %FILTER_STATE\(x\)% is not supported`,
  ],
  ['a time that is none', text('%START_TIME(%Q)%'), 'START_TIME.*%Q is no part of a time'],
  ['an unknown way to write a status', text('%GRPC_STATUS(ROMAN)%'), 'expected CAMEL_STRING, SNAKE_STRING or NUMBER'],
  ['a single %', text('50% off'), 'a single %'],
  ['what a listener does not know', text('%UPSTREAM_HOST%'), 'UPSTREAM_HOST% is not supported', 'listener'],
  ['what a session does not know', text('%UPSTREAM_LOCAL_ADDRESS%'), 'is not supported', 'session'],
  ['other metadata of a session', text('%DYNAMIC_METADATA(udp.proxy.session:errors)%'), 'is not supported', 'session'],
  ['no format in a format', format({ omit_empty_values: true }), 'log_format: expected text_format_source or json_f'],
  [
    'formatters',
    format({ json_format: {}, formatters: [{ name: 'x' }] }),
    String.raw`log_format\.formatters: is not supported`,
  ],
  ['a log without a path', file({ path: '' }), String.raw`typed_config\.path: is empty`],
  ['a log without a type', { name: 'x' }, 'typed_config: x is not supported'],
  ['an empty filter', filtered({}), 'filter: is empty'],
  ['what is traced', filtered({ traceable_filter: {} }), String.raw`filter\.traceable_filter: is not supported`],
  ['kinds of lines', filtered({ log_type_filter: {} }), String.raw`filter\.log_type_filter: is not supported`],
  ['a lonely part', filtered({ or_filter: { filters: [{ not_health_check_filter: {} }] } }), 'at least two, got 1'],
  ['no such flag', filtered({ response_flag_filter: { flags: ['XX'] } }), String.raw`flags\[0\]: XX is no response`],
  ['nothing to compare', filtered({ status_code_filter: {} }), 'comparison: is missing'],
  ['headers of connections', filtered({ header_filter: { header: { name: 'a' } } }), 'have no headers', 'connection'],
]
for (const [title, log, why, place] of refusedLogs)
  test(`refused: ${title}`, () => {
    const { refused } = decode([log], place)
    assert.equal(
      refused.some((one) =>
        new RegExp(at + (why.startsWith('typed') || why.startsWith('filter') ? '' : '.*') + why).test(one),
      ),
      true,
      refused.join('\n'),
    )
  })

test('a session knows its bytes as metadata', () => {
  const { value, refused } = decode([text('%DYNAMIC_METADATA(udp.proxy.session:bytes_sent)%')], 'session')
  assert.deepEqual(refused, [])
  assert.deepEqual(formatOf(value?.[0]), { kind: 'text', parts: [{ kind: 'bytes-sent' }], omitEmpty: false })
})
