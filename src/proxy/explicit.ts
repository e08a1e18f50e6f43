import type { Socket } from 'node:net'
import { formatAddress } from '../base/address.ts'
import { passthroughCluster } from '../xds/names.ts'
import { authorityAddress } from './along-route.ts'
import type { HttpTerminal } from './config.ts'
import { looksLikeHttp2 } from './http/http2/preface.ts'
import { peek } from './detect/peek.ts'
import type { Fault } from './http/fault.ts'
import type { ConnectTaker } from './http/http1/server-parts.ts'
import type { Peer } from './http/service.ts'
import type { Tracked } from './listener/listener.ts'
import { isOwnListener, wrongPort } from './outbound.ts'
import { allowsOthers } from './outside.ts'
import { namedPort, rawPlan } from './raw-route.ts'
import type { Shared } from './shared.ts'
import type { Snapshot } from './snapshot.ts'
import { shortage } from './overload.ts'
import { serveTcp, tunnelPlan } from './tcp.ts'

/** Protocols in which the server speaks first: a client that waits is not waited for. Source: IANA's port registry. */
export const serverFirstPorts: ReadonlySet<number> = new Set([21, 22, 23, 25, 110, 119, 143, 587, 3306, 33_060])
/** How long a client may stay silent before the server is taken to speak first, ms. */
export const silenceMs = 300

/** What tunnels of one connection need. */
export interface TunnelParts {
  readonly terminal: HttpTerminal
  readonly shared: Shared
  readonly current: () => Snapshot
  readonly demand: (name: string) => Promise<boolean>
  /** Serves HTTP inside the tunnel, calls going to `authority`. */
  readonly serveHttp: (socket: Socket, version: 1 | 2, authority: string) => void
}

/**
 * CONNECT on an explicit listener: answered at once, and then the tunnel is looked into. HTTP takes the same path as without a
 * tunnel, also HTTP/2, which gRPC clients speak there from the first byte; anything else goes as raw bytes to the service port that was
 * named, or past the mesh if that is allowed.
 */
export function tunnels(peer: Peer, tracked: Tracked, parts: TunnelParts): ConnectTaker {
  const { shared, current } = parts
  return {
    refuse: (authority) => shortage(tracked, shared.overload) ?? refuseTunnel(authority, peer, parts),
    take: (socket, authority) => {
      tracked.become({ drain: (patient) => void (patient || socket.destroy()), destroy: () => void socket.destroy() })
      const { host, port } = authorityAddress(authority, 443)
      const raw = async (name: string | undefined): Promise<void> => {
        // Raw bytes have no end of a call to wait for: a drain lets them be until its deadline.
        tracked.become({ drain() {}, destroy: () => void socket.destroy() })
        const plan =
          name === undefined
            ? { ...tunnelPlan, clusters: [{ cluster: passthroughCluster, weight: 1 }] }
            : await rawPlan(name, socket, parts)
        if (plan === undefined) return void socket.destroy()
        return serveTcp(socket, {
          direction: 'outbound',
          peer,
          plan: { ...plan, accessLog: parts.terminal.accessLog },
          target: { host, port },
          snapshot: current(),
          shared,
        })
      }
      const named = current().nameOf(host, port, shared.ownNamespace)
      const serverFirst = named === undefined ? serverFirstPorts.has(port) : protocolOf(named, current()) === 'tcp'
      // Nobody looks into declared TCP, nor waits where the server speaks first.
      if (serverFirst) return void raw(named)
      void peek(socket, httpVersion, silenceMs, shared.clock).then((peeked) => {
        if (peeked.kind === 'closed') return socket.destroy()
        const name = current().nameOf(host, port, shared.ownNamespace)
        const version = peeked.kind === 'seen' ? peeked.seen : 'raw'
        // Nothing is known about who is outside, so the bytes of HTTP/2 stay as they are.
        const routed = name === undefined ? version === 1 : protocolOf(name, current()) === 'http'
        if (routed && version !== 'raw') return parts.serveHttp(socket, version, authority)
        return raw(name)
      })
    },
  }
}

function refuseTunnel(authority: string, peer: Peer, { terminal, shared, current }: TunnelParts): Fault | undefined {
  const { config, nameOf } = current()
  const { host, port } = authorityAddress(authority, 443)
  if (isOwnListener(host, port, peer, config)) {
    const cause = `${formatAddress({ host, port })} is this proxy itself`
    return { kind: 'bad-request', side: 'downstream', retry: 'never', status: 400, cause }
  }
  if (nameOf(host, port, shared.ownNamespace) !== undefined) return undefined
  const fault = wrongPort(host, port, shared.ownNamespace, config)
  if (fault !== undefined || allowsOthers(terminal)) return fault
  shared.unregistered(formatAddress({ host, port }))
  return { kind: 'unknown-host', side: 'self', retry: 'never', authority }
}

const methods = ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']

/** Decided by the method and the character after it; HTTP/2's preface is no HTTP/1. */
export function looksLikeHttp1(bytes: Buffer): 'http/1' | 'raw' | 'more' {
  const start = bytes.toString('latin1', 0, 9)
  if (methods.some((method) => start.startsWith(`${method} `))) return 'http/1'
  return methods.some((method) => `${method} `.startsWith(start)) ? 'more' : 'raw'
}

/** Which HTTP a client speaks, if it does. */
export function httpVersion(bytes: Buffer): 1 | 2 | 'raw' | 'more' {
  const looks = looksLikeHttp1(bytes)
  if (looks !== 'raw') return looks === 'http/1' ? 1 : 'more'
  const second = looksLikeHttp2(bytes)
  return second === 1 ? 'raw' : second
}

/** How a service port of the mesh (`<namespace>/<service>/<port>`) is declared. */
export const protocolOf = (name: string, snapshot: Snapshot): 'http' | 'tcp' | undefined =>
  namedPort(name, snapshot)?.protocol
