import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { dealQuota } from './deal-quota.ts'

const deal = (budget: number, ...perSecond: readonly (number | undefined)[]): readonly number[] =>
  dealQuota(
    budget,
    perSecond.map((one) => ({ perSecond: one })),
  ).map((share) => Math.round(share * 100) / 100)

test('who asks for little leaves the rest to who asks for much', () => {
  assert.deepEqual(deal(90, 0, 0, 0), [30, 30, 30])
  assert.deepEqual(deal(90, 1000, 1000, 1000), [30, 30, 30])
  assert.deepEqual(deal(90, 1000, 0, 0), [84, 3, 3])
  assert.deepEqual(deal(90, 1000, 10, 1000), [39, 12, 39])
  assert.deepEqual(
    deal(90, 1000, undefined, 0),
    [56, 30, 3].map((one, index) => (index === 0 ? 57 : one)),
  )
  assert.deepEqual(deal(1), [])
  assert.deepEqual(deal(5, undefined), [5])
})

test('whatever is asked for: all of the budget and no more, a floor for everybody, more for who asks for more, enough where there is enough', () => {
  const random = seeded(11)
  for (let round = 0; round < 3000; round++) {
    const budget = 10 ** (random.unit() * 6 - 2)
    const demands = Array.from({ length: 1 + random.index(20) }, () =>
      random.unit() < 0.1 ? undefined : random.unit() < 0.3 ? 0 : budget * 3 * random.unit() ** 4,
    )
    const shares = dealQuota(
      budget,
      demands.map((perSecond) => ({ perSecond })),
    )
    const sum = shares.reduce((total, share) => total + share, 0)
    assert.ok(Math.abs(sum - budget) <= budget * 1e-9, `${sum} of ${budget}`)
    const asked = demands.reduce<number>(
      (total, one) => total + Math.max(one ?? Infinity, 0.1 * (budget / demands.length)) * 1.2,
      0,
    )
    for (const [index, share] of shares.entries()) {
      const demand = demands[index]
      assert.ok(share >= (0.1 * budget) / demands.length - 1e-9 * budget, 'the floor')
      if (asked <= budget && demand !== undefined) assert.ok(share >= demand, 'enough for all is enough for each')
      for (const [other, theirs] of shares.entries())
        if ((demands[other] ?? -1) > (demand ?? Infinity)) assert.ok(theirs >= share - 1e-9 * budget, 'more for more')
    }
  }
})
