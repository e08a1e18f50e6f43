import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { DurationSchema, StructSchema, TimestampSchema } from '@bufbuild/protobuf/wkt'
import { createProtoWriter, protoField } from './proto-writer.ts'

const writer = createProtoWriter()

/** What `write` writes. */
function written(write: () => void): Buffer {
  writer.begin()
  write()
  return writer.take()
}

test('messages inside messages, of any length, one after the other', () => {
  for (const length of [0, 1, 100, 125, 126, 127, 128, 200, 16_300, 16_384, 300_000]) {
    const value = 'x'.repeat(length)
    const bytes = written(() => {
      for (const name of ['a', 'b']) {
        const entry = writer.open(1)
        writer.text(1, name)
        const inner = writer.open(2)
        writer.text(3, value)
        writer.close(inner)
        writer.close(entry)
      }
    })
    assert.deepEqual(fromBinary(StructSchema, bytes).fields['b']?.kind, { case: 'stringValue', value }, String(length))
    const schema = { fields: Object.fromEntries(['a', 'b'].map((name) => [name, text(value)])) }
    assert.deepEqual(bytes, Buffer.from(toBinary(StructSchema, create(StructSchema, schema))))
  }
})

const text = (value: string) => ({ kind: { case: 'stringValue' as const, value } })

test('texts of any letters, short and long', () => {
  for (const value of [
    '',
    'plain',
    'grüße €',
    '\u{1f600}',
    'é'.repeat(64),
    'a'.repeat(64),
    'a'.repeat(65),
    `${'a'.repeat(63)}é`,
  ]) {
    const bytes = written(() => {
      const entry = writer.open(1)
      writer.text(1, 'k')
      writer.bytes(2, protoField(3, Buffer.from(value)))
      writer.close(entry)
      const other = writer.open(1)
      writer.text(1, value)
      writer.close(other)
    })
    const { fields } = fromBinary(StructSchema, bytes)
    assert.deepEqual(fields['k']?.kind, { case: 'stringValue', value })
    assert.ok(value in fields)
  }
})

test('numbers: whole, below zero, broken; moments and durations to the nanosecond that they have', () => {
  const number = (value: number) => written(() => writer.double(2, value))
  assert.equal(number(1.5).toString('hex'), '11000000000000f83f')
  const whole = (value: number): bigint =>
    fromBinary(
      TimestampSchema,
      written(() => writer.number(1, value)),
    ).seconds
  for (const value of [0, 1, 127, 128, 2 ** 31, 2 ** 52, -1, -300, -(2 ** 40)])
    assert.equal(whole(value), BigInt(value))
  const time = (ms: number) => {
    const inner = written(() => writer.time(7, ms))
    return fromBinary(DurationSchema, inner.subarray(2))
  }
  assert.deepEqual([time(0).seconds, time(0).nanos], [0n, 0])
  assert.deepEqual([time(1500.25).seconds, time(1500.25).nanos], [1n, 500_250_000])
  assert.equal(written(() => writer.fixed32(1, 0x100)).toString('hex'), '0d00010000')
  assert.equal(written(() => writer.nanoseconds(1, 2.5)).readBigUInt64LE(1), 2_500_000n)
  assert.equal(written(() => writer.hex(1, 'beef')).toString('hex'), '0a02beef')
})

test('what was taken is not touched by what is written next', () => {
  const first = written(() => writer.text(1, 'first'))
  const copy = Buffer.from(first)
  written(() => writer.text(1, 'other'))
  assert.deepEqual(first, copy)
})
