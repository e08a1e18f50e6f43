import { formatAddress } from '../../base/address.ts'
import { grpcStatus } from '../../base/grpc.ts'
import type { LearnedQuantile } from '../../base/learned-quantile.ts'
import type { TimerWheel } from '../../base/timer-wheel.ts'
import type { Hedging } from '../config.ts'
import { bytesBody, emptyBody, type Body } from '../http/body.ts'
import type { Fault } from '../http/fault.ts'
import {
  isFault,
  trailersOnlyStatus,
  type Call,
  type CallDetail,
  type Layer,
  type Reply,
  type Service,
} from '../http/service.ts'
import type { RetryBudget } from './budget.ts'
import { remember, type Remembered } from './remember.ts'
import { separateCall, type SeparateCall } from './separate-call.ts'
import { isIdempotent } from './worth-retrying.ts'

/** What hedging needs beside its policy. */
export interface HedgeParts {
  /** Of the cluster that the call goes to: hedges are in it with its retries. */
  readonly budget: RetryBudget
  /** A request body is kept up to this size; absent: `hedgeLimitBytes`. */
  readonly limitBytes?: number | undefined
  /** How long attempts took; outlives configurations. */
  readonly latency: LearnedQuantile
  readonly wheel: TimerWheel
  readonly nowMs: () => number
  /** Told how each call went that waited for long enough. */
  readonly hedged: (outcome: HedgeOutcome) => void
}

/** A further attempt was quicker; or not; or the budget had no room for one. */
export type HedgeOutcome = 'won' | 'lost' | 'over-budget'

/** A request body is kept for another attempt up to this size. */
export const hedgeLimitBytes: number = 64 * 1024

/** How long to wait for a reply before another attempt is made, ms; undefined: none is, as the method forbids or nothing is learnt yet. Pure. */
export function hedgeAfterMs(
  { after, anyMethod }: Hedging,
  { method, upgrade }: Pick<Call, 'method' | 'upgrade'>,
  latency: LearnedQuantile,
  nowMs: number,
): number | undefined {
  if (upgrade !== undefined || method === 'CONNECT' || !(anyMethod || isIdempotent(method))) return undefined
  return 'ms' in after ? after.ms : latency.at(after.quantile, nowMs)
}

/**
 * Makes another attempt, elsewhere if possible, when a reply has not begun in time, or one has failed while another is under way; the first good reply is the call's, all others are
 * given up and nobody sees anything of them. Further attempts are bounded by the retry budget of the cluster, and only made when
 * the whole request has come. Source: Dean and Barroso, "The Tail at Scale", CACM 56(2), 2013, "Hedged requests".
 */
export function hedge(policy: Hedging, parts: HedgeParts): Layer {
  const { latency, nowMs } = parts
  return (next) => (call) => {
    const startedMs = nowMs()
    const delayMs = hedgeAfterMs(policy, call, latency, startedMs)
    if (delayMs !== undefined) return race(policy, delayMs, { ...parts, next, call })
    return next(call).then((answer) => {
      if (!isFault(answer)) latency.note(nowMs() - startedMs, nowMs())
      return answer
    })
  }
}

interface Attempt extends SeparateCall {
  readonly sentMs: number
  /** Of the budget. */
  readonly extra: boolean
  answer: Reply | Fault | undefined
}

function race(
  { maxAttempts, tellsTimeouts }: Hedging,
  delayMs: number,
  {
    call,
    next,
    budget,
    latency,
    wheel,
    nowMs,
    hedged,
    limitBytes = hedgeLimitBytes,
  }: HedgeParts & { readonly call: Call; readonly next: Service },
): Promise<Reply | Fault> {
  const remembered = call.body.length === 0 ? undefined : remember(call.body, limitBytes)
  const attempts: Attempt[] = []
  let tried = call.trace.tried
  let over = false
  let cancelled = false
  // As timeouts they are of the retries.
  const most = tellsTimeouts === true ? maxAttempts - call.trace.attempts : maxAttempts
  // A retry of what was hedged before: nobody wants that answer any more.
  call.trace.span?.attemptOver(call, undefined)
  return new Promise((resolve, reject) => {
    const send = (body: Body, extra: boolean): void => {
      const trace = { ...call.trace, tried, detail: call.trace.detail && ownDetail(call.trace.detail) }
      const own = separateCall(call, { body, trace, session: call.session })
      const attempt: Attempt = { ...own, sentMs: nowMs(), extra, answer: undefined }
      if (!extra) {
        // The reply may only follow once the client hears that it may go on.
        own.call.onInformational = call.onInformational
        own.call.upgrade = call.upgrade
      }
      own.call.idleTimeoutMs = call.idleTimeoutMs
      own.call.deadlineMs = call.deadlineMs
      own.call.hidesDeadline = call.hidesDeadline
      attempts.push(attempt)
      next(own.call).then((answer) => answered(attempt, answer), reject)
    }
    const timer = wheel.timer(() => {
      if (!over) further()
    })
    const further = (): void => {
      const body = attempts.length >= most ? undefined : bodyAgain(remembered)
      if (body === undefined) return
      if (!budget.take()) {
        timer.cancel()
        return hedged('over-budget')
      }
      const { endpoint } = attempts.at(-1)?.call.trace ?? {}
      if (endpoint !== undefined) tried = [...tried, formatAddress(endpoint)]
      send(body, true)
      if (attempts.length < most) timer.start(delayMs)
    }
    const answered = (attempt: Attempt, answer: Reply | Fault): void => {
      attempt.answer = answer
      if (attempt.extra) budget.gaveBack()
      if (over) return letGo(attempt, answer)
      if (!isFault(answer)) latency.note(nowMs() - attempt.sentMs, nowMs())
      if (tellsTimeouts === true) tellTimeout(attempt)
      if (!isGood(answer) && attempts.some((other) => other.answer === undefined)) {
        if (cancelled) return
        if (tellsTimeouts === true && attempts.length >= most) call.trace.retriesSpent = true
        // gRFC A6, "Hedging Policy": what has failed makes room for the next at once.
        call.trace.span?.attemptOver(attempt.call, undefined)
        return further()
      }
      finish(attempt, answer)
    }
    /** As Envoy tells of an attempt that was late, and of a call when one was late and there was no other to be made. */
    const tellTimeout = ({ call: own, sentMs }: Attempt): void => {
      const lateMs = sentMs + delayMs
      if (nowMs() < lateMs) return
      call.trace.span?.late(own)
      if (attempts.length >= most && lateMs > (attempts.at(-1)?.sentMs ?? 0)) call.trace.retriesSpent = true
    }
    const finish = (winner: Attempt, answer: Reply | Fault): void => {
      over = true
      timer.cancel()
      if (attempts.length > 1) hedged(winner.extra ? 'won' : 'lost')
      for (const other of attempts) {
        if (other === winner) continue
        if (other.answer !== undefined) letGo(other, other.answer)
        else {
          // At least so long: without the slow ones that are cut, what is learnt would become ever shorter.
          latency.note(nowMs() - other.sentMs, nowMs())
          if (tellsTimeouts === true) tellTimeout(other)
          other.call.cancel(outrun)
        }
      }
      adopt(call, winner, attempts.length)
      if (isFault(answer)) call.trace.tried = tried
      resolve(answer)
    }
    call.onCancel((fault) => {
      cancelled = true
      for (const attempt of attempts) attempt.call.cancel(fault)
    })
    send(remembered?.body ?? call.body, false)
    if (!over) timer.start(delayMs)
  })
}

/** Undefined: it cannot be sent again, at least not now. */
function bodyAgain(remembered: Remembered | undefined): Body | undefined {
  if (remembered === undefined) return emptyBody
  const bytes = remembered.again()
  return bytes && bytesBody(bytes)
}

/** No other attempt could do better. A bad reply counts only when none is left that may still be good. */
const isGood = (answer: Reply | Fault): boolean =>
  !isFault(answer) && answer.status < 500 && trailersOnlyStatus(answer) !== grpcStatus.unavailable

const outrun: Fault = { kind: 'outrun', side: 'self', retry: 'never' }

/** Nobody will read it. */
const ownDetail = ({ nowMs }: CallDetail): CallDetail => (nowMs === undefined ? {} : { nowMs })

function letGo({ settle }: Attempt, answer: Reply | Fault): void {
  if (!isFault(answer)) answer.body.cancel(outrun)
  settle({ status: isFault(answer) ? 0 : answer.status, fault: outrun })
}

/** What records say of the call is what they would say of this attempt; it ends when the call does, and is cancelled with it. */
function adopt(call: Call, { call: own, settle }: Attempt, count: number): void {
  const { trace } = call
  const { cluster, endpoint, upstreamWorkload, upstreamPrincipal, grpcStatus: status, detail } = own.trace
  Object.assign(trace, { cluster, endpoint, upstreamWorkload, upstreamPrincipal })
  trace.span?.adopted(own, call)
  if (status !== undefined) trace.grpcStatus = status
  if (trace.detail !== undefined) Object.assign(trace.detail, detail)
  trace.attempts += count
  call.onEnd(settle)
}
