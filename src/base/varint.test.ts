import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WireReader, writeVarint } from './varint.ts'

test('numbers come back as they were written, one behind the other', () => {
  const numbers = [0, 1, 127, 128, 300, 2 ** 32, 2 ** 49]
  const reader = new WireReader(Buffer.from(numbers.flatMap(writeVarint)), 8)
  for (const one of numbers) assert.equal(reader.varint(), one)
  assert.ok(reader.done)
  assert.deepEqual(writeVarint(300), [0xac, 0x02])
})

test('a number that is cut off or longer than allowed is none', () => {
  assert.ok(Number.isNaN(new WireReader(Buffer.of(), 8).varint()))
  assert.ok(Number.isNaN(new WireReader(Buffer.of(0x80), 8).varint()))
  const long = Buffer.from([...Array.from({ length: 8 }, () => 0x80), 1])
  assert.ok(Number.isNaN(new WireReader(long, 8).varint()))
  assert.equal(new WireReader(long, 10).varint(), 2 ** 56)
})
