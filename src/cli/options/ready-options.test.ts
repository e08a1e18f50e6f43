import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readReadiness, readReadinessCheck } from './ready-options.ts'

const good: readonly [string, object][] = [
  ['http://:8080/healthz?full=1', { kind: 'http', port: 8080, path: '/healthz?full=1' }],
  ['http://localhost:80', { kind: 'http', port: 80, path: '/' }],
  ['tcp://127.0.0.1:5432', { kind: 'tcp', port: 5432 }],
  ['grpc://:50051', { kind: 'grpc', port: 50051, service: '' }],
  ['grpc://:50051/shop.Orders', { kind: 'grpc', port: 50051, service: 'shop.Orders' }],
  ['exec: pg_isready -q', { kind: 'exec', command: 'pg_isready -q' }],
]
for (const [text, check] of good) test(`--ready ${text}`, () => assert.deepEqual(readReadinessCheck(text), check))

const bad: readonly [string, RegExp][] = [
  ['8080', /"8080": give http:\/\//],
  ['http://example.com:80/', /of the program's own loopback/],
  ['https://:443/', /give http:\/\//],
  ['tcp://:0', /from 1 to 65535/],
  ['tcp://:99999', /from 1 to 65535/],
  ['tcp://:80/x', /tcp has no path/],
  ['exec:', /needs a command/],
  [`grpc://:1/${'x'.repeat(128)}`, /at most 127 bytes/],
]
for (const [text, why] of bad)
  test(`--ready ${text.slice(0, 30)} is refused`, () =>
    assert.match(JSON.stringify(readReadinessCheck(text)).replaceAll('\\', ''), why))

test('pace: defaults, and every flag that makes no sense is named', () => {
  assert.deepEqual(readReadiness({}), {
    readiness: { checks: [], intervalMs: 1000, timeoutMs: 1000, failures: 2, successes: 1 },
    problems: [],
  })
  const { problems } = readReadiness({ ready: ['x'], readyInterval: 'soon', readyTimeout: '1ms', readyFailures: '0' })
  assert.equal(problems.length, 4)
  assert.match(problems.join('\n'), /--ready "x".*--ready-interval.*"soon".*--ready-timeout.*--ready-failures/s)
})
