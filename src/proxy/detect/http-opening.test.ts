import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readHttpOpening } from './http-opening.ts'

const cases: readonly (readonly [text: string, seen: string])[] = [
  ['GET / HTTP/1.1\r\nHost: a\r\n', 'http/1.1'],
  ['GET / HTTP/1.0\n', 'http/1.0'],
  ['OPTIONS * HTTP/1.1\r\n', 'http/1.1'],
  ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'h2c'],
  ['', 'more'],
  ['P', 'more'],
  ['PRI * HT', 'more'],
  ['POST /long', 'more'],
  ['POST / HTTP/1.1\r', 'more'],
  ['GET / HTTP/2.0\r\n', 'other'],
  ['GET /\r\n', 'other'],
  ['\x16\x03\x01', 'other'],
  [' GET', 'other'],
  ['x'.repeat(65), 'other'],
  [`${'x'.repeat(65)} / HTTP/1.1\r\n`, 'other'],
  [`GET /${'x'.repeat(20_000)}`, 'other'],
]
for (const [text, seen] of cases)
  test(`${JSON.stringify(text.slice(0, 30))} → ${seen}`, () =>
    assert.equal(readHttpOpening(Buffer.from(text, 'latin1')), seen))
