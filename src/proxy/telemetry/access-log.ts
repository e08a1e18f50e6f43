import { formatAddress } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'
import { faultSentence } from '../http/fault.ts'
import { headerValue } from '../http/headers.ts'
import { grpcOutcome, responseFlags, type Call, type Layer, type Outcome } from '../http/service.ts'

/** Where lines go, and what tells their time. */
export interface AccessLogParts {
  readonly direction: 'inbound' | 'outbound'
  readonly clock: Clock
  /** Takes one line, newline included. Must not throw. */
  readonly write: (line: string) => void
}

/** One line of JSON per call when it is over. Undefined values are left out. */
export function accessLog({ direction, clock, write }: AccessLogParts): Layer {
  return (next) => (call) => {
    // As the caller said it: layers below may edit.
    const { method, authority, path, headers } = call
    call.onEnd((outcome) => {
      const entry = {
        time: new Date(clock.wallMs()).toISOString(),
        direction,
        method,
        authority,
        path,
        ...describe(call, outcome, clock),
        ...identifiers(headers),
      }
      write(`${JSON.stringify(entry)}\n`)
    })
    return next(call)
  }
}

function describe(call: Call, outcome: Outcome, clock: Clock) {
  const { protocol, upgrade, startedMs, peer, trace } = call
  const { status, fault } = outcome
  return {
    protocol,
    upgrade,
    status,
    grpcStatus: grpcOutcome(call, outcome),
    flags: responseFlags(trace, fault) || undefined,
    fault: fault && faultSentence(fault),
    durationMs: Math.round((clock.nowMs() - startedMs) * 1000) / 1000,
    bytesReceived: trace.bytesReceived,
    bytesSent: trace.bytesSent,
    source: peer.principal,
    remote: formatAddress(peer.remote),
    route: trace.route,
    origin: trace.origin,
    configRevision: trace.revision,
    cluster: trace.cluster,
    endpoint: trace.endpoint && formatAddress(trace.endpoint),
    upstreamWorkload: trace.upstreamWorkload,
    upstreamPrincipal: trace.upstreamPrincipal,
    attempts: trace.attempts,
    injectedDelayMs: trace.injectedDelayMs,
    injectedBytesPerSecond: trace.injectedBytesPerSecond,
  }
}

/** What ties this line to others; only read, never made or changed here. */
function identifiers(headers: Call['headers']) {
  return {
    requestId: headerValue(headers, 'x-request-id'),
    traceparent: headerValue(headers, 'traceparent'),
  }
}
