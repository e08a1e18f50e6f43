import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBoard, openRow } from './board.ts'

test('each sees who has the fewest of the others, and nobody who takes no more', (t) => {
  const board = createBoard()
  t.after(() => board.close())
  const lines = [board.take(), board.take(), board.take()].map((row) => ({ row, at: openRow(board.fd, row ?? -1) }))
  const [a, b, c] = lines
  assert.deepEqual(
    lines.map(({ row }) => row),
    [0, 1, 2],
  )
  assert.equal(a?.at.fewestElsewhere(), undefined, 'nobody has said anything')
  a?.at.publish(0)
  assert.equal(a?.at.fewestElsewhere(), undefined, 'nobody else')
  b?.at.publish(3)
  c?.at.publish(2)
  assert.deepEqual(a?.at.fewestElsewhere(), { row: 2, count: 2 })
  assert.deepEqual(b?.at.fewestElsewhere(), { row: 0, count: 0 })
  c?.at.publish(undefined)
  assert.deepEqual(a?.at.fewestElsewhere(), { row: 1, count: 3 })
  board.giveBack(1)
  assert.equal(a?.at.fewestElsewhere(), undefined)
  assert.equal(board.take(), 1, 'a line is used again')
})

test('there is room for 64 processes', (t) => {
  const board = createBoard()
  t.after(() => board.close())
  const taken = Array.from({ length: 65 }, () => board.take())
  assert.equal(taken.at(-2), 63)
  assert.equal(taken.at(-1), undefined)
})
