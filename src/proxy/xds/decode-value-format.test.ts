import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeValueFormat } from './decode-value-format.ts'
import { refusals } from './refusals.ts'

const decode = (written: string, side: 'request' | 'response' = 'request') => {
  const refused = refusals()
  return { value: decodeValueFormat(written, side, 'at', refused), refused: refused.list }
}

test('text stays text; commands are taken apart', () => {
  assert.deepEqual(decode('100%%'), { value: '100%', refused: [] })
  assert.deepEqual(decode('from %REQ(X-A?:path):12% on %PROTOCOL%'), {
    value: ['from ', { kind: 'request-header', names: ['x-a', ':path'], longest: 12 }, ' on ', { kind: 'protocol' }],
    refused: [],
  })
  assert.deepEqual(decode('%RESPONSE_CODE%%RESP(x)%', 'response').value, [
    { kind: 'response-code' },
    { kind: 'response-header', names: ['x'] },
  ])
})

for (const [written, why] of [
  ['%NOPE%', /^at: the command %NOPE% is not supported$/],
  ['%REQ%', /the command %REQ% is not supported/],
  ['%REQ(a?b?c)%', /%REQ\(a\?b\?c\)% is not supported/],
  ['%REQ(a b)%', /is not supported/],
  ['%RESPONSE_CODE%', /is not supported/],
  ['50% off', /a single %; write %%/],
  ['%PROTOCOL:3%', /is not supported/],
  ['%START_TIME%', /is not supported/],
  ['%DOWNSTREAM_TLS_VERSION%', /is not supported/],
  ['%TRAILER(x)%', /is not supported/],
] as const)
  test(`refused: ${written}`, () => assert.match(decode(written).refused.join(), why))
