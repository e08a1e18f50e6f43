import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatGrpcMessage, formatGrpcTimeout, grpcStatusOfHttp, parseGrpcTimeout, readGrpcStatus } from './grpc.ts'

test('grpc-timeout: one to eight digits and a unit', () => {
  const cases: readonly [string, number | undefined][] = [
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3000],
    ['250m', 250],
    ['500u', 0.5],
    ['99999999n', 99.999999],
    ['0m', 0],
    ['123456789m', undefined],
    ['1', undefined],
    ['-1S', undefined],
    ['1s', undefined],
    ['', undefined],
  ]
  for (const [text, ms] of cases) assert.equal(parseGrpcTimeout(text), ms, text)
  assert.deepEqual([250.9, 99_999_999, 1e8, 1e15].map(formatGrpcTimeout), ['250m', '99999999m', '100000S', '99999999S'])
})

test('statuses, and messages as headers carry them', () => {
  assert.deepEqual(['0', '16', '17', '', '01', 'x'].map(readGrpcStatus), [0, 16, 2, 2, 2, 2])
  assert.deepEqual([200, 400, 403, 404, 429, 500, 503, 504].map(grpcStatusOfHttp), [0, 13, 7, 12, 14, 2, 14, 14])
  assert.equal(formatGrpcMessage('100 % Öl\n'), '100 %25 %C3%96l%0A')
})
