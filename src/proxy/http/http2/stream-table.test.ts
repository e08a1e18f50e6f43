import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../../base/random.ts'
import { StreamTable } from './stream-table.ts'

test('streams come and go as in a map', () => {
  const random = seeded(7)
  const table = new StreamTable<{ readonly id: number }>()
  const model = new Map<number, { readonly id: number }>()
  let last = 1
  for (let step = 0; step < 20_000; step++) {
    const most = step < 10_000 ? 10 : 300
    if (model.size < most && random.unit() < 0.5) {
      // A peer may leave numbers out, also so that many fall on one place.
      last += random.unit() < 0.3 ? 512 : 2
      const stream = { id: last }
      table.add(stream)
      model.set(last, stream)
    } else {
      const ids = [...model.keys()]
      const id = ids[random.index(ids.length + 1)] ?? last + 2
      table.delete(id)
      model.delete(id)
    }
    assert.equal(table.size, model.size)
    if (step % 50 > 0) continue
    assert.deepEqual(
      table.all().toSorted((a, b) => a.id - b.id),
      [...model.values()],
    )
    for (const [id, stream] of model) assert.equal(table.get(id), stream)
    assert.equal(table.has(last + 2), false)
    assert.equal(table.get(last + 2), undefined)
  }
})

test('a table that was cleared holds nothing, and takes streams in again', () => {
  const table = new StreamTable<{ readonly id: number }>()
  for (let id = 1; id < 100; id += 2) table.add({ id })
  table.clear()
  assert.equal(table.size, 0)
  assert.deepEqual(table.all(), [])
  assert.equal(table.has(51), false)
  table.add({ id: 101 })
  assert.equal(table.get(101)?.id, 101)
})
