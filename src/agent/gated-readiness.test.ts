import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settable } from '../base/watchable.ts'
import type { ControlSession } from './control-session.ts'
import { whileServing } from './gated-readiness.ts'

const listening = (): { session: ControlSession; heard: string[] } => {
  const heard: string[] = []
  const session: ControlSession = {
    setReadiness: ({ ready, reason }) => void heard.push(ready ? 'ready' : reason),
    drain: () => Promise.resolve([]),
    leave: () => Promise.resolve(),
  }
  return { session, heard }
}

test('while the proxy is out of service the program is not ready, and then what it said last', () => {
  const { session, heard } = listening()
  const outOfService = settable<string | undefined>(undefined)
  const gated = whileServing(session, { outOfService })
  outOfService.set('restarts')
  outOfService.set(undefined)
  assert.deepEqual(heard, [], 'the program has not said anything yet')
  gated.setReadiness({ ready: true, reason: '' })
  outOfService.set('restarts')
  gated.setReadiness({ ready: false, reason: 'warming up' })
  gated.setReadiness({ ready: true, reason: '' })
  outOfService.set(undefined)
  assert.deepEqual(heard, ['ready', 'restarts', 'restarts', 'restarts', 'ready'])
})

test('a proxy that is never out of service leaves the session as it is', () => {
  const { session } = listening()
  assert.equal(whileServing(session, {}), session)
})
