import type { Random } from '../../base/random.ts'
import type { OutlierDetection, OutlierStatistics } from '../config.ts'
import type { ClusterState, EjectionReason, EndpointState } from './endpoint-state.ts'
import { emptyWindow, type Window } from './window.ts'

/** What an answer says about the endpoint that gave it; `local-failure`: it gave none, the connection failed or was cut. */
export type Verdict = 'success' | '5xx' | 'gateway-failure' | 'local-failure'

/** What a cluster's answers are judged with. */
export interface OutlierParts {
  readonly shared: ClusterState
  readonly endpoints: readonly EndpointState[]
  readonly rules: OutlierDetection
  readonly random: Random
  readonly nowMs: () => number
}

/** Ejects an endpoint for a reason, with that chance in percent. */
export type EjectFor = (parts: OutlierParts, state: EndpointState, reason: EjectionReason, percent: number) => void

/**
 * Counts one answer in the interval that is running; the first one after its end has it judged. An interval without any answer for
 * as long again says nothing any more.
 */
export function countInWindow(
  parts: OutlierParts,
  statistics: OutlierStatistics,
  { window }: EndpointState,
  verdict: Verdict,
  ejectFor: EjectFor,
): void {
  const { shared, rules, endpoints } = parts
  const nowMs = parts.nowMs()
  if (nowMs >= shared.windowEndMs) {
    if (nowMs < shared.windowEndMs + rules.intervalMs) judge(parts, statistics, ejectFor)
    for (const state of endpoints) Object.assign(state.window, emptyWindow())
    shared.windowEndMs = nowMs + rules.intervalMs
  }
  const isLocal = verdict === 'local-failure'
  if (rules.split) {
    window.attempts++
    if (isLocal) return void window.unreached++
  }
  window.answers++
  if (verdict !== 'success') window.failures++
}

interface Measured {
  readonly state: EndpointState
  readonly calls: number
  /** Percent. */
  readonly successRate: number
}

function judge(parts: OutlierParts, statistics: OutlierStatistics, ejectFor: EjectFor): void {
  const { successRate, failurePercentage } = statistics
  const measure = (callsOf: (window: Window) => readonly [number, number]): readonly Measured[] =>
    parts.endpoints.flatMap((state) => {
      const [calls, failures] = callsOf(state.window)
      return state.ejected || calls === 0 ? [] : [{ state, calls, successRate: 100 - (100 * failures) / calls }]
    })
  const external = measure(({ answers, failures }) => [answers, failures])
  for (const { state, successRate: rate } of external) state.successRate = rate
  const eject = (outliers: readonly Measured[], reason: EjectionReason, percent: number): void => {
    for (const { state } of outliers) ejectFor(parts, state, reason, percent)
  }
  if (successRate.enforcingPercent > 0)
    eject(farBelow(external, successRate), 'success-rate', successRate.enforcingPercent)
  if (failurePercentage.enforcingPercent > 0)
    eject(tooManyFailures(external, failurePercentage), 'failure-percentage', failurePercentage.enforcingPercent)
  if (!parts.rules.split) return
  const local = measure(({ attempts, unreached }) => [attempts, unreached])
  if (successRate.enforcingLocalPercent > 0)
    eject(farBelow(local, successRate), 'local-origin-success-rate', successRate.enforcingLocalPercent)
  if (failurePercentage.enforcingLocalPercent > 0)
    eject(
      tooManyFailures(local, failurePercentage),
      'local-origin-failure-percentage',
      failurePercentage.enforcingLocalPercent,
    )
}

/** Those that succeed less often than the average by more than some standard deviations; nobody while too few have calls enough. */
function farBelow(
  all: readonly Measured[],
  { minimumHosts, requestVolume, stdevFactor }: OutlierStatistics['successRate'],
): readonly Measured[] {
  const valid = all.filter(({ calls }) => calls >= requestVolume)
  if (valid.length === 0 || valid.length < minimumHosts) return []
  const mean = valid.reduce((sum, { successRate }) => sum + successRate, 0) / valid.length
  const variance = valid.reduce((sum, { successRate }) => sum + (successRate - mean) ** 2, 0) / valid.length
  const least = mean - stdevFactor * Math.sqrt(variance)
  return valid.filter(({ successRate }) => successRate < least)
}

function tooManyFailures(
  all: readonly Measured[],
  { minimumHosts, requestVolume, threshold }: OutlierStatistics['failurePercentage'],
): readonly Measured[] {
  const valid = all.filter(({ calls }) => calls >= requestVolume)
  if (valid.length < minimumHosts) return []
  return valid.filter(({ successRate }) => 100 - successRate >= threshold)
}
