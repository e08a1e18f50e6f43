import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../../base/random.ts'
import { blockBytes, giveBlock, kept, takeBlock } from '../../../base/shared-reads.ts'
import { ByteQueue } from './byte-queue.ts'

/** Takes every block there is, and gives them back unless `keep` says so. */
function takeAll(keep: 'give back' | 'keep' = 'give back'): Buffer[] {
  const all: Buffer[] = []
  for (let block = takeBlock(); block !== undefined; block = takeBlock()) all.push(block)
  if (keep === 'give back') for (const block of all) giveBlock(block)
  return all
}

function runs(seed: number): void {
  const random = seeded(seed)
  const queue = new ByteQueue()
  const taken: Buffer[] = []
  const pushed: Buffer[] = []
  let next = 0
  for (let round = 0; round < 300; round++) {
    if (random.below(3) > 1) {
      const piece = Buffer.alloc(1 + random.index(random.below(2) < 1 ? 300 : 3 * blockBytes))
      for (let at = 0; at < piece.length; at++) piece[at] = (next++ * 31) & 0xff
      pushed.push(Buffer.from(piece))
      queue.push(piece)
    } else {
      const bytes = queue.shift()
      if (bytes !== undefined) taken.push(Buffer.from(bytes))
    }
  }
  for (let bytes = queue.shift(); bytes !== undefined; bytes = queue.shift()) taken.push(Buffer.from(bytes))
  assert.equal(queue.length, 0)
  assert.ok(Buffer.concat(taken).equals(Buffer.concat(pushed)))
}

test('what was pushed comes out in order, however it was cut, and all blocks come back', () => {
  const { length } = takeAll()
  for (let seed = 1; seed <= 20; seed++) runs(seed)
  assert.equal(takeAll().length, length)
})

test('without a block to borrow it makes its own', () => {
  const all = takeAll('keep')
  try {
    runs(7)
    assert.equal(takeBlock(), undefined)
  } finally {
    for (const block of all) giveBlock(block)
  }
})

test('what was handed out last stays as it is until the next call, and is lent', () => {
  const queue = new ByteQueue()
  queue.push(Buffer.alloc(2 * blockBytes, 'a'))
  const first = queue.shift() ?? Buffer.alloc(0)
  assert.notEqual(kept(first), first)
  queue.clear()
  queue.push(Buffer.alloc(blockBytes, 'b'))
  assert.ok(first.equals(Buffer.alloc(blockBytes, 'a')))
  queue.clear()
  queue.release()
  assert.equal(queue.length, 0)
})

test('one small piece is kept for itself', () => {
  const { length } = takeAll()
  const queue = new ByteQueue()
  queue.push(Buffer.from('small'))
  assert.equal(takeAll().length, length)
  assert.equal(String(queue.shift()), 'small')
  assert.equal(queue.shift(), undefined)
})
