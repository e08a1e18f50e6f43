import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLog, type LogFields } from '../base/log.ts'
import { manualClock } from '../base/testing/manual-clock.ts'
import { createUnregisteredLog, unregisteredSentence } from './outside.ts'

test('a refused destination is told once a minute, with who asked; their number is bounded', () => {
  const clock = manualClock()
  const told: (LogFields | undefined)[] = []
  const refused = createUnregisteredLog({ ...silentLog, warn: (_sentence, fields) => told.push(fields) }, clock, {
    principal: 'spiffe://weft.local/ns/default/sa/web',
    sentence: unregisteredSentence,
  })
  refused('example.com:443')
  refused('example.com:443')
  assert.deepEqual(told, [{ destination: 'example.com:443', source: 'spiffe://weft.local/ns/default/sa/web' }])
  clock.advance(60_000)
  refused('example.com:443')
  assert.equal(told.length, 2)
  for (let host = 0; host < 1000; host++) refused(`h${host}.test:80`)
  assert.equal(told.length, 2 + 255)
  clock.advance(60_000)
  refused('again.test:80')
  assert.equal(told.length, 2 + 256)
})
