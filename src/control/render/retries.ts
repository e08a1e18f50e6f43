import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf'
import type {
  HeaderMatcherSchema,
  RetryPolicySchema,
  RouteActionSchema,
} from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { PreviousHostsPredicateSchema } from '../../xds/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.ts'
import { upstreamFaultHeader } from '../../xds/names.ts'
import type { Forward, Hedging } from '../model/model.ts'
import { duration, typed } from './parts.ts'
import { headerMatch } from './value-match.ts'

/**
 * The limit of the whole call, ms; 0: none. Without `retry` a rule promises one request to a backend, so that the backend's limit is
 * the call's too; with it each attempt has that limit, and the call the other one.
 */
export function timeoutMs({ timeouts: { requestMs = 0, backendRequestMs = 0 } = {}, retry }: Forward): number {
  if (retry !== undefined || backendRequestMs === 0) return requestMs
  return requestMs === 0 ? backendRequestMs : Math.min(requestMs, backendRequestMs)
}

/** The limit of a whole stream. A gRPC caller's own deadline takes its place, within it and that of the rule. */
export function streamDuration(
  action: Forward,
  http2: boolean,
): Pick<MessageInitShape<typeof RouteActionSchema>, 'maxStreamDuration'> {
  const { streamMs = 0 } = action.timeouts ?? {}
  const limits = [timeoutMs(action), streamMs].filter((ms) => ms > 0)
  if (!http2 && streamMs === 0) return {}
  return {
    maxStreamDuration: {
      ...(streamMs === 0 ? {} : { maxStreamDuration: duration(streamMs) }),
      ...(http2 ? { grpcTimeoutHeaderMax: duration(limits.length === 0 ? 0 : Math.min(...limits)) } : {}),
    },
  }
}

const perTryMs = ({ timeouts = {}, retry }: Forward): number =>
  (retry === undefined ? undefined : timeouts.backendRequestMs) ?? timeouts.perTryMs ?? 0

/** What the mesh does where a rule says nothing, and where it leaves something open. */
const ownAttempts = 2
const ownBackoffMs = 25

/** What can have reached no program is repeated in any case, elsewhere if possible. */
export function renderRetry(action: Forward): MessageInitShape<typeof RetryPolicySchema> {
  const { attempts = ownAttempts, codes, on = [], backoffMs, backoff } = action.retry ?? { codes: [] }
  const baseMs = Math.max(1, backoffMs ?? backoff?.baseMs ?? ownBackoffMs)
  const maxMs = backoffMs === undefined && backoff !== undefined ? backoff.maxMs : baseMs * 10
  const limitMs = perTryMs(action)
  const causes = ['connect-failure', 'refused-stream', ...on, ...(codes.length === 0 ? [] : ['retriable-status-codes'])]
  return {
    retryOn: [...new Set(causes)].join(','),
    numRetries: attempts,
    ...(limitMs === 0 ? {} : { perTryTimeout: duration(limitMs) }),
    retriableStatusCodes: [...codes],
    ...(on.includes('retriable-headers') ? { retriableHeaders: markers(on) } : {}),
    retryHostPredicate: [
      {
        name: 'envoy.retry_host_predicates.previous_hosts',
        configType: { case: 'typedConfig', value: typed(PreviousHostsPredicateSchema, {}) },
      },
    ],
    hostSelectionRetryMaxAttempts: 5n,
    retryBackOff: { baseInterval: duration(baseMs), maxInterval: duration(maxMs) },
    // Where answers are repeated, those who answer have a say in when.
    ...(action.retry === undefined ? {} : { rateLimitedRetryBackOff: { resetHeaders: [{ name: 'Retry-After' }] } }),
  }
}

/** What Envoy's policy, a fixed wait, cannot say. */
const hedgingJson = ({ after, maxAttempts, anyMethod }: Hedging): JsonObject => ({
  ...('ms' in after ? { after_ms: after.ms } : { quantile: after.quantile }),
  max_attempts: maxAttempts,
  ...(anyMethod ? { any_method: true } : {}),
})

/** By which a callee's proxy says what became of a request that its program did not answer. */
const markers = (on: readonly string[]): MessageInitShape<typeof HeaderMatcherSchema>[] =>
  ['not-processed', ...(on.includes('reset') ? ['reset'] : [])].map((value) =>
    headerMatch({ name: upstreamFaultHeader, kind: 'exact', value }),
  )

/**
 * What Envoy's policy cannot say: causes that are repeated when the method is idempotent (its `retry_on` cannot tell methods apart),
 * a wait that jitter does not shorten, and hedging.
 */
export const retryMetadata = ({ retry, hedging }: Forward): JsonObject => ({
  retry_on_if_idempotent: 'reset,reset-before-request',
  ...(retry?.backoffMs === undefined ? {} : { retry_backoff_at_least_ms: retry.backoffMs }),
  ...(hedging && { hedging: hedgingJson(hedging) }),
})
