import type { Address } from '../../base/address.ts'
import type { Fault } from '../http/fault.ts'
import { flagOf } from '../http/fault.ts'
import type { Peer } from '../http/service.ts'
import type { Metrics } from './metrics.ts'
import { serviceOf, type Self } from './record.ts'

/** How a raw connection went. */
export interface TcpEnd {
  /** Bytes from the downstream. */
  readonly received: number
  /** Bytes to the downstream. */
  readonly sent: number
  /** Why it was refused or broken off; undefined: both ends have ended it. */
  readonly fault: Fault | undefined
  /** What the user wrote that sent it to this cluster. */
  readonly origin?: { readonly resource: string; readonly field: string; readonly revision: string } | undefined
  readonly cluster?: string | undefined
  readonly endpoint?: Address | undefined
  readonly upstreamWorkload?: string | undefined
  /** The SPIFFE ID that the upstream's certificate proved. */
  readonly upstreamPrincipal?: string | undefined
  /** Endpoints tried. */
  readonly attempts: number
}

/** A raw connection that is being counted. */
export interface TcpRecord {
  /** Once. */
  closed(end: TcpEnd): void
}

/** The families that raw connections are counted in; one per process. */
export interface TcpMetrics {
  opened(direction: 'inbound' | 'outbound', peer: Peer, self: Self): TcpRecord
}

/**
 * Registers `weft_tcp_connections_total`, `weft_tcp_connections_active`, `weft_tcp_received_bytes_total`,
 * `weft_tcp_sent_bytes_total` and `weft_plaintext_connections_total`.
 */
export function createTcpMetrics(metrics: Metrics): TcpMetrics {
  const labels = ['direction', 'source', 'destination_service', 'flags', 'tls']
  const connections = metrics.counter('weft_tcp_connections_total', 'Raw connections that are over.', labels)
  const active = metrics.gauge('weft_tcp_connections_active', 'Raw connections that are open.', ['direction'])
  const bytesLabels = ['direction', 'source', 'destination_service']
  const received = metrics.counter('weft_tcp_received_bytes_total', 'Bytes from the downstream.', bytesLabels)
  const sent = metrics.counter('weft_tcp_sent_bytes_total', 'Bytes to the downstream.', bytesLabels)
  const plaintext = metrics.counter(
    'weft_plaintext_connections_total',
    'Inbound raw connections that came without TLS, whose caller is therefore unknown.',
    ['destination_service'],
  )
  return {
    opened(direction, peer, self) {
      const inbound = direction === 'inbound'
      const source = (inbound ? peer.principal : self.principal) ?? 'unknown'
      active.of(direction).add(1)
      if (inbound && !peer.tls) plaintext.of(self.service).add(1)
      return {
        closed({ received: bytesReceived, sent: bytesSent, fault, cluster }) {
          const service = inbound ? self.service : serviceOf(cluster)
          active.of(direction).add(-1)
          connections
            .of(direction, source, service, fault === undefined ? '' : flagOf[fault.kind], String(peer.tls))
            .add(1)
          received.of(direction, source, service).add(bytesReceived)
          sent.of(direction, source, service).add(bytesSent)
        },
      }
    },
  }
}
