import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createKeyedBook } from './keyed-book.ts'
import { shareTtlMs } from './quota-book.ts'

const budget = { perSecond: 90, instances: 3 }
const usage = (key: string, requests: number) => ({ key, requests, elapsedMs: 1000 })
const whole = (id: string, ...usages: readonly ReturnType<typeof usage>[]) => ({ id, usages, whole: true })

test('who alone is asked by a key has all of its budget, once everybody tells all keys', () => {
  const book = createKeyedBook()
  const [one, two, three] = [{}, {}, {}]
  book.reported(one, whole('1', usage('ann', 200), usage('bob', 5)), 0)
  const shares = (nowMs = 0) => book.deal(budget, nowMs)
  assert.deepEqual(
    [...(shares().get(one) ?? [])],
    [
      ['ann', 30],
      ['bob', 30],
    ],
    'two others may take a third each by themselves',
  )
  book.reported(two, whole('2', usage('bob', 5)), 0)
  book.reported(three, whole('3'), 0)
  assert.equal(shares().get(one)?.get('ann'), 90)
  const bob = [one, two].map((member) => shares().get(member)?.get('bob') ?? 0)
  assert.deepEqual(bob, [45, 45])
  assert.equal(shares().get(three), undefined)
})

test('nothing is dealt that somebody may take unseen', () => {
  const book = createKeyedBook()
  const [one, two, three] = [{}, {}, {}]
  book.reported(one, whole('1', usage('ann', 200)), 0)
  book.reported(two, { ...whole('2', usage('bob', 1)), whole: false }, 0)
  book.reported(three, whole('3'), 0)
  assert.equal(book.deal(budget, 0).get(one)?.get('ann'), 60, 'a third may be taken where not all is told')
  book.reported({}, whole('2'), 0)
  assert.equal(book.deal(budget, 0).get(one)?.get('ann'), 60, 'another process of that instance tells all')
})

test('a key that is not told any more is free at once; who is lost keeps its share until that has run out', () => {
  const book = createKeyedBook()
  const [one, two, three] = [{}, {}, {}]
  for (const [member, id] of [
    [one, '1'],
    [two, '2'],
  ] as const)
    book.reported(member, whole(id, usage('ann', 100)), 0)
  book.reported(three, whole('3'), 0)
  const annOf = (member: object, nowMs: number) => book.deal(budget, nowMs).get(member)?.get('ann')
  assert.equal(annOf(one, 0), 45)
  book.reported(two, whole('2'), 0)
  assert.equal(annOf(one, 0), 90)
  book.reported(two, whole('2', usage('ann', 100)), 0)
  assert.equal(annOf(one, 0), 45)
  book.left(two, 1000)
  assert.equal(annOf(one, 1000), 45)
  assert.equal(annOf(one, 1000 + shareTtlMs), 60, 'it may be there, and take an equal share')
  book.reported(two, whole('2'), 1000 + shareTtlMs)
  assert.equal(annOf(one, 1000 + shareTtlMs), 90)
  book.reported(one, whole('1'), 20_000)
  book.left(one, 20_000)
  book.left(two, 20_000)
  book.left(three, 20_000)
  assert.equal(book.deal(budget, 20_000).size, 0)
  assert.equal(book.isEmpty, true)
})
