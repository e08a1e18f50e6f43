import type { Any } from '@bufbuild/protobuf/wkt'
import { typeUrlOf } from '../../xds/any.ts'
import { CorsPolicySchema } from '../../xds/gen/envoy/extensions/filters/http/cors/v3/cors_pb.ts'
import { HTTPFaultSchema } from '../../xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import { StatefulSessionPerRouteSchema } from '../../xds/gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session_pb.ts'
import { LocalRateLimitSchema } from '../../xds/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.ts'
import { RateLimitPerRouteSchema } from '../../xds/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.ts'
import type { RateLimit, Route, RouteLimiter, SessionState } from '../config.ts'
import { decodeCors } from './decode-cors.ts'
import { decodeRouteLimiter } from './decode-external-limit.ts'
import { decodeFaults } from './decode-faults.ts'
import type { PolicyOrigin } from './decode-parts.ts'
import { decodeRateLimit } from './decode-rate-limit.ts'
import { decodeRouteSession } from './decode-session.ts'
import { join, open, type Refusals } from './refusals.ts'

/** A word to single filters, and who has it: `place` tells routes apart, `origins` are the limits that our own control plane wrote. */
export interface FilterConfigs {
  readonly configs: Readonly<Record<string, Any>>
  readonly place: string
  readonly origins: ReadonlyMap<string, PolicyOrigin>
  /** Seconds after which a session that nobody uses ends, which our own control plane says besides. */
  readonly sessionIdleS?: number | undefined
}

export type RouteFilters = Pick<Route, 'cors' | 'faults' | 'rateLimits' | 'limiters' | 'sessions'>

/**
 * What `typed_per_filter_config` of a route, or of what is around it, says; what is for a filter that we lack is refused. Each limit of
 * each place has a count of its own, as in Envoy; one of our own control plane has one wherever it stands.
 */
export function decodeFilterConfigs(
  { configs, place, origins, sessionIdleS }: FilterConfigs,
  path: string,
  refused: Refusals,
): RouteFilters {
  const decoded: { cors?: Route['cors']; faults?: Route['faults'] } = {}
  const limits = new Map<string, RateLimit | undefined>()
  const limiters = new Map<string, RouteLimiter>()
  const sessions = new Map<string, SessionState | undefined>()
  for (const [name, any] of Object.entries(configs)) {
    const at = join(path, `typed_per_filter_config[${name}]`)
    if (any.typeUrl === typeUrlOf(CorsPolicySchema)) decoded.cors = decodeCors(any, at, refused)
    else if (any.typeUrl === typeUrlOf(HTTPFaultSchema)) decoded.faults = decodeFaults(any, at, refused)
    else if (any.typeUrl === typeUrlOf(StatefulSessionPerRouteSchema))
      sessions.set(name, decodeRouteSession(any, { idleS: sessionIdleS }, at, refused))
    else if (any.typeUrl === typeUrlOf(RateLimitPerRouteSchema)) {
      const limiter = decodeRouteLimiter(any, at, refused)
      if (limiter !== undefined) limiters.set(name, limiter)
    } else if (any.typeUrl === typeUrlOf(LocalRateLimitSchema)) {
      const message = open(any, LocalRateLimitSchema, at, refused)
      const limit = message && decodeRateLimit(message, origins, at, refused)
      limits.set(name, limit && (origins.has(limit.name) ? limit : { ...limit, place: `${place} ` }))
    } else refused.add(at, `${any.typeUrl} is not supported`)
  }
  const { cors, faults } = decoded
  return {
    ...(cors && { cors }),
    ...(faults && { faults }),
    ...(limits.size > 0 && { rateLimits: limits }),
    ...(limiters.size > 0 && { limiters }),
    ...(sessions.size > 0 && { sessions }),
  }
}

/** What two levels say together: the narrower one has the last word on each filter. */
export function narrowed(wide: RouteFilters, narrow: RouteFilters): RouteFilters {
  const rateLimits = merged(wide.rateLimits, narrow.rateLimits)
  const limiters = merged(wide.limiters, narrow.limiters)
  const sessions = merged(wide.sessions, narrow.sessions)
  return {
    ...wide,
    ...narrow,
    ...(rateLimits && { rateLimits }),
    ...(limiters && { limiters }),
    ...(sessions && { sessions }),
  }
}

function merged<T>(
  wide: ReadonlyMap<string, T> | undefined,
  narrow: ReadonlyMap<string, T> | undefined,
): ReadonlyMap<string, T> | undefined {
  return wide === undefined || narrow === undefined ? (narrow ?? wide) : new Map([...wide, ...narrow])
}
