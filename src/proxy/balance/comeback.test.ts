import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import type { Endpoint } from '../config.ts'
import { buildCluster } from '../testing/build-config.ts'
import { createBalancer } from './balancer.ts'
import { createEndpointStates } from './endpoint-state.ts'
import { noteLatency } from './peak-ewma.ts'

const rules = { defaultRttMs: 30, decayMs: 10_000 }

test('an instance that discovery says is well again is not judged by the calls that it lost', () => {
  const clock = manualClock(1)
  const states = createEndpointStates()
  const addresses = [1, 2].map((port) => ({ host: '10.0.0.1', port }))
  const configured = (health: Endpoint['health']) => {
    const cluster = buildCluster('c', addresses, { loadBalancing: { kind: 'peak-ewma', ...rules } })
    const endpoints = cluster.endpoints.map((one, index) => (index === 0 ? { ...one, health } : one))
    return createBalancer({ ...cluster, endpoints }, states, seeded(7), clock)
  }
  const share = (balancer: ReturnType<typeof configured>): number =>
    Array.from({ length: 100 }, () => balancer.pick([])?.address).filter((one) => one === '10.0.0.1:1').length
  const [first, second] = configured('healthy').all
  assert.ok(first && second)
  noteLatency(first, { elapsedMs: 1, failed: true }, rules, clock.nowMs())
  for (let count = 0; count < 2; count++) noteLatency(second, { elapsedMs: 1, failed: false }, rules, clock.nowMs())
  first.ejected = true
  first.consecutive5xx = 4
  clock.advance(100)
  assert.equal(share(configured('unhealthy')), 0)
  clock.advance(100)
  const again = configured('healthy')
  assert.equal(first.healthySinceMs, clock.nowMs())
  assert.equal(first.consecutive5xx, 0)
  assert.ok(share(again) > 20, 'it takes its part at once')
  noteLatency(first, { elapsedMs: 1, failed: true }, rules, clock.nowMs())
  assert.ok(share(configured('healthy')) < 10, 'a new configuration alone forgives nothing')
})
