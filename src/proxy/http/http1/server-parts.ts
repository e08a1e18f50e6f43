import type { Socket } from 'node:net'
import type { Fault } from '../fault.ts'
import type { HeaderCase } from '../../config/header-case.ts'
import type { ServerConnection, ServerParts } from '../server-parts.ts'

/** What one HTTP/1.x connection is served with. */
export interface Http1ServerParts extends ServerParts {
  /** CONNECT is answered here and the connection handed over, instead of asking the service. */
  readonly connect?: ConnectTaker | undefined
  /**
   * The client may speak HTTP/2 from its first byte on, and then this takes over. Gets the socket as `ConnectTaker` does; `drains`: the
   * connection was to be drained, patiently. Absent: HTTP/1 was agreed on.
   */
  readonly http2?: ((socket: Socket, drains: boolean) => void) | undefined
  /** Sees a target that is not absolute before any service does; a sentence refuses it. Explicit proxies use it. */
  readonly refuseRelative?: ((authority: string) => string | undefined) | undefined
  /** Who a request of HTTP/1.0 without Host is for; absent: nobody. */
  readonly defaultHost?: string | undefined
  /** How the names of replies' fields are written; absent: as they came. */
  readonly headerCase?: HeaderCase | undefined
}

/** Who takes over connections that a CONNECT has turned into tunnels. */
export interface ConnectTaker {
  /** A fault refuses the request; undefined: 200 is answered. */
  refuse(authority: string): Fault | undefined
  /** Gets the socket paused, without listeners of ours (but one for errors), and what the client has sent already put back. */
  take(socket: Socket, authority: string): void
}

/** One HTTP/1.x connection from a client; replies in order. While it drains, the reply in flight says `connection: close`. */
export type Http1ServerConnection = ServerConnection
