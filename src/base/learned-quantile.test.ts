import assert from 'node:assert/strict'
import { test } from 'node:test'
import { enoughValues, learnedQuantile } from './learned-quantile.ts'
import { seeded } from './random.ts'

test('the quantile of what was seen lately, right to 5 %, once there is enough of it', () => {
  const random = seeded(3)
  const quantile = learnedQuantile(1000)
  for (let n = 1; n < enoughValues; n++) quantile.note(10, n / 1000)
  assert.equal(quantile.at(0.5, 1), undefined)
  for (let n = 0; n < 20_000; n++) quantile.note(1 + 99 * random.unit(), 1 + n / 1000)
  for (const share of [0.5, 0.9, 0.95, 0.99]) {
    const exact = 1 + 99 * share
    const found = quantile.at(share, 22) ?? 0
    assert.ok(found >= exact * 0.97 && found <= exact * 1.08, `${share}: ${found}, not about ${exact}`)
  }
})

test('what is two windows old is forgotten, and the extremes have a bucket', () => {
  const quantile = learnedQuantile(1000)
  for (let n = 0; n < 200; n++) quantile.note(500, 0)
  for (let n = 0; n < 200; n++) quantile.note(5, 1500)
  assert.ok((quantile.at(0.9, 1500) ?? 0) > 400, 'the window before still counts')
  assert.ok((quantile.at(0.9, 2600) ?? 0) < 6)
  assert.equal(quantile.at(0.9, 9000), undefined)
  for (let n = 0; n < 200; n++) quantile.note(n % 2 === 0 ? 0 : 1e12, 9000)
  assert.ok((quantile.at(0.4, 9000) ?? 1) <= 0.1)
  assert.ok((quantile.at(0.9, 9000) ?? 0) > 500_000)
})
