import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import type { Sampling } from '../config.ts'
import { packReason, traceReason, type SamplingWords } from './sampling.ts'

const all = { numerator: 10_000, denominator: 10_000 }
const none = { numerator: 0, denominator: 10_000 }
const every: Sampling = { client: all, random: all, overall: all }
const idOf = (first: number, digit = '4'): string =>
  `${first.toString(16).padStart(8, '0')}-0000-${digit}000-8000-000000000000`
const decided = { packed: true, decide: true }
const reasonOf = (words: Partial<SamplingWords>, sampling: Partial<Sampling> = {}, decide = true) =>
  traceReason(
    { requestId: idOf(1), clientAsks: false, forced: false, ...words },
    { ...every, ...sampling },
    { ...decided, decide },
    seeded(1),
  )

test('the request id is the chance: so many of 10,000, whoever looks', () => {
  const random = { numerator: 2500, denominator: 10_000 }
  const taken = Array.from({ length: 20_000 }, (_, first) => reasonOf({ requestId: idOf(first) }, { random }))
  assert.equal(taken.filter((reason) => reason === 'sampled').length, 5000)
  assert.equal(reasonOf({ requestId: idOf(2499) }, { random }), 'sampled')
  assert.equal(reasonOf({ requestId: idOf(2500) }, { random }), undefined)
})

test('who asks for it comes first, the overall share last', () => {
  assert.equal(reasonOf({ clientAsks: true, forced: true }, { random: none }), 'client')
  assert.equal(reasonOf({ clientAsks: true, forced: true }, { client: none }), 'forced')
  assert.equal(reasonOf({ clientAsks: true }, { client: none, random: none }), undefined)
  assert.equal(reasonOf({ clientAsks: true, forced: true }, { overall: none }), undefined)
})

test('an id that says why it is traced is believed; one that is no number is not traced', () => {
  for (const [digit, reason] of [
    ['9', 'sampled'],
    ['a', 'forced'],
    ['b', 'client'],
  ] as const)
    assert.equal(reasonOf({ requestId: idOf(1, digit) }, { random: none }), reason)
  assert.equal(reasonOf({ requestId: 'not-a-uuid' }), undefined)
  assert.equal(reasonOf({ requestId: undefined }), undefined)
  assert.equal(reasonOf({ requestId: undefined }, { random: none, overall: none }, false), 'sampled')
})

test('the reason is written into the id', () => {
  assert.equal(packReason(idOf(7), 'sampled'), idOf(7, '9'))
  assert.equal(packReason(idOf(7, '9'), undefined), idOf(7))
  assert.equal(packReason('short', 'sampled'), 'short')
})
