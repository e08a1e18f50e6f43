import { formatAddress, type Address } from '../../base/address.ts'
import { grpcStatus, grpcStatusOfHttp } from '../../base/grpc.ts'
import { formatRate } from '../../base/keyed-buckets.ts'

/**
 * All that can go wrong with one call. Each case says whose fault it is, when a retry is safe, and the numbers to print.
 * `retry: 'safe'` means that no byte of this request can have reached a program.
 */
export type Fault =
  | { kind: 'no-route'; side: 'self'; retry: 'never'; authority: string; path: string }
  /** `status`: what the route wants to be said then. */
  | { kind: 'no-cluster'; side: 'self'; retry: 'never'; cluster: string; status: 404 | 500 | 503 }
  | { kind: 'unknown-host'; side: 'self'; retry: 'never'; authority: string }
  | { kind: 'no-port'; side: 'self'; retry: 'never'; service: string; port: number; offered: readonly number[] }
  | { kind: 'config-timeout'; side: 'self'; retry: 'never'; name: string; timeoutMs: number }
  | { kind: 'no-endpoint'; side: 'upstream'; retry: 'safe'; cluster: string }
  /** `policy`: which one denied it, or the names of those that might have allowed it (`unmatched`). */
  | {
      kind: 'denied'
      side: 'self'
      retry: 'never'
      principal: string | undefined
      policy: string
      reason: string
      unmatched?: true
    }
  | { kind: 'overflow'; side: 'self'; retry: 'never'; cluster: string; limit: string; max: number }
  /** The control plane wants so many calls refused. */
  | { kind: 'dropped'; side: 'self'; retry: 'never'; cluster: string; category: string; share: number }
  /** This process is at a limit of its machine: not taken here, but another one may have room. */
  | { kind: 'overload'; side: 'self'; retry: 'safe'; short: 'memory' | 'connections' | 'descriptors' }
  | { kind: 'connect-timeout'; side: 'upstream'; retry: 'safe'; endpoint: Address; timeoutMs: number }
  | { kind: 'connect-failed'; side: 'upstream'; retry: 'safe'; endpoint: Address; cause: string }
  /** `notHttp2`: all went well, but the server speaks something else. */
  | { kind: 'tls-failed'; side: 'upstream'; retry: 'safe'; endpoint: Address; cause: string; notHttp2?: true }
  | { kind: 'not-processed'; side: 'upstream'; retry: 'safe'; endpoint: Address; cause: string }
  /** `withConnection`: the connection that it shared with other calls was lost, and they with it; false: only this call was. */
  | {
      kind: 'reset'
      side: 'upstream'
      retry: 'if-idempotent'
      endpoint: Address
      sentBytes: number
      cause: string
      withConnection?: boolean
    }
  | { kind: 'bad-reply'; side: 'upstream'; retry: 'if-idempotent'; endpoint: Address; cause: string }
  /** `ofAttempt`: of this attempt alone. */
  | {
      kind: 'timeout'
      side: 'upstream'
      retry: 'if-idempotent'
      what: 'request' | 'idle' | 'stream'
      timeoutMs: number
      ofAttempt?: true
    }
  | { kind: 'truncated'; side: 'upstream'; retry: 'never'; endpoint: Address; cause: string }
  | {
      kind: 'bad-request'
      side: 'downstream'
      retry: 'never'
      status: 400 | 403 | 408 | 413 | 414 | 417 | 431 | 501 | 505
      cause: string
    }
  /** Another attempt of the same call was quicker; nobody hears of it. */
  | { kind: 'outrun'; side: 'self'; retry: 'never' }
  | { kind: 'client-gone'; side: 'downstream'; retry: 'never'; cause: string }
  /** `tellsAll`, `retryAfter`: what the refusal says besides. */
  | {
      kind: 'rate-limited'
      side: 'self'
      retry: 'never'
      status: number
      resourceExhausted: boolean
      limit: string
      burst: number
      perSecond: number
      waitMs: number
      tellsAll: boolean
      retryAfter: boolean
    }
  /** An external limiter says so; `fields` come with the refusal. */
  | {
      kind: 'over-limit'
      side: 'self'
      retry: 'never'
      status: number
      resourceExhausted: boolean
      domain: string
      fields: readonly (readonly [name: string, value: string])[]
    }
  /** Whether it is over a limit could not be found out, and without that nothing is to pass. */
  | { kind: 'limiter-failed'; side: 'self'; retry: 'never'; status: number; domain: string; cause: string }
  /** More than `limit` calls at once would only make all of them wait. */
  | { kind: 'program-busy'; side: 'self'; retry: 'safe'; status: number; limit: number }
  /** By policy: the call was to fail. */
  | { kind: 'injected'; side: 'self'; retry: 'never'; status: number; grpcStatus: number | undefined }
  | { kind: 'draining'; side: 'self'; retry: 'safe' }

/** The status a client sees for each fault; exhaustive, or no compile. 0: nobody is left to tell, or the reply had begun. */
export const statusOf: Record<
  Exclude<
    Fault['kind'],
    'bad-request' | 'no-cluster' | 'rate-limited' | 'over-limit' | 'limiter-failed' | 'program-busy' | 'injected'
  >,
  number
> = {
  'no-route': 404,
  'unknown-host': 502,
  'no-port': 502,
  'config-timeout': 503,
  'no-endpoint': 503,
  denied: 403,
  overflow: 503,
  dropped: 503,
  overload: 503,
  'connect-timeout': 503,
  'connect-failed': 503,
  'tls-failed': 503,
  'not-processed': 503,
  reset: 503,
  'bad-reply': 502,
  timeout: 504,
  truncated: 0,
  outrun: 0,
  'client-gone': 0,
  draining: 503,
}

/** The status to answer with: the fault's own where it has one. */
export const faultStatus = (fault: Fault): number => ('status' in fault ? fault.status : statusOf[fault.kind])

/**
 * What a gRPC client is told instead. Source: Envoy's local replies, where the HTTP status decides; but a deadline is a deadline (as
 * with its max_stream_duration), and who has gone has cancelled.
 */
export function faultGrpcStatus(fault: Fault): number {
  if (fault.kind === 'timeout' && fault.what !== 'idle') return grpcStatus.deadlineExceeded
  if (fault.kind === 'client-gone') return grpcStatus.cancelled
  if ((fault.kind === 'rate-limited' || fault.kind === 'over-limit') && fault.resourceExhausted)
    return grpcStatus.resourceExhausted
  if (fault.kind === 'injected' && fault.grpcStatus !== undefined) return fault.grpcStatus
  if (fault.kind === 'truncated') return grpcStatus.unavailable
  return grpcStatusOfHttp(faultStatus(fault))
}

/** Envoy's response flags, by which dashboards and people know these cases. Source: Envoy access log, `%RESPONSE_FLAGS%`. */
export const flagOf: Record<Fault['kind'], string> = {
  'no-route': 'NR',
  'no-cluster': 'NC',
  'unknown-host': 'NR',
  'no-port': 'NR',
  'config-timeout': 'NC',
  'no-endpoint': 'UH',
  denied: 'UAEX',
  overflow: 'UO',
  dropped: 'DO',
  overload: 'OM',
  'connect-timeout': 'UF',
  'connect-failed': 'UF',
  'tls-failed': 'UF',
  'not-processed': 'UR',
  reset: 'UC',
  'bad-reply': 'UPE',
  timeout: 'UT',
  truncated: 'UC',
  'bad-request': 'DPE',
  outrun: 'DC',
  'client-gone': 'DC',
  'rate-limited': 'RL',
  'over-limit': 'RL',
  'limiter-failed': 'RLSE',
  'program-busy': 'UO',
  injected: 'FI',
  draining: 'DO',
}

/** One sentence for the person who made the call: what happened, to what, with which numbers. */
export function faultSentence(fault: Fault): string {
  switch (fault.kind) {
    case 'no-route':
      return `no route of ${fault.authority} matches ${fault.path}`
    case 'no-cluster':
      return `the route names cluster ${fault.cluster}, which this proxy does not have`
    case 'unknown-host':
      return `${fault.authority} is not a service of the mesh, and MeshConfig outboundTraffic is RegisteredOnly`
    case 'no-port':
      return `service ${fault.service} has no port ${fault.port}; it has ${fault.offered.join(', ')}`
    case 'config-timeout':
      return `the control plane did not send ${fault.name} within ${fault.timeoutMs} ms`
    case 'no-endpoint':
      return `${fault.cluster} has no healthy endpoint`
    case 'denied':
      return `${fault.principal ?? 'a caller without identity'} may not do this: ${fault.reason} (${fault.policy})`
    case 'overflow':
      return `${fault.cluster} is at its limit of ${fault.max} ${fault.limit}`
    case 'dropped':
      return `${fault.cluster} has too much to do: ${Math.round(fault.share * 1000) / 10} % of its calls are refused (${fault.category || 'overload'})`
    case 'overload':
      return `this proxy is short of ${fault.short}`
    case 'connect-timeout':
      return `no connection to ${formatAddress(fault.endpoint)} within ${fault.timeoutMs} ms`
    case 'connect-failed':
      return `cannot connect to ${formatAddress(fault.endpoint)}: ${fault.cause}`
    case 'tls-failed':
      return `no mTLS with ${formatAddress(fault.endpoint)}: ${fault.cause}`
    case 'not-processed':
      return `${formatAddress(fault.endpoint)} did not take the request: ${fault.cause}`
    case 'reset':
      return `${formatAddress(fault.endpoint)} closed before it answered: ${fault.cause}`
    case 'bad-reply':
      return `${formatAddress(fault.endpoint)} sent no valid reply: ${fault.cause}`
    case 'timeout':
      return fault.what === 'stream'
        ? `not over within the ${fault.timeoutMs} ms that a call may last here`
        : `no answer within the ${fault.what} timeout of ${fault.timeoutMs} ms`
    case 'truncated':
      return `${formatAddress(fault.endpoint)} broke off its reply: ${fault.cause}`
    case 'bad-request':
      return fault.cause
    case 'outrun':
      return 'another attempt was quicker'
    case 'client-gone':
      return `the client went away: ${fault.cause}`
    case 'rate-limited':
      return `rate limit ${fault.limit} (${formatRate(fault.perSecond)}, ${Math.floor(fault.burst)} at once) is used up; one more request may come in ${Math.ceil(fault.waitMs)} ms`
    case 'over-limit':
      return `the rate limiter of domain ${fault.domain} has no room for this request now`
    case 'limiter-failed':
      return `the rate limiter of domain ${fault.domain} does not answer: ${fault.cause}`
    case 'program-busy':
      return `the program has ${fault.limit} calls to answer, and more would make it slower (adaptive concurrency)`
    case 'injected':
      return 'this failure was made on purpose: a policy injects faults here'
    case 'draining':
      return 'this proxy is stopping'
  }
}
