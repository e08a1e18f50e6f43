import type { BucketState } from '../../base/keyed-buckets.ts'
import { clientCertificateHeader } from '../../xds/names.ts'
import { describing } from '../ask-limiter.ts'
import type { FilterChain, HttpTerminal, Origin, Route, SharedBudget } from '../config.ts'
import type { DescriptorEntries } from '../filter/external-limit.ts'
import { bucketFor, rateLimitFault, type RateCounts } from '../filter/rate-limit.ts'
import type { Quotas } from '../filter/quota.ts'
import type { Fault } from '../http/fault.ts'
import { headerField } from '../http/headers.ts'
import type { Call } from '../http/service.ts'
import type { Snapshot } from '../snapshot.ts'
import { countsOf, limiterFor, limitFor } from '../terminal-filters.ts'

/** A rate limit that the request would meet, as it stands for this caller. */
export interface LimitState extends BucketState {
  readonly name: string
  readonly burst: number
  readonly perSecond: number
  /** It is counted for this caller, or this value of a header, alone. */
  readonly own: boolean
  /** The limit is a share of this, which instances have together. */
  readonly budget?: SharedBudget
  readonly origin?: Origin | undefined
}

/** What another limiter would be asked; explain does not ask it, since it would count. */
export interface LimiterQuestion {
  readonly domain: string
  readonly cluster: string
  readonly timeoutMs: number
  readonly closed: boolean
  readonly descriptors: readonly DescriptorEntries[]
  readonly origin?: Origin | undefined
}

/** What limits are asked with. */
export interface LimitParts {
  readonly snapshot: Snapshot
  readonly counts: RateCounts
  readonly quotas: Quotas
  readonly nowMs: number
  /** Of this proxy's program. */
  readonly service: string
}

/** Asks the very counts that calls are counted in, and takes nothing from them. `over`: how the first that has nothing left refuses. */
export function metLimits(
  terminal: FilterChain['terminal'],
  call: Call,
  { snapshot, counts, quotas, nowMs, service }: LimitParts,
): {
  readonly limits: readonly LimitState[]
  readonly asks: readonly LimiterQuestion[]
  readonly over: Fault | undefined
} {
  const limits: LimitState[] = []
  const asks: LimiterQuestion[] = []
  let over: Fault | undefined
  if (terminal.kind !== 'http') return { limits, asks, over }
  const route = routeOf(terminal, call, snapshot)
  for (const filter of terminal.filters) {
    const limiter = filter.kind === 'external-limit' ? limiterFor(filter, route) : undefined
    if (limiter !== undefined) {
      const { domain, cluster, timeoutMs, statusOnFailure, origin } = limiter
      const descriptors = describing(limiter, route, service)(call)
      asks.push({ domain, cluster, timeoutMs, closed: statusOnFailure !== undefined, descriptors, origin })
    }
    const limit = filter.kind === 'rate-limit' ? limitFor(filter, route) : undefined
    if (limit === undefined) continue
    const { key, rate: own } = bucketFor(limit, call)
    const rate = limit.budget === undefined ? own : quotas.of(limit).rate(key)
    const state = countsOf(terminal, limit, counts).peek(key, rate, nowMs)
    const { name, origin, budget } = limit
    limits.push({ name, ...rate, ...state, own: key !== '', origin, ...(budget && { budget }) })
    if (!state.allowed) over ??= rateLimitFault(limit, rate, state)
  }
  return { limits, asks, over }
}

/** The route that the call meets there, with who it is from where the hop would write it. */
function routeOf(terminal: HttpTerminal, call: Call, snapshot: Snapshot): Route | undefined {
  const table = 'inline' in terminal.routes ? terminal.routes.inline : snapshot.config.routes.get(terminal.routes.named)
  const { principal } = call.peer
  const proven = principal === undefined ? [] : [headerField(clientCertificateHeader, `URI=${principal}`)]
  return table && snapshot.routerOf(table)({ ...call, headers: [...call.headers, ...proven] })
}
