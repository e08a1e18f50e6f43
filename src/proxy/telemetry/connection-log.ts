import { formatAddress, type Address } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'
import type { Known } from '../format/known.ts'
import { connectionFlags } from '../format/response-details.ts'
import { faultSentence, flagOf } from '../http/fault.ts'
import type { Peer } from '../http/service.ts'
import type { Logs } from './logs.ts'
import type { TcpEnd } from './record-tcp.ts'

/** What is known from the beginning. */
export interface ConnectionStart {
  readonly direction: 'inbound' | 'outbound'
  readonly protocol: 'tcp' | 'udp'
  readonly peer: Peer
  /** By the monotonic clock. */
  readonly startedMs: number
}

/** A raw connection or session that is over, and our end of its connection to the upstream, where a log asks for that. */
export interface ConnectionEnd extends TcpEnd {
  readonly upstreamLocal?: Address | undefined
}

/** Writes a line of a raw connection or session that is over to each log that wants it. */
export function tellConnection(logs: Logs, start: ConnectionStart, end: ConnectionEnd, clock: Clock): void {
  logs.tell(
    () => connectionLogLine(start, end, clock),
    () => knownOf(start, end, clock),
  )
}

function knownOf({ peer, protocol, startedMs }: ConnectionStart, end: ConnectionEnd, clock: Clock): Known {
  const { cluster, endpoint, fault, received, sent, attempts, upstreamLocal } = end
  const endedMs = clock.wallMs()
  const durationMs = clock.nowMs() - startedMs
  return {
    peer,
    trace: { cluster, endpoint },
    end: {
      beganMs: endedMs - durationMs,
      endedMs,
      durationMs,
      status: 0,
      fault,
      flags: fault === undefined ? [] : connectionFlags(fault),
      bytesReceived: received,
      bytesSent: sent,
      // Envoy counts none for datagrams.
      attempts: protocol === 'tcp' ? attempts : 0,
      detail: upstreamLocal && { upstreamLocal },
      logType: protocol === 'tcp' ? 'TcpConnectionEnd' : 'UdpSessionEnd',
    },
  }
}

/** In our own words: one object of JSON with the names of the HTTP log. Undefined values are left out. */
function connectionLogLine(
  { direction, protocol, peer, startedMs }: ConnectionStart,
  end: TcpEnd,
  clock: Clock,
): string {
  const entry = {
    time: new Date(clock.wallMs()).toISOString(),
    direction,
    protocol,
    serverName: peer.serverName,
    flags: end.fault && flagOf[end.fault.kind],
    fault: end.fault && faultSentence(end.fault),
    durationMs: Math.round((clock.nowMs() - startedMs) * 1000) / 1000,
    bytesReceived: end.received,
    bytesSent: end.sent,
    source: peer.principal,
    remote: formatAddress(peer.remote),
    local: formatAddress(peer.destination ?? peer.local),
    origin: end.origin,
    cluster: end.cluster,
    endpoint: end.endpoint && formatAddress(end.endpoint),
    upstreamWorkload: end.upstreamWorkload,
    upstreamPrincipal: end.upstreamPrincipal,
    attempts: end.attempts,
  }
  return `${JSON.stringify(entry)}\n`
}
