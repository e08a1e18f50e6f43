import type { ProxyConfig } from './config.ts'
import type { Shared } from './shared.ts'
import { countedLimits } from './terminal-filters.ts'

/** What filters remember goes when no listener has such a filter any more. */
export function retainCounts(config: ProxyConfig, { rateCounts, quotas, gradients }: Shared): void {
  const limits = new Set<string>()
  const shared = new Set<string>()
  const adaptive = new Set<string>()
  for (const { filterChains, defaultFilterChain } of config.listeners.values())
    for (const chain of [...filterChains, defaultFilterChain]) {
      if (chain?.terminal.kind !== 'http') continue
      for (const { count, limit } of countedLimits(chain.terminal, config)) {
        limits.add(count)
        if (limit.budget === undefined) continue
        shared.add(limit.name)
        quotas.of(limit)
      }
      for (const { kind } of chain.terminal.filters)
        if (kind === 'adaptive-concurrency') adaptive.add(chain.terminal.statPrefix)
    }
  rateCounts.retain(limits)
  quotas.retain(shared)
  gradients.retain(adaptive)
}
