import assert from 'node:assert/strict'
import { test } from 'node:test'
import { headerField, type Headers } from '../http/headers.ts'
import { readB3, writeB3 } from './b3.ts'

const trace = '0af7651916cd43dd8448eb211c80319c'
const short = trace.slice(16)
const span = 'b7ad6b7169203331'
const parent = '00f067aa0ba902b7'
const fields = (named: Readonly<Record<string, string>>): Headers =>
  Object.entries(named).map(([name, value]) => headerField(name, value))
const read = (named: Readonly<Record<string, string>>) => readB3(fields(named))
const several = (traceId: string, spanId: string, more: { readonly parent?: string; readonly sampled?: string } = {}) =>
  read({
    'x-b3-traceid': traceId,
    'x-b3-spanid': spanId,
    ...(more.parent !== undefined && { 'x-b3-parentspanid': more.parent }),
    ...(more.sampled !== undefined && { 'x-b3-sampled': more.sampled }),
  })

test('several fields: ids of 64 and 128 bits, and whether it is sampled', () => {
  assert.deepEqual(several(trace, span, { parent, sampled: '1' }), {
    inOne: false,
    sampled: true,
    ids: { traceId: trace, spanId: span, parentId: parent },
  })
  assert.deepEqual(several(short.toUpperCase(), '5', { sampled: '0' }), {
    inOne: false,
    sampled: false,
    ids: { traceId: short, spanId: '0000000000000005', parentId: '' },
  })
  assert.deepEqual(read({ 'x-b3-sampled': 'true' }), { inOne: false, sampled: true, ids: undefined })
  assert.deepEqual(read({ 'x-b3-traceid': trace, 'x-b3-parentspanid': parent }), {
    inOne: false,
    sampled: undefined,
    ids: undefined,
  })
})

test('ids are written in different ways', () => {
  const idsOf = (...args: Parameters<typeof several>): unknown => {
    const words = several(...args)
    return words === 'bad' ? words : words.ids
  }
  assert.deepEqual(idsOf('0'.repeat(16) + short, '0x1f'), { traceId: short, spanId: '000000000000001f', parentId: '' })
  assert.deepEqual(idsOf('0'.repeat(40), '0'.repeat(20) + span, { parent: '0' }), {
    traceId: '0'.repeat(16),
    spanId: span,
    parentId: '',
  })
  for (const wrong of ['', '0x', '-5', '+5', '1 f', 'garbage', `${trace}0`, trace.slice(1), `1${span}`]) {
    assert.equal(idsOf(wrong, span), 'bad', wrong)
    assert.equal(idsOf(trace, wrong), 'bad', wrong)
    assert.deepEqual(idsOf(trace, span, { parent: wrong }), wrong === '' ? idsOf(trace, span) : 'bad', wrong)
  }
})

test('one field, which counts before the others', () => {
  const one = (b3: string) => read({ b3, 'x-b3-traceid': short, 'x-b3-spanid': span, 'x-b3-sampled': '0' })
  const ids = { traceId: trace, spanId: span, parentId: '' }
  assert.deepEqual(one(`${trace}-${span}`), { inOne: true, sampled: undefined, ids })
  assert.deepEqual(one(`${trace}-${span}-0`), { inOne: true, sampled: false, ids })
  assert.deepEqual(one(`${trace}-${span}-d`), { inOne: true, sampled: true, ids })
  assert.deepEqual(one(`${short}-${span}-1-${parent}`), {
    inOne: true,
    sampled: true,
    ids: { traceId: short, spanId: span, parentId: parent },
  })
  for (const [flag, sampled] of [
    ['0', false],
    ['1', true],
    ['d', true],
  ] as const)
    assert.deepEqual(one(flag), { inOne: true, sampled, ids: undefined })
  const wrong = ['', 'x', trace, `${trace}-`, `${trace}-${span}-`, `${trace}-${span}-x`, `${trace}-${span}-${parent}`]
  const longer = ['-1-', `-1-${parent}0`, `-1-${parent.slice(1)}`, '-1-garbagegarbagega'].map(
    (end) => `${trace}-${span}${end}`,
  )
  for (const b3 of [...wrong, ...longer, `${trace.slice(1)}x-${span}-1`, `${trace}_${span}-1`])
    assert.equal(one(b3), 'bad', b3)
})

test('what is written can be read, in the form in which it came', () => {
  for (const inOne of [true, false])
    for (const parentId of ['', parent])
      for (const sampled of [true, false]) {
        const ids = { traceId: trace, spanId: span, parentId }
        assert.deepEqual(readB3(writeB3({ ...ids, sampled, inOne, state: '' })), { inOne, sampled, ids })
      }
})
