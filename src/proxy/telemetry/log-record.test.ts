import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromBinary, toJson, type JsonObject } from '@bufbuild/protobuf'
import { ResourceLogsSchema, ScopeLogsSchema } from '../../xds/gen/opentelemetry/proto/logs/v1/logs_pb.ts'
import type { Known } from '../format/known.ts'
import { makeCall } from '../http/testing/fake-call.ts'
import { compileRecord, encodeResource } from './log-record.ts'

const call = makeCall({ path: '/x', headers: { 'x-user': 'ann' } })
const known: Known = {
  peer: call.peer,
  call,
  trace: {},
  end: {
    beganMs: 1_700_000_000_000.5,
    endedMs: 0,
    durationMs: 20.7,
    status: 404,
    fault: undefined,
    flags: [],
    bytesReceived: 0,
    bytesSent: 0,
    attempts: 0,
    logType: 'DownstreamEnd',
  },
}

const read = (entry: Omit<Parameters<typeof compileRecord>[0], 'kind'>, of: Known = known): unknown =>
  (toJson(ScopeLogsSchema, fromBinary(ScopeLogsSchema, compileRecord({ kind: 'otlp', ...entry })(of))) as JsonObject)[
    'logRecords'
  ]

test('a record: body and attributes in all forms, always as texts; tags behind them', () => {
  const record = read({
    body: {
      kind: 'object',
      fields: [
        ['code', { kind: 'value', parts: [{ kind: 'response-code' }] }],
        [
          'list',
          {
            kind: 'list',
            items: [
              { kind: 'value', parts: ['took ', { kind: 'duration' }] },
              { kind: 'value', parts: [{ kind: 'request-header', names: ['x-gone'] }] },
            ],
          },
        ],
      ],
    },
    attributes: [
      ['path', { kind: 'value', parts: [{ kind: 'request-header', names: [':path'] }] }],
      ['empty', { kind: 'value', parts: [] }],
    ],
    tags: [
      { tag: 'plan', kind: 'constant', value: 'gold' },
      { tag: 'user', kind: 'request-header', name: 'x-user', otherwise: '' },
    ],
  })
  const text = (stringValue: string) => ({ stringValue })
  assert.deepEqual(record, [
    {
      timeUnixNano: '1700000000000500000',
      body: {
        kvlistValue: {
          values: [
            { key: 'code', value: text('404') },
            { key: 'list', value: { arrayValue: { values: [text('took 20'), text('-')] } } },
          ],
        },
      },
      attributes: [
        { key: 'path', value: text('/x') },
        { key: 'empty', value: text('') },
        { key: 'plan', value: text('gold') },
        { key: 'user', value: text('ann') },
      ],
    },
  ])
  assert.deepEqual(read({ attributes: [], tags: [] }), [{ timeUnixNano: '1700000000000500000' }])
})

test('the span that a call has', () => {
  const ids = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }
  // Cast: as much of a span as a record tells.
  const trace = { span: { ids } } as unknown as Known['trace']
  const [record] = read({ attributes: [], tags: [] }, { ...known, trace }) as [Record<string, string>]
  assert.equal(Buffer.from(record['traceId'] ?? '', 'base64').toString('hex'), ids.traceId)
  assert.equal(Buffer.from(record['spanId'] ?? '', 'base64').toString('hex'), ids.spanId)
})

test('a resource: the last word on a name counts, in the place of the first', () => {
  const encoded = encodeResource([
    ['zone_name', { kind: 'text', value: 'a' }],
    ['n', { kind: 'whole', value: -3 }],
    ['zone_name', { kind: 'text', value: 'own' }],
    ['b', { kind: 'truth', value: true }],
    ['d', { kind: 'number', value: 1.5 }],
    ['l', { kind: 'list', items: [{ kind: 'object', fields: [['k', { kind: 'text', value: 'v' }]] }] }],
  ])
  assert.deepEqual(toJson(ResourceLogsSchema, fromBinary(ResourceLogsSchema, encoded)), {
    resource: {
      attributes: [
        { key: 'zone_name', value: { stringValue: 'own' } },
        { key: 'n', value: { intValue: '-3' } },
        { key: 'b', value: { boolValue: true } },
        { key: 'd', value: { doubleValue: 1.5 } },
        {
          key: 'l',
          value: {
            arrayValue: { values: [{ kvlistValue: { values: [{ key: 'k', value: { stringValue: 'v' } }] } }] },
          },
        },
      ],
    },
  })
})
