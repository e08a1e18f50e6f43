import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileStrftime } from './strftime.ts'

// 2026-11-08 08:05:53.224953 UTC, a Sunday.
const ms = 1_794_125_153_224.953

const write = (pattern: string): string => {
  const writer = compileStrftime(pattern)
  return typeof writer === 'string' ? `! ${writer}` : writer(ms)
}

for (const [pattern, expected] of [
  ['%Y-%m-%dT%H:%M:%E3SZ', '2026-11-08T08:05:53.224Z'],
  ['%Y/%m/%dT%H:%M:%S%z %s', '2026/11/08T08:05:53+0000 1794125153'],
  ['%s.%3f', '1794125153.224'],
  ['%b-%e-%A-%j-%I%p-%%', 'Nov- 8-Sunday-312-08AM-%'],
  ['%a %B %y %C %u %w %T %R %D %F', 'Sun November 26 20 7 0 08:05:53 08:05 11/08/26 2026-11-08'],
  ['%c|%x|%X|%r|%k|%l', 'Sun Nov  8 08:05:53 2026|11/08/26|08:05:53|08:05:53 AM| 8| 8'],
  ['%Ez %Z', '+00:00 UTC'],
  ['plain', 'plain'],
] as const)
  test(`strftime: ${pattern}`, () => assert.equal(write(pattern), expected))

test('strftime: fractions of the second', () => {
  assert.match(write('%f'), /^22495[23]\d{3}$/)
  assert.match(write('%6f %E*S'), /^22495[23] 53\.22495[23]\d*$/)
})

test('strftime: what is no pattern is said', () => {
  assert.match(write('%Q'), /%Q is no part of a time/)
  assert.match(write('50%'), /a single %/)
})

test('strftime: the zone of this machine', () => {
  const writer = compileStrftime('%H:%M %z', true)
  assert.ok(typeof writer !== 'string')
  const date = new Date(ms)
  const [clock, zone] = writer(ms).split(' ')
  assert.equal(clock, `${String(date.getHours()).padStart(2, '0')}:${String(date.getMinutes()).padStart(2, '0')}`)
  assert.match(zone ?? '', /^[+-]\d{4}$/)
})
