import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf'
import type { RetryPolicySchema } from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { PreviousHostsPredicateSchema } from '../../xds/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.ts'
import type { Forward } from '../model/model.ts'
import { duration, typed } from './parts.ts'

/**
 * The limit of the whole call, ms; 0: none. Without `retry` a rule promises one request to a backend, so that the backend's limit is
 * the call's too; with it each attempt has that limit, and the call the other one.
 */
export function timeoutMs({ timeouts, retry }: Forward): number {
  if (timeouts === undefined) return 0
  const { requestMs, backendRequestMs } = timeouts
  if (retry !== undefined || backendRequestMs === 0) return requestMs
  return requestMs === 0 ? backendRequestMs : Math.min(requestMs, backendRequestMs)
}

/** What the mesh does where a rule says nothing, and where it leaves something open. */
const ownAttempts = 2
const ownBackoffMs = 25

/** What can have reached no program is repeated in any case, elsewhere if possible. */
export function renderRetry({ retry, timeouts }: Forward): MessageInitShape<typeof RetryPolicySchema> {
  const baseMs = Math.max(1, retry?.backoffMs ?? ownBackoffMs)
  const codes = retry?.codes ?? []
  const perTryMs = retry === undefined ? 0 : (timeouts?.backendRequestMs ?? 0)
  return {
    retryOn: `connect-failure,refused-stream${codes.length === 0 ? '' : ',retriable-status-codes'}`,
    numRetries: retry?.attempts ?? ownAttempts,
    ...(perTryMs === 0 ? {} : { perTryTimeout: duration(perTryMs) }),
    retriableStatusCodes: [...codes],
    retryHostPredicate: [
      {
        name: 'envoy.retry_host_predicates.previous_hosts',
        configType: { case: 'typedConfig', value: typed(PreviousHostsPredicateSchema, {}) },
      },
    ],
    hostSelectionRetryMaxAttempts: 5n,
    retryBackOff: { baseInterval: duration(baseMs), maxInterval: duration(baseMs * 10) },
  }
}

/**
 * What Envoy's policy cannot say: causes that are repeated when the method is idempotent (its `retry_on` cannot tell methods apart),
 * and a wait that jitter does not shorten.
 */
export const retryMetadata = ({ retry }: Forward): JsonObject => ({
  retry_on_if_idempotent: 'reset,reset-before-request',
  ...(retry?.backoffMs === undefined ? {} : { retry_backoff_at_least_ms: retry.backoffMs }),
})
