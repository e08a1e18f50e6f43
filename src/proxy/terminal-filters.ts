import type { KeyedBuckets } from '../base/keyed-buckets.ts'
import type { ExternalLimit, HttpFilter, HttpTerminal, ProxyConfig, RateLimit, Route, SessionState } from './config.ts'
import { limiterParts } from './ask-limiter.ts'
import { authorize } from './filter/authorize.ts'
import { externalLimit } from './filter/external-limit.ts'
import { grpcWeb } from './filter/grpc-web.ts'
import { rateLimit, type RateCounts } from './filter/rate-limit.ts'
import { session } from './filter/session.ts'
import { shedLoad } from './filter/shed-load.ts'
import type { Layer } from './http/service.ts'
import type { LateLayers } from './late-layers.ts'
import type { World } from './along-route.ts'
import type { Shared } from './shared.ts'
import { traceAttempts } from './tracing/trace-attempts.ts'

/** The filters of a terminal, in the order given. Routes have a word in limits and sessions: from the first one on, the route is known. */
export interface TerminalFilters {
  readonly early: readonly Layer[]
  /** Absent: there are none. */
  readonly late?: LateLayers
}

/** What filters are built with. */
export interface FilterParts {
  readonly shared: Shared
  /** The newest configuration, for questions to others. */
  readonly current: () => World
}

/** Built once per filter chain; `late` once per route and configuration. */
export function terminalFilters(terminal: HttpTerminal, { shared, current }: FilterParts): TerminalFilters {
  const { filters } = terminal
  const first = filters.findIndex(
    ({ kind }) => kind === 'rate-limit' || kind === 'external-limit' || kind === 'session',
  )
  const build = (part: readonly HttpFilter[], route: Route | undefined): readonly Layer[] =>
    part.flatMap((filter) => layerOf(filter, route, terminal, { shared, current }) ?? [])
  const attempt = terminal.tracing?.attempts === true ? { attempt: traceAttempts(shared.clock) } : undefined
  if (first < 0)
    return { early: build(filters, undefined), ...(attempt && { late: { filters: () => [], ...attempt } }) }
  return {
    early: build(filters.slice(0, first), undefined),
    late: { filters: (route) => build(filters.slice(first), route), ...attempt },
  }
}

function layerOf(
  filter: HttpFilter,
  route: Route | undefined,
  terminal: HttpTerminal,
  { shared, current }: FilterParts,
): Layer | undefined {
  const { self, policyMatched, clock } = shared
  switch (filter.kind) {
    case 'authorize':
      return authorize(filter.rules, { workload: self.workload, matched: policyMatched })
    case 'rate-limit': {
      const limit = limitFor(filter, route)
      if (limit === undefined) return undefined
      return rateLimit(limit, {
        buckets: countsOf(terminal, limit, shared.rateCounts),
        clock,
        ...(limit.budget && { quota: shared.quotas.of(limit) }),
        limited: () => shared.rateLimited(limit.name),
      })
    }
    case 'external-limit': {
      const limit = limiterFor(filter, route)
      return limit && externalLimit(limit, limiterParts(limit, route, current, shared))
    }
    case 'adaptive-concurrency': {
      const { statPrefix } = terminal
      const gradient = shared.gradients.of(statPrefix, filter.limit)
      return shedLoad(filter.limit, { gradient, clock, shed: () => shared.shed(statPrefix) })
    }
    case 'session': {
      const state = sessionFor(filter, route)
      return state && session(state, clock)
    }
    case 'grpc-web':
      return grpcWeb
  }
}

/** What a limit's filter does for the calls of a route: what the route says of it, else what it says itself. Undefined: nothing. */
export function limitFor(
  { name, limit }: Extract<HttpFilter, { kind: 'rate-limit' }>,
  route: Route | undefined,
): RateLimit | undefined {
  const { rateLimits } = route ?? {}
  return rateLimits?.has(name) === true ? rateLimits.get(name) : limit
}

/** Who is asked about the calls of a route, and how; undefined: nobody. */
export function limiterFor(
  { name, limit, byRoute }: Extract<HttpFilter, { kind: 'external-limit' }>,
  route: Route | undefined,
): ExternalLimit | undefined {
  const said = route?.limiters?.get(name)
  if (said === undefined) return byRoute === true ? undefined : limit
  return { ...limit, ...said }
}

/** What a filter of sessions does for the calls of a route: what the route says of it, else what it says itself. Undefined: nothing. */
export const sessionFor = (
  { name, state }: Extract<HttpFilter, { kind: 'session' }>,
  { sessions }: Pick<Route, 'sessions'> = {},
): SessionState | undefined => (sessions?.has(name) === true ? sessions.get(name) : state)

/** Under which name a limit is counted: the same for all chains of a listener, and for all routes that one limit is for. A shared budget has one count. */
const countName = ({ statPrefix }: HttpTerminal, { name, place = '', budget }: RateLimit): string =>
  budget === undefined ? `${statPrefix} ${place}${name}` : name

/** What a limit has counted so far; one more key is for whatever has none. */
export const countsOf = (terminal: HttpTerminal, limit: RateLimit, counts: RateCounts): KeyedBuckets =>
  counts.of(countName(terminal, limit), 1 + (limit.keyed?.maxKeys ?? 0))

/** What a terminal may count, its routes' limits among them, each with the name of its count. */
export function countedLimits(
  terminal: HttpTerminal,
  { routes }: ProxyConfig,
): readonly { readonly count: string; readonly limit: RateLimit }[] {
  const limiting = terminal.filters.filter((filter) => filter.kind === 'rate-limit')
  if (limiting.length === 0) return []
  const table = 'inline' in terminal.routes ? terminal.routes.inline : routes.get(terminal.routes.named)
  const ofRoutes = (table?.virtualHosts ?? []).flatMap((host) =>
    host.routes.flatMap(({ rateLimits }) => [...(rateLimits?.values() ?? [])]),
  )
  return [...limiting.map(({ limit }) => limit), ...ofRoutes].flatMap((limit) =>
    limit === undefined ? [] : [{ limit, count: countName(terminal, limit) }],
  )
}
