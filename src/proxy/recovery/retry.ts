import { formatAddress } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import type { TimerWheel } from '../../base/timer-wheel.ts'
import type { RetryPolicy } from '../config.ts'
import type { Fault } from '../http/fault.ts'
import { isFault, type Call, type Layer, type Reply, type Service } from '../http/service.ts'
import { askedWaitMs } from './asked-wait.ts'
import { backoffMs } from './backoff.ts'
import type { RetryBudget } from './budget.ts'
import { Replay } from './replay.ts'
import { tryWithin } from './try-timeout.ts'
import { worthRetrying, type RetryTests } from './worth-retrying.ts'

/** What retries need beside their policy. */
export interface RetryParts {
  /** Of the cluster that the call goes to. */
  readonly budget: RetryBudget
  readonly random: Random
  readonly wheel: TimerWheel
  readonly clock: Clock
  /** A request body is kept up to this size; absent: `replayLimitBytes`. */
  readonly limitBytes?: number | undefined
  /** Attempts of a hedge are of the retries too. */
  readonly hedgesCount?: boolean | undefined
  /** What the policy asks of headers; absent: nothing. */
  readonly tests?: RetryTests | undefined
}

/** A request body is kept for another attempt up to this size. */
export const replayLimitBytes: number = 64 * 1024

/**
 * Attempts again what `worthRetrying` allows, while the policy, the body and (but for refused connections, and the first time after a shared one was lost) the budget do; each attempt notes the endpoint before
 * in `trace.tried`. The first retry after a safe fault is immediate (unless the policy has a least wait), later ones wait with full jitter; what a reply asks for comes first, and up to half of it on top, so that not all come back at once. Counts every call in the
 * budget. Without retries in the policy the layer only counts.
 */
export function retry(policy: RetryPolicy | undefined, parts: RetryParts): Layer {
  const { budget, tests, limitBytes = replayLimitBytes } = parts
  if (policy === undefined || (policy.retries === 0 && policy.perTryTimeoutMs === 0))
    return (next) => (call) => {
      budget.began()
      call.onEnd(budget.ended)
      return next(call)
    }
  return (next) => {
    const once = policy.perTryTimeoutMs > 0 ? tryWithin(policy.perTryTimeoutMs, parts.wheel)(next) : next
    return (call) => {
      budget.began()
      call.onEnd(budget.ended)
      const replay = call.body.length === 0 ? undefined : new Replay(call.body, limitBytes)
      if (replay !== undefined) call.body = replay.attempt()
      return once(call).then((answer) => {
        if (worthRetrying(policy, call, answer, tests)) return attemptAgain(policy, parts, once, call, replay, answer)
        replay?.settle()
        return answer
      })
    }
  }
}

async function attemptAgain(
  policy: RetryPolicy,
  { budget, random, wheel, clock, tests, hedgesCount = false }: RetryParts,
  once: Service,
  call: Call,
  replay: Replay | undefined,
  first: Reply | Fault,
): Promise<Reply | Fault> {
  let cancelled: Fault | undefined
  let wake: (() => void) | undefined
  call.onCancel((fault) => {
    cancelled = fault
    wake?.()
  })
  const pause = (delayMs: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = wheel.after(delayMs, resolve)
      wake = () => {
        timer.cancel()
        resolve()
      }
    })
  const stopped = (): Fault | undefined => cancelled

  let answer = first
  for (let attempt = 1; attempt <= policy.retries; attempt++) {
    if (stopped() !== undefined || !worthRetrying(policy, call, answer, tests)) break
    if (hedgesCount && call.trace.attempts > policy.retries) break
    const askedMs = askedBy(policy, answer, clock)
    if (askedMs !== undefined && call.deadlineMs !== undefined && clock.nowMs() + askedMs >= call.deadlineMs) break
    const free = reachedNobody(answer) || (attempt === 1 && lostTogether(answer))
    if (replay?.possible === false || !(free || budget.take())) break
    const atLeastMs = policy.backoffAtLeastMs ?? 0
    const immediate = attempt === 1 && atLeastMs === 0 && isFault(answer) && answer.retry === 'safe'
    giveUp(call, answer)
    if (askedMs !== undefined) await pause(Math.max(atLeastMs, askedMs + random.below(askedMs / 2)))
    else if (!immediate) await pause(atLeastMs + backoffMs(attempt, policy.backoffBaseMs, policy.backoffMaxMs, random))
    const over = stopped()
    if (over === undefined) {
      if (replay !== undefined) call.body = replay.attempt()
      answer = await once(call)
    } else answer = over
    if (!free) budget.gaveBack()
  }
  replay?.settle()
  const wanted = stopped() === undefined && worthRetrying(policy, call, answer, tests)
  if (wanted && call.trace.attempts > policy.retries) call.trace.retriesSpent = true
  return answer
}

const askedBy = ({ askedWait }: RetryPolicy, answer: Reply | Fault, clock: Clock): number | undefined =>
  askedWait === undefined || isFault(answer) ? undefined : askedWaitMs(answer, askedWait, clock.wallMs())

/**
 * A refused connection cost no program anything, and when an instance dies all calls meet it at once: such retries are bounded by
 * their number alone. The budget is there to keep load from growing under failure.
 */
const reachedNobody = (answer: Reply | Fault): boolean => isFault(answer) && answer.kind === 'connect-failed'

/**
 * All calls of a shared connection are lost with it at once, and a sidecar that was killed does nothing for them any more: the first repeat
 * takes the place of the call, and is no further load. A share of them would leave the others failed.
 */
const lostTogether = (answer: Reply | Fault): boolean =>
  isFault(answer) && answer.kind === 'reset' && answer.withConnection === true

/** Notes where this attempt went, and lets go of a reply that nobody will read. */
function giveUp({ trace }: Call, answer: Reply | Fault): void {
  const { endpoint } = trace
  if (endpoint === undefined) return
  trace.tried = [...trace.tried, formatAddress(endpoint)]
  if (isFault(answer)) return
  answer.body.cancel({
    kind: 'bad-reply',
    side: 'upstream',
    retry: 'if-idempotent',
    endpoint,
    cause: `status ${answer.status}, tried again`,
  })
}
