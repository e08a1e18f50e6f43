import type { Socket } from 'node:net'
import type { Clock } from '../../../base/clock.ts'
import type { Sweeper } from '../../../base/sweeper.ts'
import type { Fault } from '../fault.ts'
import type { Peer, Reply, Service } from '../service.ts'

/** What one connection is served with. */
export interface Http1ServerParts {
  readonly service: Service
  readonly peer: Peer
  /** The answer that a client sees for a fault. Faults of status 0 never come here: the connection is cut instead. */
  readonly refusal: (fault: Fault) => Reply
  /** A request that was no request, so that no service saw it; for counting. */
  readonly refused: (fault: Fault) => void
  /** A service threw: a bug. The connection is cut. */
  readonly failed: (error: unknown) => void
  /** Told once, when the connection is gone or was handed to `connect`. */
  readonly closed: () => void
  readonly clock: Clock
  readonly sweeper: Sweeper
  /** No request on the connection, ms; 0: for ever. */
  readonly idleTimeoutMs: number
  /** From the first byte of a head to its last, ms; 0: for ever. */
  readonly headersTimeoutMs: number
  /** No byte in either direction of a call, ms; 0: for ever. */
  readonly streamIdleTimeoutMs: number
  /** CONNECT is answered here and the connection handed over, instead of asking the service. */
  readonly connect?: ConnectTaker | undefined
  /** Sees a target that is not absolute before any service does; a sentence refuses it. Explicit proxies use it. */
  readonly refuseRelative?: ((authority: string) => string | undefined) | undefined
}

/** Who takes over connections that a CONNECT has turned into tunnels. */
export interface ConnectTaker {
  /** A fault refuses the request; undefined: 200 is answered. */
  refuse(authority: string): Fault | undefined
  /** Gets the socket paused, without listeners of ours (but one for errors), and what the client has sent already put back. */
  take(socket: Socket, authority: string): void
}

/** One HTTP/1.x connection from a client: bytes in, calls out, replies back in order. */
export interface Http1ServerConnection {
  /** Closes when idle, else after the call in flight, whose reply says `connection: close`. */
  drain(): void
  /** Cuts the connection. */
  destroy(): void
}
