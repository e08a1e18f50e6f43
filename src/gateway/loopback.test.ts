import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loopbackOf } from './loopback.ts'

test('a loopback address follows from the name, and each attempt gives another one', () => {
  const tried = Array.from({ length: 20 }, (_, attempt) => loopbackOf('default/edge', attempt))
  assert.deepEqual(
    tried,
    Array.from({ length: 20 }, (_, attempt) => loopbackOf('default/edge', attempt)),
  )
  assert.equal(new Set(tried).size, tried.length)
  assert.notEqual(loopbackOf('default/edge', 0), loopbackOf('default/admin', 0))
  for (const address of tried) {
    const [first, second = 0, , last = 0] = address.split('.').map(Number)
    assert.equal(first, 127)
    assert.ok(second >= 64 && second <= 127, address)
    assert.ok(last >= 1 && last <= 254, address)
  }
})
