import { grpcStatus } from '../../base/grpc.ts'
import type { GrpcRetryCause, RetryPolicy } from '../config.ts'
import type { Fault } from '../http/fault.ts'
import { headerValue } from '../http/headers.ts'
import { isFault, trailersOnlyStatus, type Call, type Reply } from '../http/service.ts'

/** Source: RFC 9110, section 9.2.2. */
const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** Questions that a policy has to the heads of calls and replies, ready to be asked. */
export interface RetryTests {
  /** Undefined: all calls are meant. */
  readonly call: ((call: Call) => boolean) | undefined
  /** Undefined: no reply is. */
  readonly reply: ((reply: Reply) => boolean) | undefined
}

/** Doing it twice does no more than doing it once. */
export const isIdempotent = (method: string): boolean => idempotentMethods.has(method)

/**
 * Whether another attempt is allowed: `on` names the cause and no byte of the request can have reached a program; or `on` or
 * `onIfIdempotent` names it and the method is idempotent (a protocol change is not). Stricter than Envoy, where `retry_on` may
 * repeat any method: here a POST is not sent again for a status that `statusCodes` lists. A gRPC status that `on` names is repeated,
 * as a gRPC client with such a policy does: every call of gRPC is a POST, so whoever names one means those. What a rate limit refused
 * before it reached a program (`x-envoy-ratelimited`) is repeated if `on` names that, whatever the method, and for nothing else. Of
 * `tests` the one for calls comes before everything, and the one for replies says what `retriable-headers` means. Pure.
 */
export function worthRetrying(
  { on, onIfIdempotent, statusCodes }: Pick<RetryPolicy, 'on' | 'onIfIdempotent' | 'statusCodes'>,
  call: Call,
  answer: Reply | Fault,
  tests?: RetryTests,
): boolean {
  const { method, upgrade } = call
  if (tests?.call?.(call) === false) return false
  if (!isFault(answer) && isRateLimited(answer)) return upgrade === undefined && on.has('envoy-ratelimited')
  if (!isFault(answer) && upgrade === undefined && coversGrpc(on, answer)) return true
  const listed = statusCodes !== undefined && !isFault(answer) && statusCodes.has(answer.status)
  const marked = tests?.reply !== undefined && !isFault(answer) && on.has('retriable-headers') && tests.reply(answer)
  if (!isFault(answer) && !marked && answer.status < 500 && answer.status !== retriable4xx && !listed) return false
  const repeatable = upgrade === undefined && isIdempotent(method)
  if (repeatable && marked) return true
  if (repeatable && listed && on.has('retriable-status-codes')) return true
  if (repeatable) return covers(on, answer) || covers(onIfIdempotent, answer)
  return isFault(answer) && neverReachedProgram(answer) && coversFault(on, answer)
}

/** The only one of them. Source: Envoy, `x-envoy-retry-on`. */
const retriable4xx = 409

/** Of good replies with a body, which are most, nobody asks. */
const isRateLimited = ({ status, body, headers }: Reply): boolean =>
  (status >= 400 || body.length === 0) && headerValue(headers, 'x-envoy-ratelimited') !== undefined

const grpcCauses: readonly (GrpcRetryCause | undefined)[] = Array.from({ length: 17 }, (_, status) => {
  switch (status) {
    case grpcStatus.cancelled:
      return 'cancelled'
    case grpcStatus.deadlineExceeded:
      return 'deadline-exceeded'
    case grpcStatus.resourceExhausted:
      return 'resource-exhausted'
    case grpcStatus.internal:
      return 'internal'
    case grpcStatus.unavailable:
      return 'unavailable'
    default:
      return undefined
  }
})

function coversGrpc(on: RetryPolicy['on'], reply: Reply): boolean {
  const status = trailersOnlyStatus(reply)
  const cause = status === undefined ? undefined : grpcCauses[status]
  return cause !== undefined && on.has(cause)
}

const covers = (on: RetryPolicy['on'], answer: Reply | Fault): boolean =>
  isFault(answer) ? coversFault(on, answer) : coversStatus(on, answer.status)

function coversStatus(on: RetryPolicy['on'], status: number): boolean {
  if (status < 500) return status === retriable4xx && on.has('retriable-4xx')
  return on.has('5xx') || (on.has('gateway-error') && status >= 502 && status <= 504)
}

const neverReachedProgram = (fault: Fault): boolean =>
  fault.retry === 'safe' || (fault.kind === 'reset' && fault.sentBytes === 0)

function coversFault(on: RetryPolicy['on'], fault: Fault): boolean {
  switch (fault.kind) {
    case 'connect-timeout':
    case 'connect-failed':
    case 'tls-failed':
      return on.has('connect-failure') || on.has('5xx')
    case 'not-processed':
      return on.has('refused-stream') || on.has('reset-before-request') || on.has('reset') || on.has('5xx')
    case 'reset':
      return (fault.sentBytes === 0 && on.has('reset-before-request')) || on.has('reset') || on.has('5xx')
    case 'bad-reply':
    case 'timeout':
      return on.has('reset') || on.has('5xx') || on.has('gateway-error')
    default:
      return false
  }
}
