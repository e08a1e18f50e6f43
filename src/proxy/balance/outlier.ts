import type { Random } from '../../base/random.ts'
import type { ConsecutiveRule, OutlierDetection } from '../config.ts'
import { healthOf, welcomeBack, type ClusterState, type EjectionReason, type EndpointState } from './endpoint-state.ts'
import { countInWindow, type OutlierParts, type Verdict } from './outlier-window.ts'

/**
 * Counts one answer, and ejects its endpoint when it has failed too often in a row, or those that the interval's statistics show to
 * be worse than the others. Source: Envoy `config.cluster.v3.OutlierDetection` and its documentation "Outlier detection".
 */
export function noteAnswer(parts: OutlierParts, state: EndpointState, verdict: Verdict): void {
  const { rules } = parts
  if (rules.statistics !== undefined) countInWindow(parts, rules.statistics, state, verdict, ejectFor)
  if (verdict === 'success') {
    state.consecutive5xx = state.consecutiveGatewayFailures = state.consecutiveLocalFailures = 0
    return
  }
  if (verdict === 'local-failure' && rules.split) {
    if (++state.consecutiveLocalFailures < rules.consecutiveLocalOriginFailure.limit) return
    state.consecutiveLocalFailures = 0
    return detect(parts, state, 'consecutive-local-origin-failure', rules.consecutiveLocalOriginFailure)
  }
  state.consecutiveLocalFailures = 0
  state.consecutiveGatewayFailures = verdict === '5xx' ? 0 : state.consecutiveGatewayFailures + 1
  state.consecutive5xx++
  if (state.consecutive5xx >= rules.consecutive5xx.limit) {
    state.consecutive5xx = 0
    detect(parts, state, 'consecutive-5xx', rules.consecutive5xx)
  }
  if (state.consecutiveGatewayFailures >= rules.consecutiveGatewayFailure.limit) {
    state.consecutiveGatewayFailures = 0
    detect(parts, state, 'consecutive-gateway-failure', rules.consecutiveGatewayFailure)
  }
}

function detect(parts: OutlierParts, state: EndpointState, reason: EjectionReason, rule: ConsecutiveRule): void {
  // A rule that can never eject is off, as most of Envoy's are by default.
  if (rule.enforcingPercent > 0) ejectFor(parts, state, reason, rule.enforcingPercent)
}

/** Ejects, unless chance, or the number of those that are out already, is against it. */
function ejectFor(parts: OutlierParts, state: EndpointState, reason: EjectionReason, enforcingPercent: number): void {
  const { shared, rules, random, nowMs } = parts
  if (state.ejected) return
  const outcome = !mayEject(parts, state)
    ? 'overflow'
    : enforcingPercent < 100 && random.below(100) >= enforcingPercent
      ? 'not-enforced'
      : 'ejected'
  if (outcome === 'ejected') {
    eject(state, reason, rules, random, nowMs())
    shared.nextReturnMs = Math.min(shared.nextReturnMs, state.ejectedUntilMs)
    shared.version++
  }
  shared.judged(state, reason, outcome)
}

/** Ends the ejections that are over. */
export function returnEjected(shared: ClusterState, nowMs: number): void {
  shared.nextReturnMs = Infinity
  for (const state of shared.endpoints.values())
    if (state.ejected) {
      if (state.ejectedUntilMs <= nowMs) welcomeBack(state)
      else shared.nextReturnMs = Math.min(shared.nextReturnMs, state.ejectedUntilMs)
    }
  shared.version++
  shared.counted()
}

/**
 * Not more than the largest share, though one in any case where the cluster says so; and never the last one that is left: with Envoy
 * it may go too, and only panic brings it back.
 */
function mayEject({ endpoints, rules }: OutlierParts, state: EndpointState): boolean {
  let ejected = 0
  let others = 0
  for (const one of endpoints)
    if (one.ejected) ejected++
    else if (one !== state && (healthOf(one) === 'healthy' || healthOf(one) === 'degraded')) others++
  if (others === 0) return false
  return ((ejected + 1) * 100) / endpoints.length <= rules.maxEjectionPercent || (rules.alwaysEjectOne && ejected === 0)
}

/** For base × (ejections so far + 1), at most the longest, and a random part of the jitter on top. */
function eject(
  state: EndpointState,
  reason: EjectionReason,
  { intervalMs, baseEjectionMs, maxEjectionMs, jitterMs }: OutlierDetection,
  random: Random,
  nowMs: number,
): void {
  // One step back for every interval that it has been back in service.
  const calmIntervals = state.ejectedUntilMs === 0 ? 0 : Math.floor((nowMs - state.ejectedUntilMs) / intervalMs)
  const longest = Math.ceil(maxEjectionMs / baseEjectionMs)
  state.ejections = Math.min(Math.max(0, state.ejections - calmIntervals) + 1, longest)
  const jitter = jitterMs > 0 ? random.below(jitterMs) : 0
  state.ejectedUntilMs = nowMs + Math.min(baseEjectionMs * state.ejections, maxEjectionMs) + jitter
  state.ejectedFor = reason
  state.ejected = true
}
