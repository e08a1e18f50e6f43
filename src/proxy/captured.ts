import type { Socket } from 'node:net'
import type { Address } from '../base/address.ts'
import { formatAddress } from '../base/address.ts'
import { passthroughCluster } from '../xds/names.ts'
import { authorityAddress } from './along-route.ts'
import type { HttpTerminal } from './config.ts'
import { readClientHello } from './detect/client-hello.ts'
import { peek } from './detect/peek.ts'
import { httpVersion, looksLikeHttp1, protocolOf, serverFirstPorts, silenceMs } from './explicit.ts'
import { faultSentence } from './http/fault.ts'
import type { Peer } from './http/service.ts'
import type { Tracked } from './listener/listener.ts'
import { rawPlan } from './raw-route.ts'
import { isVirtualIp } from './route/names.ts'
import { allowsOthers } from './outside.ts'
import type { Shared } from './shared.ts'
import type { Snapshot } from './snapshot.ts'
import { shortage } from './overload.ts'
import { serveTcp, tunnelPlan } from './tcp.ts'

/** A connection that the program opened to somewhere else, and that was caught on its way. */
export interface CapturedParts {
  readonly terminal: HttpTerminal
  readonly shared: Shared
  readonly current: () => Snapshot
  readonly demand: (name: string) => Promise<boolean>
  /** Serves HTTP, calls going to `authority`; undefined: each where its Host says. */
  readonly serveHttp: (socket: Socket, version: 1 | 2, authority: string | undefined) => void
  readonly refuse: (reason: string, detail: string) => void
}

/**
 * A virtual IP is its service, on a port that it has: HTTP takes the path of every call, raw bytes go to the service as they are. Any
 * other address is gone on to as it is, unless HTTP or TLS names a service that is known or the mesh forwards to nobody else.
 */
export function serveCaptured(
  socket: Socket,
  { tracked, peer, destination }: { tracked: Tracked; peer: Peer; destination: Address },
  parts: CapturedParts,
): void {
  const { shared, current } = parts
  const { ownNamespace } = shared
  const { host, port } = destination
  const raw = async (name: string | undefined): Promise<void> => {
    const short = shortage(tracked, shared.overload)
    if (short !== undefined) return parts.refuse(short.kind, faultSentence(short))
    // Raw bytes have no end of a call to wait for: a drain lets them be until its deadline.
    tracked.become({ drain() {}, destroy: () => void socket.destroy() })
    const where =
      name === undefined
        ? { ...tunnelPlan, clusters: [{ cluster: passthroughCluster, weight: 1 }] }
        : await rawPlan(name, socket, parts)
    if (where === undefined) return parts.refuse('no-route', `no route of ${name} is for this connection`)
    const plan = { ...where, accessLog: parts.terminal.accessLog }
    await serveTcp(socket, { direction: 'outbound', peer, plan, target: destination, snapshot: current(), shared })
  }
  /** `named`: the host that the client says it is for. */
  const outside = (named: string): void => {
    if (allowsOthers(parts.terminal)) return void raw(undefined)
    const place = formatAddress(destination)
    shared.unregistered(named === '' ? place : `${named} (${place})`)
    parts.refuse('unknown-host', `${place} is no service of the mesh`)
  }
  const look = <T>(at: (bytes: Buffer) => T | 'more', timeoutMs: number, then: (seen: T | undefined) => void): void =>
    void peek(socket, at, timeoutMs, shared.clock).then((peeked) => {
      if (peeked.kind === 'closed') socket.destroy()
      else then(peeked.kind === 'seen' ? peeked.seen : undefined)
    })

  const name = current().nameOf(host, port, ownNamespace)
  if (name !== undefined) {
    if (protocolOf(name, current()) === 'tcp') return void raw(name)
    // A declared HTTP port: the client speaks first, whenever that is.
    return look(httpVersion, 0, (seen) =>
      seen === 1 || seen === 2 ? parts.serveHttp(socket, seen, formatAddress(destination)) : void raw(name),
    )
  }
  if (isVirtualIp(host))
    return parts.refuse('unknown-virtual-ip', `nothing of the mesh is at ${formatAddress(destination)}`)
  if (serverFirstPorts.has(port)) return outside('')
  look(namedHost, silenceMs, (seen) => {
    if (seen === undefined || seen === 'raw') return outside('')
    const named = current().nameOf(authorityAddress(seen.host, port).host, port, ownNamespace)
    if (seen.by === 'tls') return named === undefined ? outside(seen.host) : void raw(named)
    if (named !== undefined || !allowsOthers(parts.terminal)) return parts.serveHttp(socket, 1, undefined)
    outside(seen.host)
  })
}

/** The host that a client names in its first bytes: by the Host of a request, or by the server name of TLS; "" when it names none. */
export function namedHost(bytes: Buffer): { readonly by: 'http' | 'tls'; readonly host: string } | 'raw' | 'more' {
  const hello = readClientHello(bytes)
  if (hello === 'more') return 'more'
  if (hello !== 'other') return { by: 'tls', host: hello.serverName ?? '' }
  const http = hostOfHttp1(bytes)
  return typeof http === 'string' ? http : { by: 'http', host: http.host }
}

/** A head that is longer than this is not waited for. */
const longestHead = 16_384

/** The Host of the first request, "" when it has none. */
export function hostOfHttp1(bytes: Buffer): { readonly host: string } | 'raw' | 'more' {
  const looks = looksLikeHttp1(bytes)
  if (looks !== 'http/1') return looks
  const text = bytes.toString('latin1', 0, longestHead)
  const end = text.indexOf('\r\n\r\n')
  const host = /\r\nhost:[ \t]*([^\r\n]*?)[ \t]*\r\n/i.exec(end < 0 ? text : text.slice(0, end + 2))?.[1]
  if (host !== undefined) return { host: host.toLowerCase() }
  return end >= 0 || bytes.length >= longestHead ? { host: '' } : 'more'
}
