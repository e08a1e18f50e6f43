import assert from 'node:assert/strict'
import { test } from 'node:test'
import { headerField } from '../http/headers.ts'
import { askedWaitMs } from './asked-wait.ts'

const rules = {
  resetHeaders: [
    { name: 'retry-after', says: 'seconds' },
    { name: 'x-ratelimit-reset', says: 'time' },
  ],
  mostMs: 60_000,
} as const
const nowMs = 1_700_000_000_500

const cases = [
  [{ 'retry-after': '3' }, 3000],
  [{ 'retry-after': '0' }, 0],
  [{ 'x-ratelimit-reset': '1700000010' }, 9500],
  [{ 'retry-after': '61', 'x-ratelimit-reset': '1700000010' }, 9500],
  [{ 'retry-after': '61' }, undefined],
  [{ 'x-ratelimit-reset': '1700000000' }, undefined],
  [{ 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' }, undefined],
  [{ 'retry-after': '-1' }, undefined],
  [{ 'retry-after': '1.5' }, undefined],
  [{}, undefined],
] as const
for (const [headers, wanted] of cases)
  test(`${JSON.stringify(headers)} asks for ${wanted} ms`, () => {
    const fields = Object.entries<string>(headers).map(([name, value]) => headerField(name, value))
    assert.equal(askedWaitMs({ headers: fields }, rules, nowMs), wanted)
  })
