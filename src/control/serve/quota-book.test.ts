import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { createQuotaBook, shareTtlMs } from './quota-book.ts'

const rounded = (shares: ReadonlyMap<object, number>): readonly number[] =>
  Array.from(shares.values(), (one) => Math.round(one * 10) / 10)

test('shares follow demand; a newcomer has a fair one at once, a silent one keeps its last until that has run out', () => {
  const book = createQuotaBook()
  const [a, b, c] = [{}, {}, {}]
  const budget = { perSecond: 90, instances: 3 }
  book.joined(a, 'a', 0)
  assert.deepEqual(
    rounded(book.deal(budget, 0)),
    [30],
    'the other two, which do not report, take equal shares by themselves',
  )
  book.joined(b, 'b', 0)
  book.joined(c, 'c', 0)
  assert.deepEqual(rounded(book.deal(budget, 0)), [30, 30, 30])
  for (let n = 0; n < 10; n++) {
    book.reported(a, 500, 1000)
    book.reported(b, 0, 1000)
    book.reported(c, 0, 1000)
  }
  assert.deepEqual(rounded(book.deal(budget, 1000)), [84, 3, 3])
  book.left(a, 2000)
  assert.deepEqual(rounded(book.deal(budget, 2000)), [3, 3], 'what it has, it may use')
  const after = 2000 + shareTtlMs
  assert.deepEqual(rounded(book.deal(budget, after)), [30, 30], 'now it takes an equal share')
  assert.deepEqual(rounded(book.deal({ ...budget, instances: 2 }, after)), [45, 45], 'and is gone')
  const d = {}
  book.joined(d, 'd', after)
  assert.deepEqual(rounded(book.deal(budget, after)), [21, 21, 48], 'what the others do not ask for is for everybody')
})

test('who comes back takes its own place, and two processes of one instance share what it has', () => {
  const book = createQuotaBook()
  const [a, b, again] = [{}, {}, {}]
  const budget = { perSecond: 10, instances: 2 }
  book.joined(a, 'a', 0)
  book.joined(b, 'b', 0)
  book.deal(budget, 0)
  book.joined(again, 'a', 100)
  const both = book.deal(budget, 100)
  assert.ok(Math.abs([...both.values()].reduce((sum, one) => sum + one, 0) - 10) < 1e-9)
  book.left(a, 200)
  assert.deepEqual(rounded(book.deal(budget, 200)), [5, 5], 'nothing is set aside for the old one')
  book.left(again, 300)
  book.joined(a, 'a', 400)
  assert.deepEqual(rounded(book.deal(budget, 400)), [5, 5])
})

test('over a thousand seconds of comings and goings the sum of what is held never exceeds the budget by more than is promised', () => {
  const random = seeded(5)
  const budget = { perSecond: 100, instances: 8 }
  const book = createQuotaBook()
  /** What each instance acts by: its last share until that runs out, then an equal one. */
  const held = new Map<string, { member: object | undefined; share: number; untilMs: number }>()
  let most = 0
  for (let nowMs = 0; nowMs < 1_000_000; nowMs += 1000) {
    const id = `i${random.index(budget.instances)}`
    const one = held.get(id)
    if (random.unit() < 0.2) {
      if (one?.member !== undefined) {
        book.left(one.member, nowMs)
        one.member = undefined
      } else {
        const member = {}
        book.joined(member, id, nowMs)
        held.set(id, { member, share: one?.share ?? 12.5, untilMs: one?.untilMs ?? 0 })
      }
    }
    for (const { member } of held.values())
      if (member !== undefined) book.reported(member, random.unit() < 0.5 ? 0 : 400 * random.unit(), 1000)
    const dealt = book.deal(budget, nowMs)
    for (const each of held.values()) {
      const share = each.member && dealt.get(each.member)
      if (share !== undefined) Object.assign(each, { share, untilMs: nowMs + shareTtlMs })
    }
    const sum = Array.from(held.values(), ({ share, untilMs }) => (untilMs > nowMs ? share : 12.5)).reduce(
      (a, b) => a + b,
      0,
    )
    most = Math.max(most, sum + 12.5 * (budget.instances - held.size))
  }
  assert.ok(most <= 110 + 1e-6, `${most} of 100`)
  assert.ok(most >= 99)
})
