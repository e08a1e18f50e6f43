import type { Cluster, Limits } from '../config.ts'

/**
 * How many retries a cluster may have at once: a share of its active calls, and a few in any case. Retries that wait out their
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
  limits: Pick<Limits, 'retryBudgetPercent' | 'minRetryConcurrency'>
}

/** By cluster name and priority, outside configuration: counts go on when limits change. */
export interface RetryBudgets {
  of(cluster: Pick<Cluster, 'name' | 'priority' | 'limits'>): RetryBudget
  /** Forgets every cluster but these. */
  retain(clusters: Pick<ReadonlySet<string>, 'has'>): void
}

/** Empty at first. */
export function createRetryBudgets(): RetryBudgets {
  const ordinary = new Map<string, RetryBudget>()
  const high = new Map<string, RetryBudget>()
  return {
    of({ name, priority, limits }) {
      const budgets = priority === 'high' ? high : ordinary
      let budget = budgets.get(name)
      if (budget === undefined) budgets.set(name, (budget = createRetryBudget(limits)))
      budget.limits = limits
      return budget
    },
    retain(clusters) {
      for (const budgets of [ordinary, high])
        for (const name of budgets.keys()) if (!clusters.has(name)) budgets.delete(name)
    },
  }
}

/** One budget, with nothing under way. */
export function createRetryBudget(limits: RetryBudget['limits']): RetryBudget {
  let activeCalls = 0
  let activeRetries = 0
  return {
    limits,
    began: () => void activeCalls++,
    ended: () => void activeCalls--,
    take() {
      const { retryBudgetPercent, minRetryConcurrency } = this.limits
      if (activeRetries >= Math.max(minRetryConcurrency, Math.floor((activeCalls * retryBudgetPercent) / 100)))
        return false
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
}
