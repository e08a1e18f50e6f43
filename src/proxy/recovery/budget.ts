import type { Cluster, Limits } from '../config.ts'
import { callsWithin, type CallsWithin } from './calls-within.ts'

/**
 * How many retries a cluster may have at once: a share of its active calls (or of those of an interval, if they are more), and a few in any case. Retries that wait out their
 * backoff count. Source: Envoy `CircuitBreakers.Thresholds.RetryBudget`.
 */
export interface RetryBudget {
  /** A call began; to be followed by `ended` once. */
  began(): void
  readonly ended: () => void
  /** One more retry, if there is room; to be followed by `gaveBack` once. */
  take(): boolean
  gaveBack(): void
  readonly activeCalls: number
  readonly activeRetries: number
  limits: Pick<Limits, 'retryBudgetPercent' | 'minRetryConcurrency' | 'retryBudgetIntervalMs'>
}

/** By cluster name and priority, outside configuration: counts go on when limits change. */
export interface RetryBudgets {
  of(cluster: Pick<Cluster, 'name' | 'priority' | 'limits'>): RetryBudget
  /** Forgets every cluster but these. */
  retain(clusters: Pick<ReadonlySet<string>, 'has'>): void
}

/** Empty at first. */
export function createRetryBudgets(nowMs: () => number = never): RetryBudgets {
  const ordinary = new Map<string, RetryBudget>()
  const high = new Map<string, RetryBudget>()
  return {
    of({ name, priority, limits }) {
      const budgets = priority === 'high' ? high : ordinary
      let budget = budgets.get(name)
      if (budget === undefined) budgets.set(name, (budget = createRetryBudget(limits, nowMs)))
      budget.limits = limits
      return budget
    },
    retain(clusters) {
      for (const budgets of [ordinary, high])
        for (const name of budgets.keys()) if (!clusters.has(name)) budgets.delete(name)
    },
  }
}

/** One budget, with nothing under way. `nowMs`: the monotonic clock, for intervals. */
export function createRetryBudget(limits: RetryBudget['limits'], nowMs: () => number = never): RetryBudget {
  let activeCalls = 0
  let activeRetries = 0
  let within: CallsWithin | undefined
  let intervalMs: number | undefined
  const budget: RetryBudget = {
    limits,
    began() {
      activeCalls++
      const { retryBudgetIntervalMs } = budget.limits
      if (retryBudgetIntervalMs !== intervalMs) {
        intervalMs = retryBudgetIntervalMs
        within = intervalMs === undefined ? undefined : callsWithin(intervalMs, nowMs)
      }
      within?.began()
    },
    ended: () => void activeCalls--,
    take() {
      const { retryBudgetPercent, minRetryConcurrency } = budget.limits
      const calls = within === undefined ? activeCalls : Math.max(activeCalls, within.count)
      if (activeRetries >= Math.max(minRetryConcurrency, Math.floor((calls * retryBudgetPercent) / 100))) return false
      activeRetries++
      return true
    },
    gaveBack: () => void activeRetries--,
    get activeCalls() {
      return activeCalls
    },
    get activeRetries() {
      return activeRetries
    },
  }
  return budget
}

/** Where nothing has an interval. */
const never = (): number => 0
