import type { Random } from '../../base/random.ts'
import type { ClientSideWeights } from '../config.ts'
import type { EndpointState } from './endpoint-state.ts'
import type { LoadReport } from './load-report.ts'
import { roundRobin, type Choices, type Picker, type Weights } from './picker.ts'
import { startFactor } from './slow-start.ts'

/**
 * Calls a second ÷ (load + penalty · failures a second ÷ calls a second); undefined: the report does not say enough. Load is the largest
 * of the named metrics, else what the program says of itself, else of its CPU. Pure. Source: gRFC A58; Envoy, client_side_weighted_round_robin.
 */
export function weightOfReport(
  report: LoadReport,
  { errorPenalty, metrics }: Pick<ClientSideWeights, 'errorPenalty' | 'metrics'>,
): number | undefined {
  const perSecond = report.get('rps_fractional') ?? 0
  if (!(perSecond > 0)) return undefined
  const load = loadIn(report, metrics) + (errorPenalty * (report.get('eps') ?? 0)) / perSecond
  return load > 0 ? Math.min(mostWeight, Math.max(leastWeight, perSecond / load)) : undefined
}

/** Beyond these nobody means what he says, and turns could not be reckoned. The larger one is Envoy's. */
const mostWeight = 2 ** 32 - 1
const leastWeight = 1e-6

function loadIn(report: LoadReport, metrics: readonly string[]): number {
  const named = metrics.flatMap((name) =>
    name.endsWith('.*')
      ? Array.from(report).flatMap(([key, value]) => (key.startsWith(name.slice(0, -1)) ? [value] : []))
      : [report.get(name) ?? 0],
  )
  const largest = Math.max(0, ...named)
  if (largest > 0) return largest
  const own = report.get('application_utilization') ?? 0
  return own > 0 ? own : (report.get('cpu_utilization') ?? 0)
}

/** A report has come. One that says too little changes nothing. */
export function noteReport(state: EndpointState, report: LoadReport, rules: ClientSideWeights, nowMs: number): void {
  const weight = weightOfReport(report, rules)
  if (weight === undefined) return
  const { reported } = state
  if (reported === undefined || reported.atMs + rules.expirationMs < nowMs)
    state.reported = { weight, sinceMs: nowMs, atMs: nowMs }
  else Object.assign(reported, { weight, atMs: nowMs })
}

/**
 * Round robin by the weights that endpoints report, which are looked at every `updateMs`. Endpoints without a weight that counts (new
 * ones, silent ones) have the median of the others; where none has one, all are equal. What discovery says of weights is ignored.
 */
export function byReportedWeights(
  choices: Choices,
  rules: ClientSideWeights,
  { random, nowMs }: { readonly random: Random; readonly nowMs: () => number },
): Picker {
  const { slowStart } = rules
  let known: readonly number[] = []
  let dueMs = -Infinity
  let pick = roundRobin(choices, everyone, random)
  return (hash, attempt) => {
    const now = nowMs()
    if (now >= dueMs) {
      dueMs = now + rules.updateMs
      const next = weightsNow(choices, rules, now)
      if (next.some((weight, index) => weight !== known[index])) {
        known = next
        const byState = new Map(choices.map((state, index) => [state, next[index] ?? 1]))
        const own = (state: EndpointState): number => byState.get(state) ?? 1
        const started = (state: EndpointState): number =>
          slowStart === undefined ? own(state) : own(state) * startFactor(state, slowStart, nowMs())
        const equal = slowStart === undefined && next.every((weight) => weight === next[0])
        pick = roundRobin(choices, { of: started, equal }, random)
      }
    }
    return pick(hash, attempt)
  }
}

const everyone: Weights = { of: () => 1, equal: true }

/** Of each of `choices`. Pure. */
export function weightsNow(
  choices: Choices,
  { blackoutMs, expirationMs }: Pick<ClientSideWeights, 'blackoutMs' | 'expirationMs'>,
  nowMs: number,
): readonly number[] {
  const own = choices.map(({ reported }) =>
    reported !== undefined && reported.atMs + expirationMs >= nowMs && reported.sinceMs + blackoutMs <= nowMs
      ? reported.weight
      : undefined,
  )
  const valid = own.filter((weight) => weight !== undefined).toSorted((a, b) => a - b)
  const middle = valid.length >> 1
  const upper = valid[middle] ?? 1
  const median = valid.length % 2 === 1 ? upper : ((valid[middle - 1] ?? upper) + upper) / 2
  return own.map((weight) => weight ?? median)
}
