import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomUuid } from './random-uuid.ts'

test('identifiers are of version 4, and never twice the same, over more than one filling of the pool', () => {
  const seen = new Set<string>()
  for (let count = 0; count < 10_000; count++) {
    const id = randomUuid()
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    seen.add(id)
  }
  assert.equal(seen.size, 10_000)
  // Every digit that may be anything is each of the sixteen.
  for (const at of [0, 7, 9, 16, 20, 24, 35]) assert.equal(new Set([...seen].map((id) => id[at])).size, 16)
})
