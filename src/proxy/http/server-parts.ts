import type { Clock } from '../../base/clock.ts'
import type { Sweeper } from '../../base/sweeper.ts'
import type { Fault } from './fault.ts'
import type { Call, Peer, Reply, Service } from './service.ts'

/** What one connection from a client is served with, whatever it speaks. */
export interface ServerParts {
  readonly service: Service
  readonly peer: Peer
  /** The answer that a client sees for a fault; `call`: what was asked, where that could be read. Faults of status 0 never come here: the connection or stream is cut instead. */
  readonly refusal: (fault: Fault, call?: Call) => Reply
  /** A request that was no request, so that no service saw it; for counting. */
  readonly refused: (fault: Fault) => void
  /** A service threw: a bug. The stream or the connection is cut. */
  readonly failed: (error: unknown) => void
  /** Told once, when the connection takes nothing more: it is gone, or was handed to somebody else. */
  readonly closed: () => void
  readonly clock: Clock
  readonly sweeper: Sweeper
  /** No call on the connection, ms; 0: for ever. */
  readonly idleTimeoutMs: number
  /** From the first byte of a head (HTTP/2: of a frame or header block) to its last, ms; 0: for ever. */
  readonly headersTimeoutMs: number
  /** From the first byte of a request to its last, or the first of its answer, ms; absent or 0: for ever. */
  readonly requestTimeoutMs?: number | undefined
  /** No byte in either direction of a call, ms; 0: for ever. */
  readonly streamIdleTimeoutMs: number
}

/** One connection from a client: bytes in, calls out, replies back. */
export interface ServerConnection {
  /**
   * Takes no new calls, and closes after those in flight. `patient`: an idle HTTP/1 connection, whose client cannot be told, may carry one
   * more call first, or is closed when none came for a while.
   */
  drain(patient: boolean): void
  /** It drains, no call is under way, and none that the client sent before it knew is still to come. Tunnels do not count. */
  readonly drained: boolean
  /** Cuts the connection. */
  destroy(): void
}
