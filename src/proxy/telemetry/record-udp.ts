import type { Metrics } from './metrics.ts'

/** Why a datagram went nowhere. */
export type UdpDrop = 'no-endpoint' | 'no-cluster' | 'overflow' | 'queue-full' | 'refused'

/** The families that datagrams are counted in; one per process. */
export interface UdpMetrics {
  /** The counters of one destination. */
  of(service: string): UdpCounters
}

export interface UdpCounters {
  opened(): void
  closed(): void
  /** From the downstream. */
  received(bytes: number): void
  /** To the downstream. */
  sent(bytes: number): void
  dropped(why: UdpDrop): void
}

/** Registers `weft_udp_sessions_total`, `weft_udp_sessions_active`, and by direction datagrams and bytes; and what was dropped. */
export function createUdpMetrics(metrics: Metrics): UdpMetrics {
  const labels = ['destination_service']
  const sessions = metrics.counter('weft_udp_sessions_total', 'Sessions of datagrams that were begun.', labels)
  const active = metrics.gauge('weft_udp_sessions_active', 'Sessions of datagrams that are open.', labels)
  const datagramsIn = metrics.counter('weft_udp_received_datagrams_total', 'Datagrams from the downstream.', labels)
  const datagramsOut = metrics.counter('weft_udp_sent_datagrams_total', 'Datagrams to the downstream.', labels)
  const bytesIn = metrics.counter('weft_udp_received_bytes_total', 'Bytes from the downstream, in datagrams.', labels)
  const bytesOut = metrics.counter('weft_udp_sent_bytes_total', 'Bytes to the downstream, in datagrams.', labels)
  const drops = metrics.counter('weft_udp_dropped_datagrams_total', 'Datagrams that went nowhere.', [
    ...labels,
    'reason',
  ])
  return {
    of: (service) => ({
      opened() {
        sessions.of(service).add(1)
        active.of(service).add(1)
      },
      closed: () => active.of(service).add(-1),
      received(bytes) {
        datagramsIn.of(service).add(1)
        bytesIn.of(service).add(bytes)
      },
      sent(bytes) {
        datagramsOut.of(service).add(1)
        bytesOut.of(service).add(bytes)
      },
      dropped: (why) => drops.of(service, why).add(1),
    }),
  }
}
