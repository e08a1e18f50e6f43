import type { Random } from '../../../base/random.ts'
import type { ServerConnection, ServerParts } from '../server-parts.ts'
import type { Http2Limits } from './limits.ts'

/** What one HTTP/2 connection is served with. */
export interface Http2ServerParts extends ServerParts {
  readonly random: Random
  readonly limits: Http2Limits
  /** With streams open and no byte for so long the client is asked whether it lives; ms, 0: never. */
  readonly keepAliveMs: number
}

/** One HTTP/2 connection from a client. Drains in two steps, so that no stream is lost. Source: RFC 9113, section 6.8. */
export type Http2ServerConnection = ServerConnection
