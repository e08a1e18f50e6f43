import { formatAddress } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'
import { faultSentence, flagOf } from '../http/fault.ts'
import type { Peer } from '../http/service.ts'
import type { TcpEnd } from './record-tcp.ts'

/** What is known from the beginning. */
export interface ConnectionStart {
  readonly direction: 'inbound' | 'outbound'
  readonly protocol: 'tcp' | 'udp'
  readonly peer: Peer
  /** By the monotonic clock. */
  readonly startedMs: number
}

/** One line of JSON for a raw connection or session that is over, with the names of the HTTP log. Undefined values are left out. */
export function connectionLogLine(
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
