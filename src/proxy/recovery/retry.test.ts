import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { createTimerWheel } from '../../base/timer-wheel.ts'
import type { RetryCause, RetryPolicy } from '../config.ts'
import { bytesBody, type Body } from '../http/body.ts'
import type { Fault } from '../http/fault.ts'
import { headerField } from '../http/headers.ts'
import { isFault, type Call, type Reply, type Service } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { envoyLimits } from '../config/priority.ts'
import { compileRetryTests } from '../route/header-match.ts'
import { createRetryBudget, createRetryBudgets } from './budget.ts'
import { deadline } from './deadline.ts'
import { retry } from './retry.ts'

const at = (port: number) => ({ host: '10.0.0.1', port })
const refused = (port = 1): Fault => ({
  kind: 'connect-failed',
  side: 'upstream',
  retry: 'safe',
  endpoint: at(port),
  cause: 'refused',
})
const unprocessed: Fault = { kind: 'not-processed', side: 'upstream', retry: 'safe', endpoint: at(1), cause: 'GOAWAY' }
const reset = (sentBytes: number): Fault => ({
  kind: 'reset',
  side: 'upstream',
  retry: 'if-idempotent',
  endpoint: at(1),
  sentBytes,
  cause: 'RST',
})

const policy = (more: Partial<RetryPolicy> = {}): RetryPolicy => ({
  retries: 2,
  on: new Set(['connect-failure', 'refused-stream', 'reset-before-request']),
  onIfIdempotent: new Set(['reset']),
  perTryTimeoutMs: 0,
  backoffBaseMs: 25,
  backoffMaxMs: 250,
  hostSelectionAttempts: 5,
  ...more,
})

/** Answers in order, the last one for ever; each attempt goes to another endpoint. */
function world(
  answers: readonly (Fault | Reply)[],
  more: Partial<RetryPolicy> = {},
  limits = { retryBudgetPercent: 20, minRetryConcurrency: 3 },
) {
  const clock = manualClock()
  const budget = createRetryBudget(limits)
  const wheel = createTimerWheel(clock, 1)
  const seen: string[] = []
  const next: Service = async (call) => {
    const answer = answers[Math.min(call.trace.attempts, answers.length - 1)] ?? makeReply()
    call.trace.attempts++
    call.trace.endpoint = at(call.trace.attempts)
    seen.push(await textOf(call.body))
    return answer
  }
  const tests = compileRetryTests(more)
  const service = retry(policy(more), { budget, random: seeded(1), wheel, clock, tests })(next)
  /** Lets time pass until the call is answered. */
  const run = async (call: Call): Promise<Reply | Fault> => {
    let answer: Reply | Fault | undefined
    void service(call).then((one) => (answer = one))
    for (let turns = 0; answer === undefined && turns < 1_000; turns++) {
      await new Promise((resolve) => setImmediate(resolve))
      clock.advance(1)
    }
    assert.ok(answer, 'answered')
    return answer
  }
  return { clock, budget, seen, run, service }
}

function textOf(body: Body): Promise<string> {
  let text = ''
  return new Promise((resolve) =>
    body.start({
      data: (chunk) => ((text += chunk.toString('latin1')), true),
      end: () => resolve(text),
      fail: (fault) => resolve(`${text}!${fault.kind}`),
    }),
  )
}

test('a listed status is tried again, for idempotent methods only, and an unlisted one is not', async () => {
  const policyOf = { on: new Set(['retriable-status-codes'] as const), statusCodes: new Set([429, 503]) }
  const sent = async (status: number, method: string): Promise<readonly unknown[]> => {
    const { run, seen } = world([makeReply(status), makeReply(200)], policyOf)
    const answer = await run(makeCall({ method }))
    return [isFault(answer) || answer.status, seen.length]
  }
  assert.deepEqual(await sent(503, 'GET'), [200, 2])
  assert.deepEqual(await sent(429, 'PUT'), [200, 2])
  assert.deepEqual(await sent(500, 'GET'), [500, 1])
  assert.deepEqual(await sent(503, 'POST'), [503, 1])
})

test('a reply is tried again for its headers or status, whatever they are, for idempotent methods only', async () => {
  const policyOf: Partial<RetryPolicy> = {
    on: new Set(['retriable-headers']),
    replyHeaders: [
      { name: 'x-again', match: { kind: 'exact', value: 'yes', ignoreCase: false }, invert: false },
      { name: ':status', match: { kind: 'range', start: 520, end: 530 }, invert: false },
    ],
  }
  const sent = async (reply: Reply, method = 'GET', more = policyOf): Promise<readonly unknown[]> => {
    const { run, seen } = world([reply, makeReply(201)], more)
    const answer = await run(makeCall({ method }))
    return [isFault(answer) || answer.status, seen.length]
  }
  const saying = (value: string): Reply => ({ ...makeReply(200), headers: [headerField('x-again', value)] })
  assert.deepEqual(await sent(saying('yes')), [201, 2])
  assert.deepEqual(await sent(saying('no')), [200, 1])
  assert.deepEqual(await sent(saying('yes'), 'POST'), [200, 1])
  assert.deepEqual(await sent(makeReply(525)), [201, 2])
  assert.deepEqual(await sent(makeReply(530)), [530, 1])
  assert.deepEqual(await sent(saying('yes'), 'GET', { ...policyOf, on: new Set(['5xx']) }), [200, 1])
})

test('only requests that the policy means by their headers are tried again, whatever failed', async () => {
  const requestHeaders = [
    { name: 'x-again', match: undefined, invert: false },
    { name: ':method', match: { kind: 'exact', value: 'HEAD', ignoreCase: false }, invert: false },
  ] as const
  const sent = async (more: Parameters<typeof makeCall>[0], first: Reply | Fault = makeReply(503)): Promise<number> => {
    const { run, seen } = world([first, makeReply(200)], { on: new Set(['5xx']), requestHeaders })
    await run(makeCall(more))
    return seen.length
  }
  assert.equal(await sent({}), 1)
  assert.equal(await sent({}, refused()), 1)
  assert.equal(await sent({ headers: { 'x-again': '' } }), 2)
  assert.equal(await sent({ method: 'HEAD' }), 2)
})

test('409 is tried again for retriable-4xx, for idempotent methods only; no other 4xx is', async () => {
  const sent = async (status: number, method: string, on: RetryCause): Promise<readonly unknown[]> => {
    const { run, seen } = world([makeReply(status), makeReply(200)], { on: new Set([on]) })
    const answer = await run(makeCall({ method }))
    return [isFault(answer) || answer.status, seen.length]
  }
  assert.deepEqual(await sent(409, 'GET', 'retriable-4xx'), [200, 2])
  assert.deepEqual(await sent(409, 'POST', 'retriable-4xx'), [409, 1])
  assert.deepEqual(await sent(404, 'GET', 'retriable-4xx'), [404, 1])
  assert.deepEqual(await sent(503, 'GET', 'retriable-4xx'), [503, 1])
  assert.deepEqual(await sent(409, 'GET', '5xx'), [409, 1])
})

test('what a rate limit refused is tried again for that alone, whatever the method', async () => {
  const sent = async (
    reply: Reply,
    more: Partial<RetryPolicy>,
    call: Call = makeCall(),
  ): Promise<readonly unknown[]> => {
    const limited = { ...reply, headers: [...reply.headers, headerField('x-envoy-ratelimited', 'true')] }
    const { run, seen } = world([limited, makeReply(200)], more)
    const answer = await run(call)
    return [isFault(answer) || answer.status, seen.length]
  }
  const limits: Partial<RetryPolicy> = { on: new Set(['envoy-ratelimited']) }
  const others: Partial<RetryPolicy> = {
    on: new Set(['5xx', 'retriable-status-codes', 'unavailable']),
    statusCodes: new Set([429]),
  }
  const post = (): Call => makeCall({ method: 'POST' })
  const unavailable: Reply = { ...makeReply(), headers: [headerField('grpc-status', '14')] }
  assert.deepEqual(await sent(makeReply(429), limits, post()), [200, 2])
  assert.deepEqual(await sent(unavailable, limits, post()), [200, 2])
  assert.deepEqual(await sent(makeReply(429), limits, makeCall({ upgrade: 'websocket' })), [429, 1])
  assert.deepEqual(await sent(makeReply(429), others), [429, 1])
  assert.deepEqual(await sent(makeReply(503), others), [503, 1])
  assert.deepEqual(await sent(unavailable, others, post()), [200, 1])
})

test('a least wait holds for every retry, also after a safe failure', async () => {
  const { run, clock } = world([refused(1), refused(2), makeReply(200)], { backoffAtLeastMs: 100, backoffBaseMs: 10 })
  const startMs = clock.nowMs()
  await run(makeCall())
  const tookMs = clock.nowMs() - startMs
  assert.ok(tookMs >= 200 && tookMs < 240, `${tookMs} ms`)
})

test('a connect failure is tried again at once, elsewhere, with any method and the same body', async () => {
  const { run, seen, clock, budget } = world([refused(1), makeReply(201)])
  const call = makeCall({ method: 'POST', body: bytesBody(Buffer.from('order')) })
  const answer = await run(call)
  assert.equal(!isFault(answer) && answer.status, 201)
  assert.deepEqual(seen, ['order', 'order'])
  assert.deepEqual(call.trace.tried, ['10.0.0.1:1'])
  assert.equal(call.trace.attempts, 2)
  assert.ok(clock.nowMs() <= 1, 'no backoff')
  assert.equal(budget.activeRetries, 0)
  assert.equal(budget.activeCalls, 1)
  call.end({ status: 201, fault: undefined })
  assert.equal(budget.activeCalls, 0)
})

test('never more attempts than the policy allows', async () => {
  const { run } = world([refused()])
  const call = makeCall()
  assert.ok(isFault(await run(call)))
  assert.equal(call.trace.attempts, 3)
  assert.deepEqual(call.trace.tried, ['10.0.0.1:1', '10.0.0.1:2'])
})

const verdicts: readonly (readonly [
  name: string,
  method: string,
  answer: Fault | Reply,
  more: Partial<RetryPolicy>,
  again: boolean,
])[] = [
  ['POST after a reset that got bytes across', 'POST', reset(10), {}, false],
  ['GET after a reset', 'GET', reset(10), {}, true],
  ['POST after a reset before any byte', 'POST', reset(0), {}, true],
  ['POST that was provably not processed', 'POST', unprocessed, {}, true],
  ['PUT after a reset', 'PUT', reset(10), {}, true],
  ['PATCH after a reset', 'PATCH', reset(10), {}, false],
  ['GET after a reset that the policy does not name', 'GET', reset(10), { onIfIdempotent: new Set() }, false],
  [
    'connect failure that the policy does not name',
    'GET',
    refused(),
    { on: new Set(['reset']), onIfIdempotent: new Set() },
    false,
  ],
  ['GET answered 503 under 5xx', 'GET', makeReply(503), { on: new Set(['5xx']) }, true],
  ['GET answered 500 under gateway-error', 'GET', makeReply(500), { on: new Set(['gateway-error']) }, false],
  ['GET answered 502 under gateway-error', 'GET', makeReply(502), { onIfIdempotent: new Set(['gateway-error']) }, true],
  ['POST answered 503 under 5xx', 'POST', makeReply(503), { on: new Set(['5xx']) }, false],
  ['GET answered 404 under 5xx', 'GET', makeReply(404), { on: new Set(['5xx']) }, false],
  [
    'denied',
    'GET',
    { kind: 'denied', side: 'self', retry: 'never', principal: undefined, policy: '', reason: '' },
    { on: new Set(['5xx', 'reset']) },
    false,
  ],
  [
    'no endpoint',
    'GET',
    { kind: 'no-endpoint', side: 'upstream', retry: 'safe', cluster: 'c' },
    { on: new Set(['5xx', 'connect-failure']) },
    false,
  ],
]
for (const [name, method, answer, more, again] of verdicts)
  test(`${name}: ${again ? 'tried again' : 'final'}`, async () => {
    const { run } = world([answer, makeReply()], more)
    const call = makeCall({ method })
    await run(call)
    assert.equal(call.trace.attempts, again ? 2 : 1)
  })

test('an upgrade is not idempotent', async () => {
  const call = makeCall({ upgrade: 'websocket' })
  await world([reset(10), makeReply()]).run(call)
  assert.equal(call.trace.attempts, 1)
})

test('a reply that is given up is cancelled', async () => {
  let cancelled = 0
  const body: Body = { length: undefined, start() {}, resume() {}, cancel: () => void cancelled++ }
  await world([{ status: 503, headers: [], body }, makeReply()], { on: new Set(['5xx']) }).run(makeCall())
  assert.equal(cancelled, 1)
})

test('the budget ends retries: a share of the active calls, and a few in any case', async () => {
  const { run, budget } = world([unprocessed, makeReply()], {}, { retryBudgetPercent: 20, minRetryConcurrency: 1 })
  assert.ok(budget.take())
  const call = makeCall()
  assert.ok(isFault(await run(call)), 'the one place is taken')
  for (let count = 0; count < 9; count++) budget.began()
  assert.ok(!isFault(await run(makeCall())), '20 % of 11 calls are 2')
})

test('calls of an interval count for the budget after they have ended, for as long as it says', () => {
  const clock = manualClock()
  const limits = { retryBudgetPercent: 20, minRetryConcurrency: 1, retryBudgetIntervalMs: 10_000 }
  const budget = createRetryBudget(limits, () => clock.nowMs())
  const room = (): number => {
    let taken = 0
    while (budget.take()) taken++
    for (let one = 0; one < taken; one++) budget.gaveBack()
    return taken
  }
  const calls = (count: number): void => {
    for (let one = 0; one < count; one++) {
      budget.began()
      budget.ended()
    }
  }
  assert.equal(room(), 1)
  calls(50)
  assert.equal(room(), 10)
  clock.advance(5_000)
  calls(50)
  assert.equal(room(), 20)
  clock.advance(5_000)
  assert.equal(room(), 10)
  clock.advance(4_999)
  assert.equal(room(), 10)
  clock.advance(1)
  assert.equal(room(), 1)
  calls(5)
  clock.advance(1_000_000)
  assert.equal(room(), 1)
  for (let one = 0; one < 50; one++) budget.began() // these go on
  clock.advance(20_000)
  assert.equal(room(), 10)
  budget.limits = { retryBudgetPercent: 20, minRetryConcurrency: 1 }
  budget.began()
  assert.equal(room(), 10)
})

test('a refused connection is tried elsewhere even when the budget is spent: it cost nobody anything', async () => {
  const { run, budget } = world([refused(), makeReply()], {}, { retryBudgetPercent: 0, minRetryConcurrency: 1 })
  assert.ok(budget.take())
  assert.ok(!isFault(await run(makeCall())))
  assert.equal(budget.activeRetries, 1)
})

test('what was lost with its shared connection is repeated once whatever the budget has left, and then within it', async () => {
  const lost = { ...reset(9), withConnection: true } as Fault
  const spent = { retryBudgetPercent: 0, minRetryConcurrency: 1 }
  const get = async (...answers: (Fault | Reply)[]): Promise<number> => {
    const { run, budget, seen } = world(answers, {}, spent)
    assert.ok(budget.take())
    await run(makeCall({ method: 'GET' }))
    assert.equal(budget.activeRetries, 1)
    return seen.length
  }
  assert.equal(await get(lost, makeReply()), 2)
  assert.equal(await get(lost, lost, makeReply()), 2, 'the second time it needs a place')
  assert.equal(await get(reset(9), makeReply()), 1, 'a call that was reset alone needs one at once')
})

test('budgets stay when limits change, and go with their cluster', () => {
  const budgets = createRetryBudgets()
  const limits = { ...envoyLimits, minRetryConcurrency: 1 }
  const budget = budgets.of({ name: 'a', limits })
  assert.ok(budget.take())
  assert.ok(!budget.take())
  assert.equal(budgets.of({ name: 'a', limits: { ...limits, minRetryConcurrency: 2 } }), budget)
  assert.ok(budget.take())
  assert.ok(budgets.of({ name: 'a', limits, priority: 'high' }).take(), 'high priority has its own')
  budgets.retain(new Set(['b']))
  assert.notEqual(budgets.of({ name: 'a', limits }), budget)
})

test('later retries wait, and a cancelled call does not wait on', async () => {
  const { service, clock, budget } = world([unprocessed], { retries: 3, backoffBaseMs: 1_000, backoffMaxMs: 5_000 })
  const call = makeCall()
  let answer: Reply | Fault | undefined
  void service(call).then((one) => (answer = one))
  for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(call.trace.attempts, 2, 'the second retry waits')
  assert.equal(answer, undefined)
  assert.equal(budget.activeRetries, 1, 'a retry in backoff counts')
  const gone: Fault = { kind: 'client-gone', side: 'downstream', retry: 'never', cause: 'closed' }
  call.cancel(gone)
  for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(answer, gone)
  assert.equal(budget.activeRetries, 0)
  clock.advance(10_000)
  assert.equal(call.trace.attempts, 2)
  assert.equal(clock.pending, 0)
})

/** An upstream that never answers until it is cancelled. */
const silent: Service = (call) =>
  new Promise((resolve) => {
    call.trace.attempts++
    call.onCancel(resolve)
  })

test('the deadline ends the call and is not retried; a call that ended leaves no timer', async () => {
  const clock = manualClock()
  const wheel = createTimerWheel(clock, 1)
  const layer = deadline({ timeoutMs: 100 }, { wheel, clock })
  const service = layer(
    retry(policy({ on: new Set(['reset']) }), {
      budget: createRetryBudget({ retryBudgetPercent: 0, minRetryConcurrency: 3 }),
      random: seeded(1),
      wheel,
      clock,
    })(silent),
  )
  const call = makeCall()
  const answer = service(call)
  clock.advance(103)
  assert.deepEqual(await answer, {
    kind: 'timeout',
    side: 'upstream',
    retry: 'if-idempotent',
    what: 'request',
    timeoutMs: 100,
  })
  assert.equal(call.trace.attempts, 1)
  const second = makeCall()
  void service(second)
  second.end({ status: 200, fault: undefined })
  clock.advance(1_000)
  assert.equal(clock.pending, 0)
})

test('an attempt that takes too long is given up and tried again, the call stays alive', async () => {
  const clock = manualClock()
  const wheel = createTimerWheel(clock, 1)
  const parts = {
    budget: createRetryBudget({ retryBudgetPercent: 0, minRetryConcurrency: 3 }),
    random: seeded(1),
    wheel,
    clock,
  }
  const service = retry(
    policy({ perTryTimeoutMs: 50 }),
    parts,
  )((call) => (call.trace.attempts === 0 ? silent(call) : Promise.resolve(makeReply())))
  let answer: Reply | Fault | undefined
  const call = makeCall()
  void service(call).then((one) => (answer = one))
  for (let turns = 0; turns < 200 && answer === undefined; turns++) {
    clock.advance(1)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.ok(answer && !isFault(answer))
  assert.ok(clock.nowMs() >= 50)
  const cancelled = makeCall()
  const other = service(cancelled)
  const gone: Fault = { kind: 'client-gone', side: 'downstream', retry: 'never', cause: 'closed' }
  cancelled.cancel(gone)
  assert.equal(await other, gone, 'the attempt hears of the whole call, too')
})

test('without retries the layer only counts', async () => {
  const budget = createRetryBudget({ retryBudgetPercent: 0, minRetryConcurrency: 0 })
  const clock = manualClock()
  const wheel = createTimerWheel(clock)
  const call = makeCall()
  const service = retry(undefined, { budget, random: seeded(1), wheel, clock })(() => Promise.resolve(refused()))
  assert.ok(isFault(await service(call)))
  assert.equal(budget.activeCalls, 1)
  call.end({ status: 503, fault: refused() })
  assert.equal(budget.activeCalls, 0)
})

test('a body of which more than 64 KiB went out is not sent again; one that nobody asked for is', async () => {
  const large = () => makeCall({ method: 'POST', body: bytesBody(Buffer.alloc(64 * 1024 + 1, 'x')) })
  const sent = large()
  assert.equal(await world([unprocessed, makeReply()]).run(sent), unprocessed)
  assert.equal(sent.trace.attempts, 1)
  const unsent = large()
  const clock = manualClock()
  const wheel = createTimerWheel(clock, 1)
  const budget = createRetryBudget({ retryBudgetPercent: 0, minRetryConcurrency: 3 })
  const service = retry(policy(), { budget, random: seeded(1), wheel, clock })((call) =>
    call.trace.attempts++ === 0
      ? Promise.resolve(refused())
      : textOf(call.body).then((text) => makeReply(text.length > 65_536 ? 201 : 500)),
  )
  const answer = await service(unsent)
  assert.equal(!isFault(answer) && answer.status, 201)
})

test('a route may say how much of a body is kept', async () => {
  for (const [limitBytes, attempts] of [
    [3, 1],
    [5, 2],
  ] as const) {
    const clock = manualClock()
    const budget = createRetryBudget({ retryBudgetPercent: 100, minRetryConcurrency: 3 })
    const parts = { budget, random: seeded(1), wheel: createTimerWheel(clock, 1), clock, limitBytes }
    const service = retry(
      policy(),
      parts,
    )((call) => {
      call.trace.attempts++
      return textOf(call.body).then(() => (call.trace.attempts === 1 ? unprocessed : makeReply()))
    })
    const call = makeCall({ method: 'POST', body: bytesBody(Buffer.from('order')) })
    await service(call)
    assert.equal(call.trace.attempts, attempts)
  }
})

test('a reply that asks for time gets it, and is the answer where the caller does not wait that long', async () => {
  const asking: Reply = { ...makeReply(503), headers: [headerField('retry-after', '1')] }
  const rules = {
    on: new Set(['5xx'] as const),
    askedWait: { resetHeaders: [{ name: 'retry-after', says: 'seconds' as const }], mostMs: 5000 },
  }
  const patient = world([asking, makeReply(200)], rules)
  const call = makeCall()
  let answer: Reply | Fault | undefined
  void patient.service(call).then((one) => (answer = one))
  await settle()
  patient.clock.advance(999)
  await settle()
  assert.equal(call.trace.attempts, 1)
  patient.clock.advance(502)
  await settle()
  assert.ok(answer !== undefined && !isFault(answer) && answer.status === 200)

  const hurried = world([asking, makeReply(200)], rules)
  const other = makeCall({ deadlineMs: 900 })
  const said = await hurried.run(other)
  assert.ok(!isFault(said) && said.status === 503)
  assert.equal(other.trace.attempts, 1)
})

const settle = async (): Promise<void> => {
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve))
}
