import type { OutlierDetection } from '../config.ts'
import type { ClusterState, EndpointState } from './endpoint-state.ts'

/** What an answer says about the endpoint that gave it. */
export type Verdict = 'success' | '5xx' | 'gateway-failure'

/**
 * Counts one answer and ejects the endpoint when it has failed too often in a row: for base × (ejections so far + 1), at most
 * `maxEjectionPercent` of the cluster at once but at least one, and never the last one that is left.
 * Source: Envoy `config.cluster.v3.OutlierDetection`; there the last one may go too, and panic routing brings it back.
 */
export function noteAnswer(
  shared: ClusterState,
  cluster: readonly EndpointState[],
  state: EndpointState,
  verdict: Verdict,
  rules: OutlierDetection,
  nowMs: number,
): void {
  if (verdict === 'success') {
    state.consecutive5xx = 0
    state.consecutiveGatewayFailures = 0
    return
  }
  state.consecutive5xx++
  state.consecutiveGatewayFailures = verdict === 'gateway-failure' ? state.consecutiveGatewayFailures + 1 : 0
  const failedTooOften =
    reached(state.consecutive5xx, rules.consecutive5xx) ||
    reached(state.consecutiveGatewayFailures, rules.consecutiveGatewayFailure)
  if (!failedTooOften || state.ejected || !mayEject(cluster, state, rules)) return
  eject(state, rules, nowMs)
  shared.nextReturnMs = Math.min(shared.nextReturnMs, state.ejectedUntilMs)
  shared.version++
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
}

function welcomeBack(state: EndpointState): void {
  state.ejected = false
  state.consecutive5xx = 0
  state.consecutiveGatewayFailures = 0
}

/** 0 switches a rule off. */
const reached = (count: number, limit: number): boolean => limit > 0 && count >= limit

function mayEject(cluster: readonly EndpointState[], state: EndpointState, rules: OutlierDetection): boolean {
  let ejected = 0
  let others = 0
  for (const one of cluster)
    if (one.ejected) ejected++
    else if (one !== state && (one.endpoint.health === 'healthy' || one.endpoint.health === 'degraded')) others++
  const most = Math.max(1, Math.floor((cluster.length * rules.maxEjectionPercent) / 100))
  return others > 0 && ejected < most
}

function eject(state: EndpointState, rules: OutlierDetection, nowMs: number): void {
  // One step back for every interval that it has been back in service.
  const calmIntervals = state.ejectedUntilMs === 0 ? 0 : Math.floor((nowMs - state.ejectedUntilMs) / rules.intervalMs)
  state.ejections = Math.max(0, state.ejections - calmIntervals) + 1
  const longestMs = Math.max(rules.maxEjectionMs, rules.baseEjectionMs)
  state.ejectedUntilMs = nowMs + Math.min(rules.baseEjectionMs * state.ejections, longestMs)
  state.ejected = true
}
