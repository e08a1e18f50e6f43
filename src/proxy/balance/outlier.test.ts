import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { manualClock, type ManualClock } from '../../base/testing/manual-clock.ts'
import type { OutlierDetection, OutlierStatistics } from '../config.ts'
import { buildCluster } from '../testing/build-config.ts'
import { createBalancer, type Balancer } from './balancer.ts'
import { createEndpointStates, type EndpointState } from './endpoint-state.ts'
import type { Verdict } from './outlier-window.ts'

const never = { limit: Infinity, enforcingPercent: 100 }
const off = { minimumHosts: 1, requestVolume: 1, enforcingPercent: 0, enforcingLocalPercent: 0 }
const statistics: OutlierStatistics = {
  successRate: { ...off, stdevFactor: 1.9 },
  failurePercentage: { ...off, threshold: 85 },
}
const rules: OutlierDetection = {
  consecutive5xx: never,
  consecutiveGatewayFailure: never,
  consecutiveLocalOriginFailure: never,
  split: false,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 100_000,
  jitterMs: 0,
  maxEjectionPercent: 100,
  passedCheckReturns: true,
  alwaysEjectOne: false,
}

interface Scene {
  readonly clock: ManualClock
  readonly balancer: Balancer
  readonly all: readonly EndpointState[]
  readonly heard: string[]
  /** So many answers of each kind from endpoint `index`. */
  readonly answers: (index: number, verdict: Verdict, times: number) => void
  readonly ejected: () => number[]
}
function scene(more: Partial<OutlierDetection>, count = 5): Scene {
  const clock = manualClock(1)
  const heard: string[] = []
  const states = createEndpointStates({
    judged: (_, address, reason, outcome) => heard.push(`${address} ${reason} ${outcome}`),
    ejected: (_, number) => heard.push(`${number} out`),
  })
  const addresses = Array.from({ length: count }, (_, index) => ({ host: '10.0.0.1', port: index }))
  const cluster = buildCluster('c', addresses, { outlierDetection: { ...rules, ...more } })
  const balancer = createBalancer(cluster, states, seeded(7), clock)
  const { all } = balancer
  return {
    clock,
    balancer,
    all,
    heard,
    answers(index, verdict, times) {
      const state = all[index]
      assert.ok(state)
      for (let count = 0; count < times; count++) balancer.report(state, verdict)
    },
    ejected() {
      balancer.pick([])
      return all.flatMap((state, index) => (state.ejected ? [index] : []))
    },
  }
}

test('gateway failures in a row: a 500 in between begins anew', () => {
  const { answers, ejected, heard } = scene({ consecutiveGatewayFailure: { limit: 3, enforcingPercent: 100 } })
  answers(0, 'gateway-failure', 2)
  answers(0, '5xx', 1)
  answers(0, 'gateway-failure', 2)
  assert.deepEqual(ejected(), [])
  answers(0, 'local-failure', 1)
  assert.deepEqual(ejected(), [0])
  assert.deepEqual(heard, ['1 out', '10.0.0.1:0 consecutive-gateway-failure ejected'].toReversed())
})

test('split: answers that did not come count for themselves', () => {
  const three = { limit: 3, enforcingPercent: 100 }
  const { answers, ejected, all } = scene({ split: true, consecutive5xx: three, consecutiveLocalOriginFailure: three })
  answers(0, '5xx', 2)
  answers(0, 'local-failure', 2)
  assert.deepEqual(ejected(), [])
  answers(0, '5xx', 1)
  assert.deepEqual([ejected(), all[0]?.ejectedFor], [[0], 'consecutive-5xx'])
  answers(1, 'local-failure', 2)
  answers(1, '5xx', 1)
  answers(1, 'local-failure', 2)
  assert.deepEqual(ejected(), [0], 'an answer of any kind ends the row')
  answers(1, 'local-failure', 1)
  assert.deepEqual([ejected(), all[1]?.ejectedFor], [[0, 1], 'consecutive-local-origin-failure'])
})

test('enforcing 30 %: about so many of those that are found out go', () => {
  let gone = 0
  const { answers, all, clock, ejected, heard } = scene({ consecutive5xx: { limit: 1, enforcingPercent: 30 } })
  for (let round = 0; round < 1_000; round++) {
    answers(0, '5xx', 1)
    if (all[0]?.ejected === true) gone++
    clock.advance(1_000_000)
    ejected()
  }
  assert.ok(Math.abs(gone - 300) < 50, String(gone))
  assert.equal(heard.filter((one) => one.endsWith('not-enforced')).length, 1_000 - gone)
})

test('at most the largest share, one in any case only where that is said, never the last', () => {
  const once = { limit: 1, enforcingPercent: 100 }
  const few = scene({ consecutive5xx: once, maxEjectionPercent: 40 })
  for (const index of [0, 1, 2]) few.answers(index, '5xx', 1)
  assert.deepEqual(few.ejected(), [0, 1])
  assert.equal(few.heard.at(-1), '10.0.0.1:2 consecutive-5xx overflow')
  const none = scene({ consecutive5xx: once, maxEjectionPercent: 10 })
  none.answers(0, '5xx', 1)
  assert.deepEqual(none.ejected(), [])
  const one = scene({ consecutive5xx: once, maxEjectionPercent: 10, alwaysEjectOne: true })
  for (const index of [0, 1]) one.answers(index, '5xx', 1)
  assert.deepEqual(one.ejected(), [0])
  const last = scene({ consecutive5xx: once }, 2)
  for (const index of [0, 1]) last.answers(index, '5xx', 1)
  assert.deepEqual(last.ejected(), [0])
})

test('ejections grow up to the longest and shrink again; jitter comes on top', () => {
  const { answers, clock, all, ejected } = scene({ consecutive5xx: { limit: 1, enforcingPercent: 100 } })
  const lengths: number[] = []
  for (let round = 0; round < 6; round++) {
    answers(0, '5xx', 1)
    const [first] = all
    assert.ok(first)
    lengths.push(first.ejectedUntilMs - clock.nowMs())
    // Half an interval in service is not yet calm; after the fifth it is calm for two.
    clock.advance(first.ejectedUntilMs - clock.nowMs() + (round === 4 ? 20_000 : 5_000))
    assert.deepEqual(ejected(), [])
  }
  assert.deepEqual(lengths, [30_000, 60_000, 90_000, 100_000, 100_000, 90_000])

  const jittered = scene({ consecutive5xx: { limit: 1, enforcingPercent: 100 }, jitterMs: 10_000 })
  for (const index of [0, 1, 2, 3]) jittered.answers(index, '5xx', 1)
  const spread = jittered.all.slice(0, 4).map(({ ejectedUntilMs }) => ejectedUntilMs - 1 - 30_000)
  assert.ok(spread.every((ms) => ms >= 0 && ms < 10_000) && new Set(spread).size === 4, spread.join(' '))
})

test('success rate: who is far below the others goes when the interval ends', () => {
  const { answers, clock, ejected, all } = scene(
    {
      statistics: {
        ...statistics,
        successRate: { ...off, minimumHosts: 5, requestVolume: 100, stdevFactor: 1.9, enforcingPercent: 100 },
      },
    },
    10,
  )
  const round = (failures: number): void => {
    for (let index = 0; index < 10; index++) {
      answers(index, 'success', index === 3 ? 100 - failures : 99)
      answers(index, '5xx', index === 3 ? failures : 1)
    }
  }
  round(40)
  assert.deepEqual(ejected(), [], 'not before the interval ends')
  clock.advance(10_000)
  answers(0, 'success', 1)
  assert.deepEqual([ejected(), all[3]?.ejectedFor, all[3]?.successRate], [[3], 'success-rate', 60])
  clock.advance(30_000)
  assert.deepEqual(ejected(), [])
  round(1)
  clock.advance(10_000)
  answers(0, 'success', 1)
  assert.deepEqual(ejected(), [], 'all alike')
})

test('success rate: nobody goes while too few have calls enough, or when the interval is long past', () => {
  const more = {
    statistics: {
      ...statistics,
      successRate: { ...off, minimumHosts: 5, requestVolume: 100, stdevFactor: 1, enforcingPercent: 100 },
    },
  }
  const few = scene(more)
  for (let index = 0; index < 4; index++) few.answers(index, index === 0 ? '5xx' : 'success', 100)
  few.answers(4, 'success', 98)
  few.clock.advance(10_000)
  few.answers(1, 'success', 1)
  assert.deepEqual(few.ejected(), [])
  const old = scene(more)
  for (let index = 0; index < 5; index++) old.answers(index, index === 0 ? '5xx' : 'success', 100)
  old.clock.advance(60_000)
  old.answers(1, 'success', 1)
  assert.deepEqual(old.ejected(), [])
})

test('failure percentage: whoever fails that often goes, however the others do', () => {
  const failurePercentage = { ...off, requestVolume: 50, threshold: 85, enforcingPercent: 100 }
  const { answers, clock, ejected, all } = scene({ statistics: { ...statistics, failurePercentage } })
  for (const [index, failures] of [50, 43, 42, 0, 20].entries()) {
    answers(index, '5xx', failures)
    answers(index, 'success', 50 - failures)
  }
  clock.advance(10_000)
  answers(3, 'success', 1)
  assert.deepEqual([ejected(), all[0]?.ejectedFor], [[0, 1], 'failure-percentage'])
})

test('split statistics: answers that did not come are judged against each other', () => {
  const failurePercentage = {
    ...off,
    requestVolume: 10,
    threshold: 50,
    enforcingPercent: 100,
    enforcingLocalPercent: 100,
  }
  const { answers, clock, ejected, all } = scene({ split: true, statistics: { ...statistics, failurePercentage } })
  for (let index = 0; index < 5; index++) answers(index, 'success', 20)
  answers(0, 'local-failure', 30)
  answers(1, '5xx', 30)
  clock.advance(10_000)
  answers(3, 'success', 1)
  assert.deepEqual(
    [ejected(), all[0]?.ejectedFor, all[1]?.ejectedFor],
    [[0, 1], 'local-origin-failure-percentage', 'failure-percentage'],
  )
})

test('a cluster that goes takes its ejections along', () => {
  const heard: string[] = []
  const states = createEndpointStates({ judged() {}, ejected: (cluster, count) => heard.push(`${cluster} ${count}`) })
  const outlierDetection = { ...rules, consecutive5xx: { limit: 1, enforcingPercent: 100 } }
  const cluster = buildCluster(
    'c',
    [1, 2].map((port) => ({ host: '10.0.0.1', port })),
    { outlierDetection },
  )
  const balancer = createBalancer(cluster, states, seeded(1), manualClock(1))
  const [first] = balancer.all
  assert.ok(first)
  balancer.report(first, '5xx')
  states.retain(new Set())
  assert.deepEqual(heard, ['c 1', 'c 0'])
})
