import type { Socket } from 'node:net'
import { formatAddress, type Address } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'
import type { Known } from '../format/known.ts'
import { connectionFlags } from '../format/response-details.ts'
import type { Fault } from '../http/fault.ts'
import type { Peer } from '../http/service.ts'
import type { Logs } from './logs.ts'

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
  /** What refused it, where a filter did. */
  readonly fault?: Fault
  /** The same as of a `Peer`. */
  readonly certificate?: Buffer | undefined
  readonly secured?: Peer['secured']
  /** What its TLS leaves of it. */
  readonly inner?: Socket
  /** Bytes that went through it, where the sockets do not count all of them. */
  readonly carried?: () => { readonly received: number; readonly sent: number }
}

/** A listener's connections, each told in one line when it is over. */
export interface ListenerLog {
  opened(socket: Socket): void
  /** More is known of it; nothing, where it was not opened here. */
  note(socket: Socket, facts: ConnectionFacts): void
  /** It is another listener's. */
  forget(socket: Socket): void
}

/** In our own words lines of JSON with the names of the other logs. `flags`: NR where no chain was for it. Source: Envoy, Listener.access_log. */
export function listenerLog(listener: string, logs: Logs, clock: Clock): ListenerLog {
  const known = new WeakMap<Socket, ConnectionFacts>()
  return {
    opened(socket) {
      const startedMs = clock.nowMs()
      const own = {
        source: { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
        destination: { host: socket.localAddress ?? '', port: socket.localPort ?? 0 },
      }
      known.set(socket, own)
      socket.once('close', () => {
        const facts = known.get(socket)
        if (facts === undefined) return
        const durationMs = clock.nowMs() - startedMs
        logs.tell(
          () => ownLine(listener, facts, socket, durationMs, clock),
          () => knownOf(socket, { ...own, ...facts }, own, durationMs, clock),
        )
      })
    },
    note(socket, facts) {
      const before = known.get(socket)
      if (before !== undefined) known.set(socket, { ...before, ...facts })
    },
    forget: (socket) => void known.delete(socket),
  }
}

function ownLine(
  listener: string,
  { source, destination, serverName, chain, principal, refused, detail, secured, carried }: ConnectionFacts,
  { bytesRead, bytesWritten }: Socket,
  durationMs: number,
  clock: Clock,
): string {
  // Of TLS all that went over the wire.
  const bytes = secured === undefined ? carried?.() : undefined
  const entry = {
    time: new Date(clock.wallMs()).toISOString(),
    protocol: 'tcp',
    listener,
    chain,
    serverName,
    flags: refused === 'no-filter-chain' ? 'NR' : undefined,
    refused,
    fault: detail,
    durationMs: Math.round(durationMs * 1000) / 1000,
    bytesReceived: bytes?.received ?? bytesRead,
    bytesSent: bytes?.sent ?? bytesWritten,
    source: principal,
    remote: source && formatAddress(source),
    local: destination && formatAddress(destination),
  }
  return `${JSON.stringify(entry)}\n`
}

/** `own`: as the socket's own ends have it. */
function knownOf(
  socket: Socket,
  {
    source,
    destination,
    serverName,
    principal,
    certificate,
    secured,
    refused,
    fault,
    inner = socket,
    carried,
  }: ConnectionFacts & { readonly source: Address; readonly destination: Address },
  own: { readonly source: Address },
  durationMs: number,
  clock: Clock,
): Known {
  const endedMs = clock.wallMs()
  const bytes = carried?.()
  return {
    peer: {
      remote: source,
      local: destination,
      direct: own.source,
      serverName,
      principal,
      tls: secured !== undefined,
      ...(certificate && { certificate }),
      ...(secured && { secured }),
    },
    trace: {},
    end: {
      beganMs: endedMs - durationMs,
      endedMs,
      durationMs,
      status: 0,
      fault,
      flags: refused === 'no-filter-chain' ? ['NR'] : fault === undefined ? [] : connectionFlags(fault),
      bytesReceived: bytes?.received ?? inner.bytesRead,
      bytesSent: bytes?.sent ?? inner.bytesWritten,
      attempts: 0,
      logType: 'NotSet',
    },
  }
}
