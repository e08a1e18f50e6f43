import type { JsonObject } from '@bufbuild/protobuf'
import {
  RetryPolicy_RateLimitedRetryBackOffSchema,
  RetryPolicy_ResetHeaderFormat as ResetFormat,
  RetryPolicySchema,
  type HeaderMatcher,
  type RetryPolicy_RateLimitedRetryBackOff,
  type RetryPolicy as XdsRetryPolicy,
} from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { PreviousPrioritiesConfigSchema } from '../../xds/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.ts'
import { typeUrlOf } from '../../xds/any.ts'
import { numberIn, stringIn } from '../../xds/structs.ts'
import type { HeaderMatch, RetryCause, RetryPolicy } from '../config.ts'
import { durationMs, headerMatch } from './decode-parts.ts'
import { fieldNames, join, knowOnly, open, type Refusals } from './refusals.ts'

const known = fieldNames(`retry_on num_retries per_try_timeout retry_host_predicate host_selection_retry_max_attempts
  retry_back_off rate_limited_retry_back_off retriable_status_codes retriable_headers retriable_request_headers retry_priority`)

const previousHosts = 'type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate'

/** `more`: what the route's `weft.dev` metadata adds. Source: envoy.config.route.v3.RetryPolicy. */
export function decodeRetryPolicy(
  policy: XdsRetryPolicy,
  more: JsonObject | undefined,
  path: string,
  refused: Refusals,
): RetryPolicy {
  knowOnly(RetryPolicySchema, policy, known, path, refused)
  const backoff = policy.retryBackOff
  const atLeastMs = numberIn(more, 'retry_backoff_at_least_ms')
  const backoffBaseMs = durationMs(backoff?.baseInterval, 25, join(path, 'retry_back_off.base_interval'), refused)
  return {
    retries: policy.numRetries ?? 1,
    on: causes(policy.retryOn, join(path, 'retry_on'), refused),
    onIfIdempotent: causes(
      stringIn(more, 'retry_on_if_idempotent') ?? '',
      'metadata[weft.dev].retry_on_if_idempotent',
      refused,
    ),
    perTryTimeoutMs: durationMs(policy.perTryTimeout, 0, join(path, 'per_try_timeout'), refused),
    ...(policy.retriableStatusCodes.length === 0 ? {} : { statusCodes: new Set(policy.retriableStatusCodes) }),
    ...headerConditions(policy, path, refused),
    ...(atLeastMs === undefined ? {} : { backoffAtLeastMs: atLeastMs }),
    backoffBaseMs,
    backoffMaxMs: durationMs(
      backoff?.maxInterval,
      backoffBaseMs * 10,
      join(path, 'retry_back_off.max_interval'),
      refused,
    ),
    ...(policy.rateLimitedRetryBackOff &&
      decodeAskedWait(policy.rateLimitedRetryBackOff, join(path, 'rate_limited_retry_back_off'), refused)),
    hostSelectionAttempts: avoidsPreviousHosts(policy, path, refused)
      ? Math.max(1, Number(policy.hostSelectionRetryMaxAttempts))
      : 0,
    ...avoidedPriorities(policy, join(path, 'retry_priority'), refused),
  }
}

function headerConditions(
  { retriableHeaders, retriableRequestHeaders }: XdsRetryPolicy,
  path: string,
  refused: Refusals,
): Pick<RetryPolicy, 'replyHeaders' | 'requestHeaders'> {
  const all = (matchers: readonly HeaderMatcher[], name: string): readonly HeaderMatch[] =>
    matchers.map((matcher, index) => headerMatch(matcher, join(path, `${name}[${index}]`), refused))
  return {
    ...(retriableHeaders.length > 0 && { replyHeaders: all(retriableHeaders, 'retriable_headers') }),
    ...(retriableRequestHeaders.length > 0 && {
      requestHeaders: all(retriableRequestHeaders, 'retriable_request_headers'),
    }),
  }
}

const priorityFields = fieldNames('update_frequency')

function avoidedPriorities(
  { retryPriority }: XdsRetryPolicy,
  path: string,
  refused: Refusals,
): Pick<RetryPolicy, 'avoidPrioritiesEvery'> {
  if (retryPriority === undefined) return {}
  const { configType: by, name } = retryPriority
  if (by.case !== 'typedConfig' || by.value.typeUrl !== typeUrlOf(PreviousPrioritiesConfigSchema)) {
    refused.add(path, `${name} is not supported`)
    return {}
  }
  const config = open(by.value, PreviousPrioritiesConfigSchema, join(path, 'typed_config'), refused)
  if (config === undefined) return {}
  knowOnly(PreviousPrioritiesConfigSchema, config, priorityFields, join(path, 'typed_config'), refused)
  if (config.updateFrequency < 1)
    refused.add(
      join(path, 'typed_config.update_frequency'),
      `expected an integer of at least 1, got ${config.updateFrequency}`,
    )
  return { avoidPrioritiesEvery: Math.max(1, config.updateFrequency) }
}

const askedFields = fieldNames('reset_headers max_interval')

/** Source: envoy RetryPolicy.RateLimitedRetryBackOff: 300 s at most where nothing is said. */
function decodeAskedWait(
  rules: RetryPolicy_RateLimitedRetryBackOff,
  path: string,
  refused: Refusals,
): Pick<RetryPolicy, 'askedWait'> {
  knowOnly(RetryPolicy_RateLimitedRetryBackOffSchema, rules, askedFields, path, refused)
  if (rules.resetHeaders.length === 0) refused.add(join(path, 'reset_headers'), 'expected at least one')
  const mostMs = durationMs(rules.maxInterval, 300_000, join(path, 'max_interval'), refused)
  if (mostMs <= 0) refused.add(join(path, 'max_interval'), 'expected more than 0')
  const resetHeaders = rules.resetHeaders.map(({ name, format }, index) => {
    if (name === '') refused.add(join(path, `reset_headers[${index}].name`), 'is empty')
    return { name: name.toLowerCase(), says: format === ResetFormat.UNIX_TIMESTAMP ? 'time' : 'seconds' } as const
  })
  return { askedWait: { resetHeaders, mostMs } }
}

const allCauses: readonly RetryCause[] = [
  'connect-failure',
  'refused-stream',
  'reset-before-request',
  'reset',
  '5xx',
  'gateway-error',
  'retriable-status-codes',
  'retriable-headers',
  'retriable-4xx',
  'envoy-ratelimited',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]

function causes(text: string, path: string, refused: Refusals): ReadonlySet<RetryCause> {
  const names = text.split(',').map((name) => name.trim())
  for (const name of names)
    if (name !== '' && !allCauses.some((cause) => cause === name)) refused.add(path, `"${name}" is not supported`)
  return new Set(allCauses.filter((cause) => names.includes(cause)))
}

function avoidsPreviousHosts({ retryHostPredicate }: XdsRetryPolicy, path: string, refused: Refusals): boolean {
  for (const [index, { name, configType }] of retryHostPredicate.entries()) {
    if (configType.case !== 'typedConfig' || configType.value.typeUrl !== previousHosts)
      refused.add(join(path, `retry_host_predicate[${index}]`), `${name} is not supported`)
  }
  return retryHostPredicate.length > 0
}
