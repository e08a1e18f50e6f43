import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import type { EndpointState } from './endpoint-state.ts'
import { emptyWindow } from './window.ts'
import { expectedWaitMs, noteLatency, peakEwma } from './peak-ewma.ts'

const rules = { defaultRttMs: 30, decayMs: 10_000 }
const state = (port: number): EndpointState => ({
  endpoint: {
    address: { host: '10.0.0.1', port },
    weight: 1,
    priority: 0,
    health: 'healthy',
    locality: '',
    transport: '',
    workload: undefined,
  },
  address: `10.0.0.1:${port}`,
  healthySinceMs: 0,
  probe: undefined,
  activeCalls: 0,
  isCut: false,
  latencyMs: 0,
  latencyAtMs: 0,
  hasAnswered: false,
  onTrial: false,
  reported: undefined,
  consecutive5xx: 0,
  consecutiveGatewayFailures: 0,
  consecutiveLocalFailures: 0,
  window: emptyWindow(),
  successRate: -1,
  ejected: false,
  ejectedFor: undefined,
  ejectedUntilMs: 0,
  ejections: 0,
})
const answered = (one: EndpointState, elapsedMs: number, nowMs: number, failed = false): void =>
  noteLatency(one, { elapsedMs, failed }, rules, nowMs)

test('while none has answered each counts with the default; a new one counts as fast as the other, times what it has to do', () => {
  const [one, other] = [state(1), state(2)]
  assert.equal(expectedWaitMs(one, other, rules, 5), 30)
  answered(other, 900, 4)
  assert.equal(expectedWaitMs(one, other, rules, 5), 30, 'a first answer is a connection, too')
  answered(other, 2, 5)
  assert.equal(expectedWaitMs(one, other, rules, 5), 2)
  one.activeCalls = 2
  assert.equal(expectedWaitMs(one, other, rules, 5), 6)
})

test('a slow answer counts at once, fast ones bring it down by and by, and silence forgives', () => {
  const one = state(1)
  answered(one, 10, 0)
  answered(one, 10, 0)
  answered(one, 500, 1000)
  assert.equal(one.latencyMs, 500)
  answered(one, 10, 2000)
  assert.ok(one.latencyMs > 400 && one.latencyMs < 500, `${one.latencyMs}`)
  for (let second = 3; second <= 60; second++) answered(one, 10, second * 1000)
  assert.ok(one.latencyMs < 12, `${one.latencyMs}`)
  answered(one, 500, 61_000)
  assert.ok(expectedWaitMs(one, one, rules, 121_000) < 2)
})

test('a quick failure does not look like speed', () => {
  const one = state(1)
  answered(one, 0.2, 1000, true)
  assert.equal(one.latencyMs, 1000)
})

test('of three the slow one gets little, and its share again once it is fast', () => {
  const all = [state(1), state(2), state(3)] as const
  let now = 0
  const pick = peakEwma(all, rules, seeded(3), () => now)
  const latencyOf = (one: EndpointState, slowMs: number): number => (one === all[2] ? slowMs : 10)
  const shareOfThird = (slowMs: number, seconds: number): number => {
    let third = 0
    const calls = seconds * 100
    for (let call = 0; call < calls; call++) {
      now += 10
      const chosen = pick(undefined, 0)
      if (chosen === all[2]) third++
      answered(chosen, latencyOf(chosen, slowMs), now)
    }
    return third / calls
  }
  shareOfThird(10, 20)
  assert.ok(shareOfThird(2000, 20) < 0.05)
  shareOfThird(10, 120)
  const again = shareOfThird(10, 60)
  assert.ok(Math.abs(again - 1 / 3) < 0.1, `${again}`)
})

test('one that was slow at its start has its share again within seconds; one that is slow, or failed, is hardly asked', () => {
  const shareOf = (first: () => void, third: EndpointState, all: Parameters<typeof peakEwma>[0], laterMs: number) => {
    let now = 0
    const pick = peakEwma(all, rules, seeded(5), () => now)
    for (const one of all) for (let call = 0; call < 3; call++) answered(one, 2, now)
    first()
    let got = 0
    for (let call = 0; call < 2000; call++) {
      now += 5
      const one = pick(undefined, 0)
      answered(one, one === third ? laterMs : 2, now)
      if (one === third) got++
    }
    return got
  }
  const three = (): [EndpointState, EndpointState, EndpointState] => [state(1), state(2), state(3)]
  const fresh = three()
  const slowAtFirst = shareOf(() => answered(fresh[2], 500, 0), fresh[2], fresh, 2)
  assert.ok(slowAtFirst > 250, `${slowAtFirst} of 2000 in 10 s`)
  const slow = three()
  const always = shareOf(() => answered(slow[2], 500, 0), slow[2], slow, 500)
  assert.ok(always > 0 && always <= 10, `${always} of 2000 in 10 s`)
  const broken = three()
  // But for the times that it was drawn against itself.
  const afterFailure = shareOf(() => answered(broken[2], 3, 0, true), broken[2], broken, 2)
  assert.ok(afterFailure <= 10, `${afterFailure} of 2000 in 10 s`)
})
