import type { BucketRate } from '../base/keyed-buckets.ts'
import { settable, type Watchable } from '../base/watchable.ts'
import type { Cluster, HttpTerminal, Limits, Listener, ProxyConfig, RateLimit, Route, RouteTable } from './config.ts'

/** One of several processes that are one proxy: `index` from 0. */
export interface Share {
  readonly index: number
  readonly count: number
}

/**
 * The configuration with this worker's part of every limit, so that all workers together keep to what was said. Nobody's part is 0, so a
 * limit below the number of workers is as many as there are workers. Shares of what is under way (retry budgets) need no division.
 */
export function dividedConfig(source: Watchable<ProxyConfig>, share: Share): Watchable<ProxyConfig> {
  const clusters = new WeakMap<Cluster, Cluster>()
  const listeners = new WeakMap<Listener, Listener>()
  const tables = new WeakMap<RouteTable, RouteTable>()
  // What did not change stays the same object: whoever follows goes by that.
  const divide = (config: ProxyConfig): ProxyConfig => ({
    ...config,
    clusters: mapped(config.clusters, clusters, (one) => divideCluster(one, share)),
    listeners: mapped(config.listeners, listeners, (one) => divideListener(one, share)),
    routes: mapped(config.routes, tables, (one) => divideTable(one, share)),
  })
  const divided = settable(divide(source.value))
  source.watch((next) => divided.set(divide(next)))
  return divided
}

function mapped<T extends object>(
  all: ReadonlyMap<string, T>,
  known: WeakMap<T, T>,
  divide: (one: T) => T,
): ReadonlyMap<string, T> {
  return new Map(
    Array.from(all, ([name, one]) => {
      let divided = known.get(one)
      if (divided === undefined) known.set(one, (divided = divide(one)))
      return [name, divided]
    }),
  )
}

/** The parts of all workers add up to `limit`, if it is at least as large as their number; 0 stays 0. */
export function partOf(limit: number, { index, count }: Share): number {
  if (limit === 0 || limit === Infinity) return limit
  return Math.max(1, Math.floor(limit / count) + (index < limit % count ? 1 : 0))
}

const rateOf = ({ burst, perSecond }: BucketRate, share: Share): BucketRate => ({
  burst: partOf(burst, share),
  perSecond: perSecond / share.count,
})

function divideCluster(cluster: Cluster, share: Share): Cluster {
  const { limits, highLimits } = cluster
  return {
    ...cluster,
    limits: divideCounts(limits, share),
    ...(highLimits && { highLimits: divideCounts(highLimits, share) }),
  }
}

function divideCounts(limits: Limits, share: Share): Limits {
  const perEndpoint = limits.maxConnectionsPerEndpoint
  return {
    ...limits,
    maxConnections: partOf(limits.maxConnections, share),
    ...(perEndpoint !== undefined && { maxConnectionsPerEndpoint: partOf(perEndpoint, share) }),
    maxPendingRequests: partOf(limits.maxPendingRequests, share),
    maxRequests: partOf(limits.maxRequests, share),
    minRetryConcurrency: partOf(limits.minRetryConcurrency, share),
  }
}

type FilterChain = Listener['filterChains'][number]

function divideListener(listener: Listener, share: Share): Listener {
  const chainOf = (chain: FilterChain): FilterChain => divideChain(chain, share)
  const { defaultFilterChain } = listener
  return {
    ...listener,
    filterChains: listener.filterChains.map(chainOf),
    ...(defaultFilterChain && { defaultFilterChain: chainOf(defaultFilterChain) }),
  }
}

function divideChain(chain: FilterChain, share: Share): FilterChain {
  const { terminal } = chain
  if (terminal.kind !== 'http') return chain
  const filters = terminal.filters.map((filter) => {
    if (filter.kind === 'rate-limit') return { ...filter, limit: divideRate(filter.limit, share) }
    if (filter.kind === 'adaptive-concurrency') {
      const { limit } = filter
      const maxConcurrency = partOf(limit.maxConcurrency, share)
      const minConcurrency = Math.min(maxConcurrency, partOf(limit.minConcurrency, share))
      return { ...filter, limit: { ...limit, maxConcurrency, minConcurrency } }
    }
    return filter
  })
  const routes: HttpTerminal['routes'] =
    'named' in terminal.routes ? terminal.routes : { inline: divideTable(terminal.routes.inline, share) }
  return { ...chain, terminal: { ...terminal, filters, routes } }
}

function divideTable(table: RouteTable, share: Share): RouteTable {
  const routeOf = (route: Route): Route => {
    if (route.rateLimits === undefined) return route
    const rateLimits = Array.from(route.rateLimits, ([name, limit]) => [name, divideRate(limit, share)] as const)
    return { ...route, rateLimits: new Map(rateLimits) }
  }
  const virtualHosts = table.virtualHosts.map((host) => ({ ...host, routes: host.routes.map(routeOf) }))
  return { ...table, virtualHosts }
}

function divideRate(limit: RateLimit | undefined, share: Share): RateLimit | undefined {
  if (limit === undefined) return undefined
  const keyed = limit.keyed && { ...limit.keyed, rate: rateOf(limit.keyed.rate, share) }
  return { ...limit, rate: rateOf(limit.rate, share), ...(keyed && { keyed }) }
}
