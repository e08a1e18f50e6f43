import type { Clock } from '../../../base/clock.ts'
import type { Random } from '../../../base/random.ts'
import type { Sweeper } from '../../../base/sweeper.ts'
import type { Fault } from '../fault.ts'
import type { Peer, Reply, Service } from '../service.ts'
import type { Http2Limits } from './limits.ts'

/** What one connection is served with. */
export interface Http2ServerParts {
  readonly service: Service
  readonly peer: Peer
  /** The answer that a client sees for a fault. Faults of status 0 never come here: the stream is reset instead. */
  readonly refusal: (fault: Fault) => Reply
  /** A request that was no request, so that no service saw it; for counting. */
  readonly refused: (fault: Fault) => void
  /** A service threw: a bug. Its stream, or the connection, is cut. */
  readonly failed: (error: unknown) => void
  /** Told once, when the connection takes nothing more. */
  readonly closed: () => void
  readonly clock: Clock
  readonly random: Random
  readonly sweeper: Sweeper
  readonly limits: Http2Limits
  /** No stream on the connection, ms; 0: for ever. */
  readonly idleTimeoutMs: number
  /** From the first byte of a frame or header block to its last, ms; 0: for ever. */
  readonly headersTimeoutMs: number
  /** No byte in either direction of a stream, ms; 0: for ever. */
  readonly streamIdleTimeoutMs: number
  /** With streams open and no byte for so long the client is asked whether it lives; ms, 0: never. */
  readonly keepAliveMs: number
}

/** One HTTP/2 connection from a client: bytes in, calls out, replies back. */
export interface Http2ServerConnection {
  /** Takes no new streams, in two steps so that none is lost, and closes after the last. Source: RFC 9113, section 6.8. */
  drain(): void
  /** Cuts the connection. */
  destroy(): void
}
