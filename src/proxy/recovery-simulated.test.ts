import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../base/random.ts'
import { manualClock } from '../base/testing/manual-clock.ts'
import { createTimerWheel } from '../base/timer-wheel.ts'
import { createBalancer } from './balance/balancer.ts'
import { createEndpointStates } from './balance/endpoint-state.ts'
import { select } from './balance/select.ts'
import type { OutlierDetection, RetryPolicy } from './config.ts'
import type { Fault } from './http/fault.ts'
import { isFault, stack, type Reply } from './http/service.ts'
import { makeCall, makeReply } from './http/testing/fake-call.ts'
import { createRetryBudget } from './recovery/budget.ts'
import { retry } from './recovery/retry.ts'
import { buildCluster, outlierRules } from './testing/build-config.ts'

// Balancing, outlier detection, retries and their budget together, over manual time and with seeded chance. The same by real processes:
// tests/flows/recovery-bounds.long.test.ts.

const rules: OutlierDetection = { ...outlierRules, maxEjectionPercent: 50 }
const policy: RetryPolicy = {
  retries: 2,
  on: new Set(['connect-failure', 'refused-stream', 'reset-before-request']),
  onIfIdempotent: new Set(['reset', 'gateway-error']),
  perTryTimeoutMs: 100,
  backoffBaseMs: 25,
  backoffMaxMs: 250,
  hostSelectionAttempts: 5,
}
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** What an ill endpoint does with a call; `breaks`: in the middle of its reply. */
interface Ill {
  readonly afterMs: number
  readonly answer?: (endpoint: { host: string; port: number }) => Reply | Fault
  readonly breaks?: boolean
}
const side = 'upstream'
const ills = {
  killed: {
    afterMs: 1,
    answer: (endpoint) => ({ kind: 'connect-failed', side, retry: 'safe', endpoint, cause: 'refused' }),
  },
  reset: {
    afterMs: 1,
    answer: (endpoint) => ({ kind: 'reset', side, retry: 'if-idempotent', endpoint, sentBytes: 10, cause: 'RST' }),
  },
  'a burst of 503': { afterMs: 1, answer: () => makeReply(503) },
  'a black hole': { afterMs: Infinity },
  slow: { afterMs: 60 },
  'reset in mid-reply': { afterMs: 1, breaks: true },
} satisfies Record<string, Ill>

interface Outcome {
  /** Calls that were not answered well. */
  readonly failed: number
  /** Attempts that were made besides the first of each call. */
  readonly extra: number
  /** Calls that each port answered in the second half of the illness. */
  readonly shares: ReadonlyMap<number, number>
}

/** One call a millisecond for three seconds, of which the second one finds `sick` of the endpoints ill. The first half of them are the near ones. */
async function simulate(
  ill: Ill,
  sick: readonly number[],
  { outlierDetection = rules, endpoints = 4 } = {},
): Promise<Outcome> {
  const clock = manualClock(1)
  const random = seeded(11)
  const wheel = createTimerWheel(clock, 1)
  const plain = buildCluster(
    'web',
    Array.from({ length: endpoints }, (_, index) => ({ host: '10.0.0.1', port: index + 1 })),
    { outlierDetection, loadBalancing: { kind: 'peak-ewma', defaultRttMs: 30, decayMs: 10_000 } },
  )
  const cluster = {
    ...plain,
    endpoints: plain.endpoints.map((one) => ({ ...one, priority: one.address.port <= endpoints / 2 ? 0 : 1 })),
  }
  const balancer = createBalancer(cluster, createEndpointStates(), random, clock)
  const budget = createRetryBudget({ retryBudgetPercent: 20, minRetryConcurrency: 10 })
  const isIll = (port: number): boolean => sick.includes(port) && clock.nowMs() > 1000 && clock.nowMs() <= 2000
  let attempts = 0
  const broken = new Set<object>()
  const service = stack(
    [retry(policy, { budget, random, wheel, clock })],
    select({
      cluster: 'web',
      balancer,
      send: (call, { endpoint: { address } }) => {
        attempts++
        const {
          afterMs,
          answer = () => makeReply(),
          breaks = false,
        }: Ill = isIll(address.port) ? ill : { afterMs: 2 + Math.floor(random.below(3)) }
        return new Promise((resolve) => {
          call.onCancel(resolve)
          const done = (): void => {
            if (breaks) broken.add(call.trace)
            else broken.delete(call.trace)
            resolve(answer({ ...address }))
          }
          if (afterMs !== Infinity) clock.after(afterMs, done)
        })
      },
    }),
  )
  let failed = 0
  let calls = 0
  const shares = new Map<number, number>()
  for (let ms = 0; ms < 3000; ms++) {
    const call = makeCall()
    calls++
    const late = ms > 1500 && ms <= 1900
    void service(call).then((answer) => {
      const { endpoint } = call.trace
      const cut: Fault | undefined =
        endpoint !== undefined && broken.has(call.trace)
          ? { kind: 'truncated', side, retry: 'never', endpoint, cause: 'RST' }
          : undefined
      const fault = isFault(answer) ? answer : cut
      const status = isFault(answer) ? 503 : answer.status
      call.end({ status, fault })
      if (fault !== undefined || status >= 500) failed++
      else if (late && endpoint !== undefined) shares.set(endpoint.port, (shares.get(endpoint.port) ?? 0) + 1)
    })
    clock.advance(1)
    await turn()
  }
  for (let ms = 0; ms < 500; ms++) {
    clock.advance(1)
    await turn()
  }
  assert.deepEqual([budget.activeCalls, budget.activeRetries], [0, 0], 'every call has ended')
  return { failed, extra: attempts - calls, shares }
}

/** Of 3,000 calls: so many may fail, and so many more attempts may be made, when one of the near endpoints is ill for a second. */
const bounds: Record<keyof typeof ills, { readonly failed: number; readonly extra: number }> = {
  killed: { failed: 0, extra: 10 },
  reset: { failed: 0, extra: 10 },
  'a burst of 503': { failed: 0, extra: 10 },
  // Those that were sent before the first was given up.
  'a black hole': { failed: 0, extra: 60 },
  slow: { failed: 0, extra: 0 },
  'reset in mid-reply': { failed: 10, extra: 0 },
}
for (const [name, ill] of Object.entries(ills) as [keyof typeof ills, Ill][]) {
  const bound = bounds[name]
  test(`simulation: one of two near endpoints: ${name}: at most ${bound.failed} of 3,000 calls fail, at most ${bound.extra} attempts more`, async () => {
    const { failed, extra } = await simulate(ill, [1])
    assert.ok(failed <= bound.failed, `${failed} failed`)
    assert.ok(extra <= bound.extra, `${extra} more`)
  })
}

test('simulation: half of the near zone is dead: 70 % of the calls stay, the rest goes to the next, and none fails', async () => {
  const atOnce = { ...rules, consecutive5xx: { limit: 1, enforcingPercent: 100 } }
  const { failed, shares } = await simulate(ills.killed, [1], { outlierDetection: atOnce })
  assert.equal(failed, 0)
  const near = (shares.get(2) ?? 0) / [...shares.values()].reduce((sum, one) => sum + one, 0)
  assert.ok(near > 0.62 && near < 0.78, `${near}`)
})

test('simulation: all are ill at once: the budget bounds what retries add', async () => {
  const { failed, extra } = await simulate(ills['a burst of 503'], [1, 2, 3, 4])
  assert.ok(failed > 500, `${failed} failed`)
  // Without it each of the thousand would be sent three times.
  assert.ok(extra < 700, `${extra} more`)
})

for (const [what, sick] of [
  ['most', [1, 2, 3, 4, 5, 6, 7]],
  ['all', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
] as const)
  test(`simulation: ${what} of the near zone is killed at once: none fails, although each call has three attempts only`, async () => {
    const { failed, extra } = await simulate(ills.killed, sick, { endpoints: 20 })
    assert.equal(failed, 0)
    assert.ok(extra < 150, `${extra} more`)
  })
