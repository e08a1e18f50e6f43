import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { seeded } from '../../base/random.ts'
import type { AccessLog, LogFilter, ValuePart } from '../config.ts'
import { bytesBody } from '../http/body.ts'
import { headerField } from '../http/headers.ts'
import type { Outcome } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { accessLog } from './access-log.ts'
import { tellConnection } from './connection-log.ts'
import { createLogs, type Logs } from './logs.ts'

const text = (parts: readonly ValuePart[]): AccessLog => ({
  path: 'x',
  format: { kind: 'text', parts: [...parts, '\n'], omitEmpty: false },
})

function made(logs: readonly AccessLog[]): { readonly logs: Logs; readonly lines: string[] } {
  const lines: string[] = []
  const compile = createLogs({
    to: (path) => (line) => void lines.push(`${path}: ${line}`),
    toServer: (server) => (entry) => void lines.push(`${server.name}: ${entry.length > 0}`),
    random: seeded(1),
    headerTest: (match) => (call) => call.headers.some(({ name }) => name === match.name),
  })
  assert.equal(compile(logs), compile(logs), 'compiled once')
  return { logs: compile(logs), lines }
}

/** What is written of one call that ends so. */
async function told(
  logs: readonly AccessLog[],
  {
    outcome = { status: 200, fault: undefined },
    headers = {},
  }: { outcome?: Outcome; headers?: Record<string, string> },
): Promise<readonly string[]> {
  const { logs: compiled, lines } = made(logs)
  const clock = manualClock(1_000)
  const call = makeCall({ startedMs: 1_000, headers })
  await accessLog({ direction: 'outbound', clock, logs: compiled })(() => Promise.resolve(makeReply()))(call)
  clock.advance(20.7)
  call.end(outcome)
  return lines
}

test('each log has its own lines; one in our own words is made only where it is wanted', async () => {
  const lines = await told([text([{ kind: 'response-code' }, ' ', { kind: 'duration' }]), { path: 'own' }], {})
  assert.equal(lines[0], 'x: 200 20\n')
  assert.match(lines[1] ?? '', /^own: \{"time":.*"status":200/)
})

test('who asks for nothing more than usual notes nothing', () => {
  const { needs, plain } = made([{ path: 'own' }]).logs
  assert.deepEqual(needs, { replied: false, requestEnded: false, detail: false, moments: false, shown: false })
  assert.notEqual(plain, undefined)
  const asking = (parts: readonly ValuePart[]) => made([text(parts)]).logs.needs
  assert.equal(asking([{ kind: 'duration' }, { kind: 'request-header', names: ['a'] }]).detail, false)
  assert.deepEqual(asking([{ kind: 'upstream-local-address' }]), { ...needs, detail: true })
  assert.deepEqual(asking([{ kind: 'request-duration' }]), { ...needs, requestEnded: true, detail: true })
  assert.deepEqual(asking([{ kind: 'response-header', names: ['x-envoy-upstream-service-time'] }]), {
    ...needs,
    replied: true,
    requestEnded: true,
    detail: true,
  })
  const nested = { kind: 'list', items: [{ kind: 'value', parts: [{ kind: 'response-tx-duration' }] }] } as const
  const json = { kind: 'json', omitEmpty: false, fields: [['a', nested]] } as const
  assert.equal(made([{ path: 'x', format: json }]).logs.needs.replied, true)
})

test('times of a call: its request came, its reply began, its reply ended', async () => {
  const parts: readonly ValuePart[] = [
    { kind: 'request-duration' },
    ' ',
    { kind: 'response-duration' },
    ' ',
    { kind: 'response-tx-duration' },
    ' ',
    { kind: 'response-header', names: ['x-envoy-upstream-service-time'] },
  ]
  const { logs, lines } = made([text(parts)])
  const clock = manualClock(1_000)
  const call = makeCall({ startedMs: 1_000, body: bytesBody(Buffer.from('abc')) })
  const layer = accessLog({ direction: 'outbound', clock, logs })
  await layer((asked) => {
    clock.advance(5)
    asked.body.start({ data: () => true, end() {}, fail() {} })
    clock.advance(7)
    asked.trace.endpoint = { host: '192.0.2.1', port: 1 }
    return Promise.resolve(makeReply())
  })(call)
  clock.advance(3)
  call.end({ status: 200, fault: undefined })
  assert.deepEqual(lines, ['x: 5 12 3 7\n'])
})

test('what is not there is a dash, a null, or nothing', async () => {
  const none: ValuePart = { kind: 'request-header', names: ['x-none'] }
  const fields = [
    ['a', { kind: 'value', parts: [none] }],
    ['b', { kind: 'value', parts: ['<', none, '>'] }],
    ['c', { kind: 'object', fields: [['d', { kind: 'value', parts: [none] }]] }],
    ['e', { kind: 'value', parts: [{ kind: 'response-code' }] }],
  ] as const
  const lines = await told(
    [
      text([none]),
      { path: 'x', format: { kind: 'text', parts: ['<', none, '>\n'], omitEmpty: true } },
      { path: 'x', format: { kind: 'json', fields, omitEmpty: false } },
      { path: 'x', format: { kind: 'json', fields, omitEmpty: true } },
      { path: 'x', format: { kind: 'json', fields: fields.slice(0, 1), omitEmpty: true } },
    ],
    {},
  )
  assert.deepEqual(lines, [
    'x: -\n',
    'x: <>\n',
    'x: {"a":null,"b":"<->","c":{"d":null},"e":200}\n',
    'x: {"b":"<>","e":200}\n',
    'x: {}\n',
  ])
})

test('what strangers say stays within its line and its quotes', async () => {
  const say: ValuePart = { kind: 'request-header', names: ['x-say'] }
  const json = { kind: 'json', omitEmpty: false, fields: [['a', { kind: 'value', parts: [say] }]] } as const
  // The bytes of "ü" as they come over the wire.
  const lines = await told([{ path: 'x', format: json }, text([say])], { headers: { 'x-say': '"},{Ã¼' } })
  assert.deepEqual(lines, ['x: {"a":"\\"},{ü"}\n', 'x: "},{ü\n'])
})

const uuid = (digits: string): Record<string, string> => ({ 'x-request-id': `${digits}-0000-4000-8000-000000000000` })
const ended = (status: number, kind?: 'no-endpoint'): Outcome => ({
  status,
  fault: kind && { kind, side: 'upstream', retry: 'safe', cluster: 'c' },
})
const cases: readonly (readonly [string, LogFilter, Parameters<typeof told>[1], boolean])[] = [
  ['status', { kind: 'status', op: '>=', value: 500 }, { outcome: ended(500) }, true],
  ['another status', { kind: 'status', op: '>=', value: 500 }, { outcome: ended(499) }, false],
  ['at most', { kind: 'status', op: '<=', value: 200 }, { outcome: ended(201) }, false],
  ['not', { kind: 'status', op: '!=', value: 200 }, { outcome: ended(200) }, false],
  ['duration', { kind: 'duration', op: '=', value: 20 }, {}, true],
  ['a flag', { kind: 'flags', oneOf: ['UH'] }, { outcome: ended(503, 'no-endpoint') }, true],
  ['another flag', { kind: 'flags', oneOf: ['NR'] }, { outcome: ended(503, 'no-endpoint') }, false],
  ['any flag', { kind: 'flags', oneOf: [] }, {}, false],
  ['gRPC by HTTP', { kind: 'grpc-status', oneOf: [14], exclude: false }, { outcome: ended(503) }, true],
  [
    'gRPC',
    { kind: 'grpc-status', oneOf: [5], exclude: true },
    { outcome: { ...ended(200), trailers: [headerField('grpc-status', '5')] } },
    false,
  ],
  [
    'share',
    { kind: 'share', numerator: 50, denominator: 100, independent: false },
    { headers: uuid('00000031') },
    true,
  ],
  [
    'the rest',
    { kind: 'share', numerator: 50, denominator: 100, independent: false },
    { headers: uuid('00000032') },
    false,
  ],
  ['chance', { kind: 'share', numerator: 100, denominator: 100, independent: true }, {}, true],
]
for (const [title, filter, how, expected] of cases)
  test(`filter: ${title}`, async () => {
    const lines = await told([{ ...text(['told']), filter }], how)
    assert.equal(lines.length, expected ? 1 : 0)
    const none: LogFilter = { kind: 'all', of: [filter, { kind: 'any', of: [] }] }
    assert.equal((await told([{ ...text(['told']), filter: none }], how)).length, 0)
  })

test('a client that went away, and a call that was held up', async () => {
  const { logs, lines } = made([
    text([{ kind: 'response-code' }, ' ', { kind: 'flags' }, ' ', { kind: 'response-details' }]),
  ])
  const clock = manualClock(1_000)
  const call = makeCall({ startedMs: 1_000 })
  await accessLog({ direction: 'inbound', clock, logs })(() => Promise.resolve(makeReply()))(call)
  call.trace.injectedDelayMs = 5
  call.end({ status: 0, fault: { kind: 'client-gone', side: 'downstream', retry: 'never', cause: 'x' } })
  assert.deepEqual(lines, ['x: 0 DI,DC downstream_remote_disconnect\n'])
})

test('connections: no call is not known, its ends and bytes are', () => {
  const { logs, lines } = made([
    text([
      { kind: 'request-header', names: [':path'] },
      ' ',
      { kind: 'response-code' },
      ' ',
      { kind: 'flags' },
      ' ',
      { kind: 'bytes-received' },
      ' ',
      { kind: 'upstream-local-port' },
      ' ',
      { kind: 'connection-id' },
    ]),
  ])
  const clock = manualClock(1_000)
  const { peer } = makeCall()
  const start = { direction: 'inbound', protocol: 'tcp', peer, startedMs: 1_000 } as const
  const end = { received: 3, sent: 4, attempts: 1, upstreamLocal: { host: '192.0.2.1', port: 77 } }
  tellConnection(logs, start, { ...end, fault: undefined }, clock)
  const endpoint = { host: '192.0.2.1', port: 1 }
  const fault = { kind: 'connect-failed', side: 'upstream', retry: 'safe', endpoint, cause: 'ECONNREFUSED' } as const
  tellConnection(logs, start, { ...end, fault }, clock)
  assert.match(lines[0] ?? '', /^x: - 0 - 3 77 \d+\n$/)
  assert.match(lines[1] ?? '', /^x: - 0 UF,URX 3 77 \d+\n$/)
})
