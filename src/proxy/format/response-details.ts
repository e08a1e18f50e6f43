import { flagOf, type Fault } from '../http/fault.ts'
import type { Trace } from '../http/service.ts'

/** Why a reply has the status that it has, in Envoy's words where it has some. Source: Envoy, "Response code details". */
export function responseDetails(
  fault: Fault | undefined,
  { endpoint, isPreflight }: Pick<Trace, 'endpoint' | 'isPreflight'>,
): string {
  if (fault !== undefined) return detailsOf(fault)
  if (endpoint !== undefined) return 'via_upstream'
  return isPreflight === true ? 'cors_response' : 'direct_response'
}

function detailsOf(fault: Fault): string {
  switch (fault.kind) {
    case 'no-route':
    case 'unknown-host':
    case 'no-port':
    case 'config-timeout':
      return 'route_not_found'
    case 'no-cluster':
      return 'cluster_not_found'
    case 'no-endpoint':
      return 'no_healthy_upstream'
    case 'denied':
      return deniedDetails(fault)
    case 'dropped':
      return 'drop_overload'
    case 'overload':
      return 'overload'
    case 'overflow':
    case 'connect-timeout':
    case 'connect-failed':
    case 'tls-failed':
    case 'not-processed':
    case 'reset':
    case 'bad-reply':
      return beforeReply(fault)
    case 'timeout':
      if (fault.ofAttempt === true) return 'upstream_per_try_timeout'
      return { request: 'response_timeout', idle: 'stream_idle_timeout', stream: 'max_duration_timeout' }[fault.what]
    case 'truncated':
      return 'upstream_reset_after_response_started{connection_termination}'
    case 'bad-request':
      return words(badRequests[fault.status] ?? fault.cause)
    case 'client-gone':
      return 'downstream_remote_disconnect'
    case 'outrun':
      return 'outrun'
    case 'rate-limited':
      return 'local_rate_limited'
    case 'over-limit':
      return 'request_rate_limited'
    case 'limiter-failed':
      return 'rate_limiter_error'
    case 'program-busy':
      return 'reached_concurrency_limit'
    case 'injected':
      return 'fault_filter_abort'
    case 'draining':
      return 'draining'
  }
}

const badRequests: Readonly<Record<number, string>> = {
  403: 'upgrade_failed',
  408: 'request_overall_timeout',
  413: 'request_payload_too_large',
  431: 'request_headers_too_large',
}

/** Why an attempt came to nothing; undefined: not by a reset. */
export function resetReason(fault: Fault): string | undefined {
  switch (fault.kind) {
    case 'connect-failed':
    case 'tls-failed':
      return 'remote connection failure'
    case 'connect-timeout':
      return 'connection timeout'
    case 'not-processed':
      return 'remote refused stream reset'
    case 'reset':
      return fault.withConnection === false ? 'remote reset' : 'connection termination'
    case 'bad-reply':
      return 'protocol error'
    case 'overflow':
      return 'overflow'
    default:
      return undefined
  }
}

function beforeReply(fault: Fault): string {
  const why = [resetReason(fault), transportFailure(fault)].filter((one) => one !== undefined)
  return `upstream_reset_before_response_started{${words(why.join('|'))}}`
}

const words = (text: string): string => text.replaceAll(/\s+/g, '_')

/** Which policy it was. */
export const deniedDetails = ({ policy, unmatched }: Fault & { readonly kind: 'denied' }): string =>
  `rbac_access_denied_matched_policy[${unmatched === true ? 'none' : words(policy)}]`

/** Why no connection could be opened, as one word; undefined: that was not it. */
export function transportFailure(fault: Fault | undefined): string | undefined {
  const said = transportFailureText(fault)
  return said === undefined ? undefined : words(said)
}

/** The same as a text. */
export function transportFailureText(fault: Fault | undefined): string | undefined {
  if (fault?.kind === 'connect-failed') return `delayed connect error: ${systemErrors[fault.cause] ?? fault.cause}`
  return fault?.kind === 'tls-failed' ? `TLS error: ${fault.cause}` : undefined
}

/** As the C library says it. */
const systemErrors: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  EHOSTUNREACH: 'No route to host',
  ENETUNREACH: 'Network is unreachable',
  ETIMEDOUT: 'Connection timed out',
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
}

/** Envoy's response flags of a call that is over, in its own log format: where it has none for a fault, there is none. */
export function envoyFlags(
  fault: Fault | undefined,
  trace: Pick<Trace, 'injectedDelayMs' | 'retriesSpent'>,
): readonly string[] {
  const flags: string[] = []
  if (trace.injectedDelayMs !== undefined) flags.push('DI')
  if (trace.retriesSpent === true) flags.push('URX')
  const flag = fault && flagOfFault(fault)
  if (flag) flags.push(flag)
  return flags
}

/** The same of a raw connection, whose attempts are always counted. */
export function connectionFlags(fault: Fault): readonly string[] {
  const flag = flagOfFault(fault)
  if (flag === '') return []
  return flag === 'UF' ? [flag, 'URX'] : [flag]
}

/** "": Envoy has none. */
function flagOfFault(fault: Fault): string {
  switch (fault.kind) {
    case 'denied':
    case 'draining':
      return ''
    case 'bad-request':
      return ''
    case 'timeout':
      return { request: 'UT', idle: 'SI', stream: '' }[fault.what]
    case 'reset':
      return fault.withConnection === false ? 'UR' : 'UC'
    default:
      return flagOf[fault.kind]
  }
}

/** Source: Envoy, `%RESPONSE_FLAGS_LONG%`. */
export const longFlags: Readonly<Record<string, string>> = {
  DC: 'DownstreamConnectionTermination',
  LH: 'FailedLocalHealthCheck',
  UH: 'NoHealthyUpstream',
  UT: 'UpstreamRequestTimeout',
  LR: 'LocalReset',
  UR: 'UpstreamRemoteReset',
  UF: 'UpstreamConnectionFailure',
  UC: 'UpstreamConnectionTermination',
  UO: 'UpstreamOverflow',
  NR: 'NoRouteFound',
  DI: 'DelayInjected',
  FI: 'FaultInjected',
  RL: 'RateLimited',
  UAEX: 'UnauthorizedExternalService',
  RLSE: 'RateLimitServiceError',
  URX: 'UpstreamRetryLimitExceeded',
  SI: 'StreamIdleTimeout',
  IH: 'InvalidEnvoyRequestHeaders',
  DPE: 'DownstreamProtocolError',
  UMSDR: 'UpstreamMaxStreamDurationReached',
  RFCF: 'ResponseFromCacheFilter',
  NFCF: 'NoFilterConfigFound',
  DT: 'DurationTimeout',
  UPE: 'UpstreamProtocolError',
  NC: 'NoClusterFound',
  OM: 'OverloadManagerTerminated',
  DF: 'DnsResolutionFailed',
  DO: 'DropOverload',
  DR: 'DownstreamRemoteReset',
  UDO: 'UnconditionalDropOverload',
}
