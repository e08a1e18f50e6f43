import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import type { HealthCheck } from '../config.ts'
import { nextCheckMs, noteProbe, type Probe, type ProbeResult } from './probe.ts'

const thresholds = { healthyThreshold: 2, unhealthyThreshold: 3 }
const good: ProbeResult = { kind: 'passed', degraded: false }
const tired: ProbeResult = { kind: 'passed', degraded: true }
const silent: ProbeResult = { kind: 'failed', wrong: false, why: 'silence' }
const wrong: ProbeResult = { kind: 'failed', wrong: true, why: 'status 500' }

/** Status after each result; "!" where calls must see it otherwise. */
function story(first: Probe['status'], ...results: ProbeResult[]): string[] {
  const probe: Probe = { status: first, degraded: false, contrary: 0, why: '' }
  return results.map((result) => {
    const changed = noteProbe(probe, result, thresholds)
    return `${probe.status}${probe.degraded ? ' degraded' : ''}${changed ? '!' : ''}`
  })
}

test('a new endpoint needs one good answer', () => {
  assert.deepEqual(story('new', good, good), ['healthy!', 'healthy'])
  assert.deepEqual(story('new', silent, good, good), ['failed!', 'failed', 'healthy!'])
})
test('one that was there before is believed in until the first result, whatever that is', () => {
  assert.deepEqual(story('unchecked', good), ['healthy!'])
  assert.deepEqual(story('unchecked', silent), ['failed!'])
})
test('a healthy one may be silent for a while; a wrong answer is enough', () => {
  assert.deepEqual(story('healthy', silent, silent, good, silent, silent, silent), [
    'healthy',
    'healthy',
    'healthy',
    'healthy',
    'healthy',
    'failed!',
  ])
  assert.deepEqual(story('healthy', wrong), ['failed!'])
})
test('an ill one has to answer well twice in a row', () => {
  assert.deepEqual(story('failed', good, silent, good, good), ['failed', 'failed', 'failed', 'healthy!'])
})
test('degraded comes and goes with the answers', () => {
  assert.deepEqual(story('healthy', tired, tired, good), ['healthy degraded!', 'healthy degraded', 'healthy!'])
})

const check: HealthCheck = {
  probe: { kind: 'tcp', send: Buffer.alloc(0), receive: [] },
  timeoutMs: 1,
  intervalMs: 1_000,
  initialJitterMs: 0,
  intervalJitterMs: 0,
  intervalJitterPercent: 0,
  unhealthyThreshold: 1,
  healthyThreshold: 1,
  noTrafficIntervalMs: 60_000,
  noTrafficHealthyIntervalMs: 90_000,
  unhealthyIntervalMs: 2_000,
  unhealthyEdgeIntervalMs: 100,
  healthyEdgeIntervalMs: 200,
  reuseConnection: true,
}
test('when the next check follows', () => {
  const next = (healthy: boolean, changed: boolean, used: boolean) =>
    nextCheckMs(check, { healthy, changed, used }, seeded(1))
  assert.deepEqual(
    [next(true, false, true), next(true, true, true), next(false, false, true), next(false, true, true)],
    [1_000, 200, 2_000, 100],
  )
  assert.deepEqual([next(false, true, false), next(true, false, false)], [60_000, 90_000])
})
test('jitter comes on top, as time and as a share of the interval', () => {
  const random = seeded(5)
  const state = { healthy: true, changed: false, used: true }
  const jittered = { ...check, intervalJitterMs: 100, intervalJitterPercent: 50 }
  const all = Array.from({ length: 200 }, () => nextCheckMs(jittered, state, random))
  assert.ok(Math.min(...all) >= 1_000 && Math.max(...all) > 1_450 && Math.max(...all) < 1_600)
})
