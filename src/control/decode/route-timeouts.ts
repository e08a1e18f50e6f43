import { integer, list, object, optional, refine, invalid, withDefault, type Decoder } from '../../base/decode.ts'
import { formatDurationMs } from '../../base/duration.ts'
import { duration } from './duration.ts'

/** Gateway API HTTPRouteTimeouts, in ms; 0: none. */
export interface RouteTimeouts {
  /** The whole call, retries included. */
  readonly requestMs?: number
  /** One request to one backend; at most `requestMs`. */
  readonly backendRequestMs?: number
}

/** Gateway API HTTPRouteRetry (GEP-1731). Absent fields are ours to choose. */
export interface RouteRetry {
  /** Statuses that are tried again, besides failed connections: ascending, unique. */
  readonly codes: readonly number[]
  /** Further attempts after the first. */
  readonly attempts?: number
  /** The shortest wait before a retry, ms. */
  readonly backoffMs?: number
}

interface WrittenTimeouts {
  readonly request?: number
  readonly backendRequest?: number
}
export const routeTimeouts: Decoder<RouteTimeouts> = refine(
  object<WrittenTimeouts>({ request: optional(duration), backendRequest: optional(duration) }),
  ({ request, backendRequest }, path, issues) => {
    if (request !== undefined && request > 0 && backendRequest !== undefined && backendRequest > request) {
      const limit = formatDurationMs(request)
      issues.push({ path: `${path}.backendRequest`, message: `must not be longer than request (${limit})` })
      return invalid
    }
    return {
      ...(request === undefined ? {} : { requestMs: request }),
      ...(backendRequest === undefined ? {} : { backendRequestMs: backendRequest }),
    }
  },
)

interface WrittenRetry {
  readonly codes: readonly number[]
  readonly attempts?: number
  readonly backoff?: number
}
export const routeRetry: Decoder<RouteRetry> = refine(
  object<WrittenRetry>({
    codes: withDefault(list(integer({ min: 400, max: 599 }), { max: 200 }), []),
    attempts: optional(integer({ min: 0, max: 100 })),
    backoff: optional(duration),
  }),
  ({ codes, attempts, backoff }) => ({
    codes: [...new Set(codes)].toSorted((a, b) => a - b),
    ...(attempts === undefined ? {} : { attempts }),
    ...(backoff === undefined ? {} : { backoffMs: backoff }),
  }),
)
