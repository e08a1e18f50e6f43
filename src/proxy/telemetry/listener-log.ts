import type { Socket } from 'node:net'
import { formatAddress, type Address } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'

/** What has been found out about a connection. */
export interface ConnectionFacts {
  /** Where it was for, and who asks: a PROXY header is believed where one is read. */
  readonly source?: Address
  readonly destination?: Address
  readonly serverName?: string | undefined
  /** The filter chain that took it. */
  readonly chain?: string
  /** What its client's certificate proved. */
  readonly principal?: string | undefined
  /** Why it was not taken, by the name that it is counted under, and in words. */
  readonly refused?: string
  readonly detail?: string | undefined
}

/** A listener's connections, each told in one line when it is over. */
export interface ListenerLog {
  opened(socket: Socket): void
  /** More is known of it; nothing, where it was not opened here. */
  note(socket: Socket, facts: ConnectionFacts): void
  /** It is another listener's. */
  forget(socket: Socket): void
}

/** Lines of JSON with the names of the other logs. `flags`: NR where no chain was for it. Source: Envoy, Listener.access_log. */
export function listenerLog(listener: string, write: (line: string) => void, clock: Clock): ListenerLog {
  const known = new WeakMap<Socket, ConnectionFacts>()
  return {
    opened(socket) {
      const startedMs = clock.nowMs()
      const own: ConnectionFacts = {
        source: { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
        destination: { host: socket.localAddress ?? '', port: socket.localPort ?? 0 },
      }
      known.set(socket, own)
      socket.once('close', () => {
        const facts = known.get(socket)
        if (facts === undefined) return
        const { source, destination, serverName, chain, principal, refused, detail } = facts
        const entry = {
          time: new Date(clock.wallMs()).toISOString(),
          protocol: 'tcp',
          listener,
          chain,
          serverName,
          flags: refused === 'no-filter-chain' ? 'NR' : undefined,
          refused,
          fault: detail,
          durationMs: Math.round((clock.nowMs() - startedMs) * 1000) / 1000,
          bytesReceived: socket.bytesRead,
          bytesSent: socket.bytesWritten,
          source: principal,
          remote: source && formatAddress(source),
          local: destination && formatAddress(destination),
        }
        write(`${JSON.stringify(entry)}\n`)
      })
    },
    note(socket, facts) {
      const before = known.get(socket)
      if (before !== undefined) known.set(socket, { ...before, ...facts })
    },
    forget: (socket) => void known.delete(socket),
  }
}
