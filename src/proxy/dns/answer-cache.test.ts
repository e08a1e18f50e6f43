import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { createAnswerCache } from './answer-cache.ts'
import { readQuery, type Question } from './message.ts'
import { query, record, replyTo, soa } from './testing/messages.ts'

function cacheFor() {
  const clock = manualClock()
  const cache = createAnswerCache(clock)
  const question = (asked: Buffer): Question => {
    const read = readQuery(asked)
    assert.ok(typeof read === 'object')
    return read
  }
  return {
    clock,
    get: (asked: Buffer, limitBytes = 1232) => cache.get(asked, question(asked), limitBytes),
    put: (asked: Buffer, reply: Buffer) => cache.put(asked, question(asked), reply),
  }
}
const a = (ttlSeconds: number): Buffer => record(1, ttlSeconds, [192, 0, 2, 1])

test('an answer is kept until its shortest time is over, and its times count down', () => {
  const { clock, get, put } = cacheFor()
  const asked = query('a.test')
  put(asked, replyTo(asked, { answers: [a(60), a(20)] }))
  clock.advance(9_000)
  const again = query('A.Test', 1, { id: 77 })
  const found = get(again)
  assert.ok(found)
  assert.equal(found.readUInt16BE(0), 77)
  assert.deepEqual(found.subarray(12, 24), again.subarray(12, 24), 'spelled as it was asked')
  assert.equal(found.readUInt32BE(24 + 6), 51)
  assert.equal(found.readUInt32BE(24 + 16 + 6), 11)
  assert.equal(get(query('a.test', 28)), undefined)
  assert.equal(get(query('a.test', 1, { edns: 1232 })), undefined, 'who speaks EDNS gets an answer with EDNS')
  assert.equal(get(again, 40), undefined, 'too large for this asker')
  clock.advance(11_000)
  assert.equal(get(again), undefined)
})

test('that a name is not there is kept as long as its zone says', () => {
  for (const code of [0, 3]) {
    const { clock, get, put } = cacheFor()
    const asked = query('no.test')
    put(asked, replyTo(asked, { code, authorities: [soa(600, 30)] }))
    assert.ok(get(asked))
    clock.advance(30_000)
    assert.equal(get(asked), undefined)
    put(asked, replyTo(asked, { code }))
    assert.equal(get(asked), undefined, 'without its word nothing is kept')
  }
})

test('nothing is kept that failed, was cut, is good for no time, or cannot be read', () => {
  const { get, put } = cacheFor()
  const asked = query('a.test')
  const whole = replyTo(asked, { answers: [a(60)] })
  const cut = Buffer.from(whole)
  cut.writeUInt8(cut.readUInt8(2) | 2, 2)
  for (const reply of [
    replyTo(asked, { code: 2, answers: [a(60)] }),
    cut,
    replyTo(asked, { answers: [a(0)] }),
    replyTo(asked, { answers: [a(2 ** 31)] }),
    whole.subarray(0, -1),
  ]) {
    put(asked, reply)
    assert.equal(get(asked), undefined)
  }
})

test('their number is bounded; the longest unused goes first', () => {
  const { get, put } = cacheFor()
  const name = (index: number): Buffer => query(`h${index}.test`)
  for (let index = 0; index < 1000; index++) put(name(index), replyTo(name(index), { answers: [a(60)] }))
  assert.ok(get(name(0)))
  put(name(1000), replyTo(name(1000), { answers: [a(60)] }))
  assert.ok(get(name(0)))
  assert.equal(get(name(1)), undefined)
})

test('no reply, however broken, is a bug', () => {
  const { get, put } = cacheFor()
  const random = seeded(3)
  const asked = query('a.test')
  const good = replyTo(asked, { answers: [a(60), soa(5, 5)], authorities: [soa(60, 60)] })
  for (let round = 0; round < 5000; round++) {
    const reply = Buffer.from(good)
    for (let changes = random.index(8); changes >= 0; changes--) {
      reply[2 + random.index(reply.length - 2)] = random.index(256)
    }
    put(asked, reply.subarray(0, 24 + random.index(reply.length - 24)))
    get(asked)
  }
})
