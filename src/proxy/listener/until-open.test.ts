import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { untilOpen } from './until-open.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('what cannot be opened is tried again every second, and each reason is told once', async () => {
  const clock = manualClock()
  const reasons = ['in use', 'in use', 'no such address']
  const told: string[] = []
  const opened = untilOpen(
    () => {
      const reason = reasons.shift()
      return reason === undefined ? Promise.resolve('socket') : Promise.reject(new Error(reason))
    },
    { clock, signal: new AbortController().signal, failed: (reason) => void told.push(reason) },
  )
  for (let seconds = 0; seconds < 3; seconds++) {
    await turn()
    clock.advance(1000)
  }
  assert.equal(await opened, 'socket')
  assert.deepEqual(told, ['Error: in use', 'Error: no such address'])
})

test('nobody tries for what is not wanted any more', async () => {
  const clock = manualClock()
  const unwanted = new AbortController()
  let tries = 0
  const opened = untilOpen(
    () => {
      tries++
      return Promise.reject(new Error('in use'))
    },
    { clock, signal: unwanted.signal, failed() {} },
  )
  await turn()
  unwanted.abort()
  assert.equal(await opened, undefined)
  clock.advance(5000)
  await turn()
  assert.equal(tries, 1)
})
