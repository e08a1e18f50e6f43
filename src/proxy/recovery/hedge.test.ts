import assert from 'node:assert/strict'
import { test } from 'node:test'
import { learnedQuantile } from '../../base/learned-quantile.ts'
import { seeded } from '../../base/random.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { createTimerWheel } from '../../base/timer-wheel.ts'
import type { Hedging } from '../config.ts'
import { bytesBody, emptyBody, type Body } from '../http/body.ts'
import type { Fault } from '../http/fault.ts'
import { isFault, type Call, type Reply, type Service } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { createRetryBudget } from './budget.ts'
import { hedge, hedgeAfterMs, type HedgeOutcome } from './hedge.ts'

const fixed: Hedging = { after: { ms: 10 }, maxAttempts: 2, anyMethod: false }
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** What happens to one attempt. */
interface Deed {
  readonly afterMs: number
  readonly answer?: Reply | Fault
}

function world(
  deeds: readonly Deed[],
  policy: Hedging = fixed,
  limits = { retryBudgetPercent: 20, minRetryConcurrency: 3 },
) {
  const clock = manualClock()
  const budget = createRetryBudget(limits)
  const latency = learnedQuantile(10_000)
  const outcomes: HedgeOutcome[] = []
  const seen: { readonly call: Call; body: string; cancelled?: string; ended?: boolean }[] = []
  const next: Service = async (call) => {
    const index = seen.length
    const one: (typeof seen)[number] = { call, body: '' }
    seen.push(one)
    call.trace.endpoint = { host: '10.0.0.1', port: index + 1 }
    call.trace.attempts++
    call.body.start({ data: (chunk) => ((one.body += chunk.toString()), true), end() {}, fail() {} })
    const { afterMs, answer = makeReply() } = deeds[Math.min(index, deeds.length - 1)] ?? { afterMs: 0 }
    const ended = await new Promise<Fault | undefined>((resolve) => {
      call.onCancel((fault) => {
        one.cancelled = fault.kind
        resolve(fault)
      })
      if (afterMs > 0) clock.after(afterMs, () => resolve(undefined))
      else resolve(undefined)
    })
    if (ended !== undefined) return ended
    if (!isFault(answer)) call.onEnd(() => (one.ended = true))
    return answer
  }
  const service = hedge(policy, {
    budget,
    latency,
    wheel: createTimerWheel(clock, 1),
    nowMs: () => clock.nowMs(),
    hedged: (outcome) => outcomes.push(outcome),
  })(next)
  const run = async (call: Call): Promise<Reply | Fault> => {
    let answer: Reply | Fault | undefined
    void service(call).then((one) => (answer = one))
    for (let ms = 0; answer === undefined && ms < 1000; ms++) {
      await turn()
      if (answer === undefined) clock.advance(1)
    }
    assert.ok(answer, 'answered')
    await turn()
    return answer
  }
  return { clock, budget, latency, outcomes, seen, run }
}

const statusOf = (answer: Reply | Fault) => (isFault(answer) ? answer.kind : answer.status)
const refused: Fault = {
  kind: 'connect-failed',
  side: 'upstream',
  retry: 'safe',
  endpoint: { host: '::1', port: 1 },
  cause: '',
}

test('a quick reply is the only attempt', async () => {
  const { run, seen, outcomes } = world([{ afterMs: 9 }])
  assert.equal(statusOf(await run(makeCall())), 200)
  assert.equal(seen.length, 1)
  assert.deepEqual(outcomes, [])
})

test('a late one has company elsewhere; the quicker counts, the other is cut and nothing of it is seen', async () => {
  const { run, seen, outcomes, budget, clock } = world([{ afterMs: 500, answer: makeReply(201) }, { afterMs: 5 }])
  const call = makeCall()
  assert.equal(statusOf(await run(call)), 200)
  assert.ok(clock.nowMs() <= 18, `${clock.nowMs()} ms`)
  assert.deepEqual(
    seen.map((one) => [one.cancelled, one.call.trace.tried]),
    [
      ['outrun', []],
      [undefined, ['10.0.0.1:1']],
    ],
  )
  assert.deepEqual(outcomes, ['won'])
  assert.deepEqual([call.trace.attempts, call.trace.endpoint?.port], [2, 2])
  assert.equal(budget.activeRetries, 0)
  call.end({ status: 200, fault: undefined })
  assert.equal(seen[1]?.ended, true, 'the endpoint counts the call until it is over')
})

test('the first may still win, and then the other is cut', async () => {
  const { run, seen, outcomes } = world([{ afterMs: 14 }, { afterMs: 50 }])
  assert.equal(statusOf(await run(makeCall())), 200)
  assert.deepEqual(
    seen.map(({ cancelled }) => cancelled),
    [undefined, 'outrun'],
  )
  assert.deepEqual(outcomes, ['lost'])
})

test('a bad reply waits for the other; if both are bad the last one counts, and the first is let go', async () => {
  let let_go = 0
  const body: Body = { length: undefined, start() {}, resume() {}, cancel: () => void let_go++ }
  const bad = { status: 503, headers: [], body }
  const good = world([{ afterMs: 15, answer: bad }, { afterMs: 10 }])
  assert.equal(statusOf(await good.run(makeCall())), 200)
  assert.equal(let_go, 1)
  assert.equal(good.seen[0]?.ended, true)
  const both = world([
    { afterMs: 15, answer: bad },
    { afterMs: 10, answer: refused },
  ])
  const call = makeCall()
  assert.equal(statusOf(await both.run(call)), 'connect-failed')
  assert.deepEqual(call.trace.tried, ['10.0.0.1:1'], 'a retry knows where it was')
  const alone = world([{ afterMs: 5, answer: bad }])
  assert.equal(statusOf(await alone.run(makeCall())), 503, 'what fails early is not hedged: that is for retries')
  assert.equal(alone.seen.length, 1)
})

test('what fails while another is under way makes room for the next at once', async () => {
  const bad = { afterMs: 5, answer: makeReply(500) }
  const { run, seen, clock, budget } = world([{ afterMs: 500 }, bad, { afterMs: 2 }], { ...fixed, maxAttempts: 3 })
  assert.equal(statusOf(await run(makeCall())), 200)
  assert.equal(seen.length, 3)
  assert.ok(clock.nowMs() <= 20, `${clock.nowMs()} ms`)
  assert.equal(budget.activeRetries, 0)
})

test('a wait that is told as a timeout: its attempts are of the retries, and it says when there are no more', async () => {
  const policy: Hedging = { ...fixed, maxAttempts: 3, tellsTimeouts: true }
  const late = async (deeds: readonly Deed[], attempts = 0): Promise<unknown> => {
    const { run, seen } = world(deeds, policy)
    const told: number[] = []
    const call = makeCall()
    call.trace.attempts = attempts
    call.trace.span = {
      routed() {},
      attempt: () => undefined,
      attemptOver() {},
      adopted() {},
      ids: undefined,
      late: (one) => void told.push(one.trace.endpoint?.port ?? 0),
      forget() {},
    }
    await run(call)
    return [told.toSorted((a, b) => a - b), seen.length, call.trace.retriesSpent === true]
  }
  assert.deepEqual(await late([{ afterMs: 9 }]), [[], 1, false])
  assert.deepEqual(await late([{ afterMs: 15 }, { afterMs: 50 }]), [[1], 2, false])
  assert.deepEqual(await late([{ afterMs: 50 }, { afterMs: 50 }, { afterMs: 5 }]), [[1, 2], 3, false])
  assert.deepEqual(await late([{ afterMs: 50 }, { afterMs: 50 }, { afterMs: 15 }]), [[1, 2, 3], 3, true])
  assert.deepEqual(await late([{ afterMs: 15 }, { afterMs: 50 }], 2), [[1], 1, true])
  const bad = { afterMs: 2, answer: makeReply(500) }
  assert.deepEqual(await late([{ afterMs: 50 }, bad, bad]), [[1], 3, true])
})

test('only idempotent methods, unless told otherwise; never a change of protocol', async () => {
  const latency = learnedQuantile(1)
  const after = (method: string, upgrade?: string, policy = fixed) =>
    hedgeAfterMs(policy, { method, upgrade }, latency, 0)
  assert.deepEqual(
    ['GET', 'PUT', 'POST', 'CONNECT'].map((method) => after(method)),
    [10, 10, undefined, undefined],
  )
  const any = { ...fixed, anyMethod: true }
  assert.deepEqual(
    [after('POST', undefined, any), after('CONNECT', undefined, any), after('GET', 'websocket', any)],
    [10, undefined, undefined],
  )
})

test('a body is sent again as it was, once all of it has come', async () => {
  const { run, seen } = world([{ afterMs: 500 }, { afterMs: 5 }])
  assert.equal(statusOf(await run(makeCall({ method: 'PUT', body: bytesBody(Buffer.from('order')) }))), 200)
  assert.deepEqual(
    seen.map(({ body }) => body),
    ['order', 'order'],
  )
  const streaming = world([{ afterMs: 60 }])
  await streaming.run(makeCall({ method: 'PUT', body: { ...emptyBody, length: undefined, start() {} } }))
  assert.equal(streaming.seen.length, 1)
  const large = world([{ afterMs: 60 }])
  await large.run(makeCall({ method: 'PUT', body: bytesBody(Buffer.alloc(65 * 1024)) }))
  assert.equal(large.seen.length, 1)
})

test('the budget of retries holds for hedges too', async () => {
  const { run, seen, outcomes, budget } = world([{ afterMs: 30 }], fixed, {
    retryBudgetPercent: 0,
    minRetryConcurrency: 1,
  })
  assert.ok(budget.take())
  await run(makeCall())
  assert.equal(seen.length, 1)
  assert.deepEqual(outcomes, ['over-budget'])
})

test('whoever cancels the call cancels all attempts', async () => {
  const { run, seen, clock } = world([{ afterMs: 500 }], { ...fixed, maxAttempts: 5 })
  const call = makeCall()
  clock.after(15, () => call.cancel({ kind: 'client-gone', side: 'downstream', retry: 'never', cause: '' }))
  const answer = await run(call)
  assert.equal(statusOf(answer), 'client-gone')
  assert.deepEqual(
    seen.map(({ cancelled }) => cancelled),
    ['client-gone', 'client-gone'],
  )
})

type Latency = (unit: () => number) => number
/** 4 to 12 ms, and 2 % of the time 400 ms. */
const nowAndThenSlow: Latency = (unit) => (unit() < 0.02 ? 400 : 4 + 8 * unit())

/** 1 call a millisecond for `totalMs`. */
async function simulate(
  policy: Hedging | undefined,
  totalMs: number,
  latencyOf: Latency = nowAndThenSlow,
): Promise<{ p99: number; extra: number; waited: number[] }> {
  const clock = manualClock()
  const random = seeded(7)
  const budget = createRetryBudget({ retryBudgetPercent: 20, minRetryConcurrency: 3 })
  let sent = 0
  let concurrent = 0
  const next: Service = (call) =>
    new Promise((resolve) => {
      sent++
      const timer = clock.after(
        latencyOf(() => random.unit()),
        () => resolve(makeReply()),
      )
      call.onCancel((fault) => {
        timer.cancel()
        resolve(fault)
      })
    })
  const parts = {
    latency: learnedQuantile(30_000),
    wheel: createTimerWheel(clock, 1),
    nowMs: () => clock.nowMs(),
    hedged() {},
  }
  const service = policy === undefined ? next : hedge(policy, { ...parts, budget })(next)
  const waited: number[] = []
  for (let ms = 0; ms < totalMs; ms++) {
    const call = makeCall()
    budget.began()
    const beganMs = clock.nowMs()
    void service(call).then(() => {
      budget.ended()
      if (beganMs > 500) waited.push(clock.nowMs() - beganMs)
    })
    clock.advance(1)
    await turn()
    concurrent = Math.max(concurrent, budget.activeRetries / Math.max(15, budget.activeCalls))
  }
  assert.ok(concurrent <= 0.25, `${concurrent} of the calls under way at once are hedges`)
  const sorted = waited.toSorted((a, b) => a - b)
  return { p99: sorted[Math.floor(sorted.length * 0.99)] ?? Infinity, extra: sent / totalMs - 1, waited }
}

test('simulation: at a learnt percentile the tail falls to a tenth, for the load that the percentile says', async () => {
  const without = await simulate(undefined, 4000)
  assert.ok(without.p99 >= 400, `${without.p99} ms`)
  const learnt = await simulate({ after: { quantile: 0.95 }, maxAttempts: 2, anyMethod: false }, 4000)
  assert.ok(learnt.p99 <= 40, `${learnt.p99} ms`)
  assert.ok(learnt.extra > 0.01 && learnt.extra < 0.08, `${learnt.extra} more attempts`)
})

test('simulation: when everything becomes slow the budget bounds what hedging adds', async () => {
  const policy = { after: { ms: 5 }, maxAttempts: 3, anyMethod: false }
  const slow = await simulate(policy, 2000, (unit) => 50 + 10 * unit())
  assert.ok(slow.extra > 0.1 && slow.extra < 0.3, `${slow.extra} more attempts`)
})
