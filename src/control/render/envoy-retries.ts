import type { Forward, RouteRule } from '../model/model.ts'
import { timeoutMs } from './retries.ts'

/** Source: RFC 9110, section 9.2.2. */
const idempotent = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']

/** Causes that a request of any method is repeated for: it reached no program (a limit refused it, for one), or the answer is one of gRPC, where every call is a POST. */
const forAnyMethod: ReadonlySet<string> = new Set([
  'connect-failure',
  'refused-stream',
  'reset-before-request',
  'retriable-headers',
  'envoy-ratelimited',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
])

/**
 * A rule as two for Envoy, whose `retry_on` cannot tell methods apart: for idempotent methods with all that is repeated, for others with
 * what is safe. One stays one where the rule is for a single method, or forwards nothing.
 */
export function byMethod(rule: RouteRule): readonly RouteRule[] {
  const { action, match } = rule
  if (action.kind !== 'forward') return [rule]
  const [repeating, careful] = [
    { ...rule, action: withCauses(action, 'idempotent') },
    { ...rule, action: withCauses(action, 'any') },
  ]
  if (match.method !== undefined) return [idempotent.includes(match.method) ? repeating : careful]
  const methods = { name: ':method', kind: 'regex' as const, value: idempotent.join('|') }
  return [{ ...repeating, match: { ...match, headers: [...match.headers, methods] } }, careful]
}

function withCauses(action: Forward, methods: 'idempotent' | 'any'): Forward {
  const { retry = { codes: [] }, timeouts = {} } = action
  const { on = [] } = retry
  const own = ['reset-before-request', 'retriable-headers', ...on]
  // Without retries of its own a rule's limit of one request is that of the call, which it has to stay.
  const { backendRequestMs: _one, ...rest } = timeouts
  return {
    ...action,
    ...(action.retry === undefined ? { timeouts: { ...rest, requestMs: timeoutMs(action) } } : {}),
    retry:
      methods === 'idempotent'
        ? { ...retry, on: [...own, 'reset'] }
        : { ...retry, codes: [], on: own.filter((cause) => forAnyMethod.has(cause)) },
  }
}
