import type { Random } from '../../base/random.ts'
import type { SlowStart } from '../config.ts'
import type { EndpointState } from './endpoint-state.ts'
import { ownWeights, randomByWeight, type Choices, type Picker } from './picker.ts'
import { startFactor } from './slow-start.ts'

/** How latencies are remembered. */
export interface PeakEwmaRules {
  /** What is believed of endpoints while none has answered, ms. */
  readonly defaultRttMs: number
  /** After this time a sample counts for 1/e of what it did, ms. */
  readonly decayMs: number
  readonly slowStart?: SlowStart
}

const redraws = 4
/** An endpoint that failed is treated as this slow at least, ms: failures come quickly, and must not look like speed. */
const failurePenaltyMs = 1000

/** One that nobody has asked for so long, ms, since it seemed slow, may be tried again by this share of the calls that it could have had. */
const trialAfterMs = 1000
const trialPercent = 1

/**
 * Two random endpoints (with chances by weight); the one with the smaller expected wait wins: its recent latency times the calls
 * that it has to answer. Now and then the other one is tried: a slow start would keep calls away for a minute, since the difference between
 * 500 ms and 2 ms takes that long to be forgotten. O(1). Source: Finagle, "peak EWMA"; tower, `load/peak_ewma.rs`; defaults of Linkerd (30 ms, 10 s).
 */
export function peakEwma(choices: Choices, rules: PeakEwmaRules, random: Random, nowMs: () => number): Picker {
  const candidate = randomByWeight(choices, ownWeights(choices), random)
  if (choices.length === 1) return candidate
  return (hash, attempt) => {
    const a = candidate(hash, attempt)
    let b = candidate(hash, attempt)
    // The same one twice would be no choice: in a small cluster a slow endpoint would keep 1/n² of the calls.
    for (let more = 0; more < redraws && a === b; more++) b = candidate(hash, attempt)
    const now = nowMs()
    const bIsFaster = expectedWaitMs(b, a, rules, now) < expectedWaitMs(a, b, rules, now)
    const slower = bIsFaster ? a : b
    if (mayBeTried(slower, now) && random.below(100) < trialPercent) {
      slower.onTrial = true
      return slower
    }
    return bIsFaster ? b : a
  }
}

/** Not one that failed: that is for outlier detection to judge. */
const mayBeTried = ({ activeCalls, latencyAtMs, latencyMs }: EndpointState, nowMs: number): boolean =>
  activeCalls === 0 && latencyAtMs !== 0 && nowMs - latencyAtMs >= trialAfterMs && latencyMs < failurePenaltyMs

/**
 * Latency × calls under way, this one included. An endpoint that was not asked for long is believed to be fast again; one that has
 * not answered yet as fast as the `other`: a new instance gets its share at once, and not more.
 */
export function expectedWaitMs(
  state: EndpointState,
  other: EndpointState,
  rules: PeakEwmaRules,
  nowMs: number,
): number {
  const known = state.latencyAtMs === 0 ? other : state
  const expectedMs = latencyOf(known, rules, nowMs) * (state.activeCalls + 1)
  // Of two that are new at the same time neither is held back.
  return rules.slowStart === undefined ? expectedMs : expectedMs / startFactor(state, rules.slowStart, nowMs)
}

function latencyOf(
  { latencyMs, latencyAtMs }: EndpointState,
  { defaultRttMs, decayMs }: PeakEwmaRules,
  nowMs: number,
): number {
  return latencyAtMs === 0 ? defaultRttMs : latencyMs * Math.exp((latencyAtMs - nowMs) / decayMs)
}

/**
 * A slower answer counts at once and whole, faster ones by and by; the answer to a trial replaces what was known. The first one of an endpoint says how long it takes to connect, and a program to get
 * going, which is over: with few calls a new instance would get none for up to a minute.
 */
export function noteLatency(
  state: EndpointState,
  answer: { readonly elapsedMs: number; readonly failed: boolean },
  { decayMs }: PeakEwmaRules,
  nowMs: number,
): void {
  if (!state.hasAnswered && !answer.failed) {
    state.hasAnswered = true
    return
  }
  const isTrial = state.onTrial && !answer.failed
  state.onTrial = false
  const sampleMs = answer.failed ? Math.max(answer.elapsedMs, failurePenaltyMs) : answer.elapsedMs
  const old = isTrial || state.latencyAtMs === 0 ? 0 : Math.exp((state.latencyAtMs - nowMs) / decayMs)
  const before = state.latencyMs * old
  state.latencyMs = sampleMs > before ? sampleMs : state.latencyMs * old + sampleMs * (1 - old)
  // 0 means "never": a clock that begins there must not say so.
  state.latencyAtMs = Math.max(nowMs, Number.MIN_VALUE)
}
