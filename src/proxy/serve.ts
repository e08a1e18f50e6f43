import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import { uriSubjectAltNames } from '../base/subject-names.ts'
import { chainTerminators } from './chain-terminators.ts'
import type { Address } from '../base/address.ts'
import type { DownstreamTls, FilterChain, HttpTerminal, Listener, Secrets } from './config.ts'
import { arrive, plain, socketOpening, type Arrival } from './arrival.ts'
import { chainChooser, type Opening } from './detect/choose-chain.ts'
import { securedBy } from './detect/terminate-tls.ts'
import { serveCaptured } from './captured.ts'
import { tunnels } from './explicit.ts'
import { authorizeConnection } from './filter/authorize.ts'
import { faultSentence, type Fault } from './http/fault.ts'
import { serveHttp1 } from './http/http1/server.ts'
import { edgeLimits, meshLimits, type Http2Limits } from './http/http2/limits.ts'
import { serveHttp2 } from './http/http2/server.ts'
import type { ServerConnection } from './http/server-parts.ts'
import type { Call, Peer, Service } from './http/service.ts'
import { inbound } from './inbound.ts'
import type { Tracked } from './listener/listener.ts'
import { originalDestination } from './listener/original-destination.ts'
import type { Carried } from './join-sockets.ts'
import { outbound } from './outbound.ts'
import { shortage } from './overload.ts'
import { refusal } from './refusal.ts'
import type { Shared } from './shared.ts'
import type { Snapshot } from './snapshot.ts'
import { serveTcp, tellRefused } from './tcp.ts'
import { listenerLog, type ListenerLog } from './telemetry/listener-log.ts'

/** What connections are served with. */
export interface ServeParts {
  readonly shared: Shared
  readonly secrets: Secrets
  readonly current: () => Snapshot
  readonly demand: (name: string) => Promise<boolean>
  /** Gives a connection to the listener that it was for; false: there is none. */
  readonly handOn: (socket: Socket, tracked: Tracked, opening: Opening) => boolean
  /** Counts connections and requests that were refused before any service saw them. */
  readonly refused: (listener: string, reason: string) => void
}

/** Serves the connections of one listener as it is configured now. */
export interface ListenerService {
  /** `known`: what another listener has found out that has handed it over; it is not handed on again. */
  serve(socket: Socket, tracked: Tracked, known?: Opening): void
  /**
   * The listener has changed. A call keeps the configuration it began with; the next one on the same connection goes by the chain
   * that has the name of the connection's own, so that a policy holds at once. A connection whose chain is gone, or would now ask
   * for another proof of identity, is drained; one that the new chain's network filters refuse is cut.
   */
  update(listener: Listener): void
  /** Every connection, later ones too, carries what is under way and no more, patiently. */
  drain(): void
  /** It drains, and no call is under way or can still come from who knows of the drain. Raw connections and tunnels do not count. */
  readonly drained: boolean
}

/** A connection past detection. `chain` is the one it goes by now. */
interface Served {
  chain: FilterChain
  readonly peer: Peer
  /** What it is served by now. */
  by: ServerConnection
}

/** How a connection speaks, or that it is to be seen by its first bytes, and whether it came through a tunnel of ours. */
interface Opened {
  readonly http: 1 | 2 | 'either'
  readonly inTunnel: boolean
}

/** An HTTP/2 client with calls in flight that has said nothing for so long is asked whether it lives, ms. */
const keepAliveMs = 30_000

/** Builds what a listener's chains need, each on first use. */
export function serveListener(first: Listener, parts: ServeParts): ListenerService {
  let listener = first
  let chainFor = chainChooser(first)
  const served = new Set<Served>()
  const handshakes = new Set<Socket>()
  let draining = false
  const direction = listener.direction === 'inbound' ? 'inbound' : 'outbound'
  const { shared, current } = parts
  const logOf = ({ name, accessLog }: Listener): ListenerLog | undefined =>
    accessLog && listenerLog(name, shared.logsOf(accessLog), shared.clock)
  const showsOwn = (): boolean => listener.accessLog !== undefined && shared.logsOf(listener.accessLog).needs.shown
  let log = logOf(first)
  const services = new Map<FilterChain, Service>()
  const terminators = chainTerminators(parts.secrets, shared.clock)
  const targets = new WeakMap<Peer, string>()
  const checks = new Map<FilterChain, readonly ((peer: Peer) => Fault | undefined)[]>()

  const serviceOf = (chain: FilterChain, terminal: HttpTerminal): Service => {
    let service = services.get(chain)
    if (service === undefined) {
      const tunnelTarget = (peer: Peer): string | undefined => targets.get(peer)
      const { routeByName } = listener
      const { demand } = parts
      const refused = (reason: Fault['kind']): void => parts.refused(listener.name, reason)
      const ownId = (): string | undefined => ownUri(chain.tls, parts.secrets) ?? shared.self.principal
      const stackParts = { terminal, routeByName, shared, current, demand, tunnelTarget, refused, ownId }
      service = direction === 'inbound' ? inbound(stackParts) : outbound(stackParts)
      services.set(chain, service)
    }
    return service
  }
  const checksOf = (chain: FilterChain): readonly ((peer: Peer) => Fault | undefined)[] => {
    let list = checks.get(chain)
    if (list === undefined) {
      list = chain.networkFilters.map(({ rules }) =>
        authorizeConnection(rules, { workload: shared.self.workload, matched: shared.policyMatched }),
      )
      checks.set(chain, list)
    }
    return list
  }

  /** From now on the connection follows changes of the listener, also while it is silent. */
  const enter = (socket: Socket, tracked: Tracked, chain: FilterChain, peer: Peer): Served => {
    const one: Served = { chain, peer, by: raw(socket) }
    served.add(one)
    tracked.become({ drain: (patient) => one.by.drain(patient), destroy: () => one.by.destroy() })
    return one
  }
  const limitsFor = ({ principal }: Peer, { edge, http2 }: HttpTerminal): Http2Limits => {
    const ours = edge === undefined && (principal !== undefined || listener.direction === 'outbound')
    return { ...(ours ? meshLimits : edgeLimits), ...http2 }
  }
  const refused = (fault: Fault): void => parts.refused(listener.name, fault.kind)
  const failed = (error: unknown): void =>
    shared.log.error('a call ended in a bug of this proxy', { error: String(error) })
  const serveHttp = (socket: Socket, tracked: Tracked, one: Served, opened: Opened): void => {
    const { peer } = one
    const { terminal } = one.chain
    if (terminal.kind !== 'http') return void socket.destroy()
    const explicit = listener.routeByName && !opened.inTunnel
    const common = {
      service: (call: Call) => {
        const short = shortage(tracked, shared.overload)
        if (short !== undefined) return shed(one, short)
        return one.chain.terminal.kind === 'http' ? serviceOf(one.chain, one.chain.terminal)(call) : gone
      },
      peer,
      refusal: (fault: Fault, call?: Call) => refusal(fault, direction, peer, call),
      refused,
      failed,
      closed: () => void served.delete(one),
      clock: shared.clock,
      sweeper: shared.sweeper,
      idleTimeoutMs: terminal.idleTimeoutMs,
      headersTimeoutMs: terminal.headersTimeoutMs,
      requestTimeoutMs: terminal.requestTimeoutMs,
      streamIdleTimeoutMs: terminal.streamIdleTimeoutMs,
    }
    const serve2 = (): ServerConnection =>
      serveHttp2(socket, {
        ...common,
        random: shared.random,
        // Our own program, and whoever has proven to be of the mesh, may have more open at once than a stranger.
        limits: limitsFor(peer, terminal),
        keepAliveMs,
      })
    one.by =
      opened.http === 2
        ? serve2()
        : serveHttp1(socket, {
            ...common,
            http2:
              opened.http === 'either'
                ? (_, drains) => {
                    one.by = serve2()
                    if (drains) one.by.drain(true)
                  }
                : undefined,
            defaultHost: terminal.defaultHost,
            headerCase: terminal.headerCase,
            connect: explicit ? tunnelsOf(tracked, one, terminal) : undefined,
            refuseRelative: explicit ? (authority) => helpfulRefusal(authority, peer) : undefined,
          })
    endWithAge(socket, one, terminal)
    if (tracked.draining !== undefined) one.by.drain(tracked.draining === 'patiently')
    else if (draining) one.by.drain(true)
  }
  /** At its age the client is told to go elsewhere: what is in flight goes on, and what crosses the news is still answered. */
  const endWithAge = (socket: Socket, one: Served, { maxAgeMs, ageJitterPercent = 0 }: HttpTerminal): void => {
    if (maxAgeMs === undefined) return
    const ageMs = maxAgeMs * (1 + shared.random.below(ageJitterPercent) / 100)
    const timer = shared.clock.after(ageMs, () => one.by.drain(true), { background: true })
    socket.once('close', () => timer.cancel())
  }
  /** Nothing is done for the call; the connection ends with its answer, and makes room. */
  const shed = (one: Served, fault: Fault): Promise<Fault> => {
    parts.refused(listener.name, fault.kind)
    one.by.drain(true)
    return Promise.resolve(fault)
  }
  const tunnelsOf = (tracked: Tracked, { peer, chain }: Served, terminal: HttpTerminal) =>
    tunnels(peer, tracked, {
      terminal,
      shared,
      current,
      demand: parts.demand,
      serveHttp: (socket, http, authority) => {
        const inner: Peer = { ...peer }
        targets.set(inner, authority)
        serveHttp(socket, tracked, enter(socket, tracked, chain, inner), { http, inTunnel: true })
      },
    })

  /** The connection's peer is known. */
  const begin = (
    socket: Socket,
    tracked: Tracked,
    chain: FilterChain,
    {
      opening,
      principal,
      certificate,
      outer = socket,
    }: { opening: Opening; principal?: string | undefined; certificate?: Buffer | undefined; outer?: Socket },
  ): void => {
    const peer = {
      ...peerOf(opening, principal, chain.tls !== undefined),
      ...(certificate && { certificate }),
      ...(chain.terminal.accessLog &&
        socket instanceof TLSSocket && {
          secured: securedBy(socket, shared.logsOf(chain.terminal.accessLog).needs.shown),
        }),
      ...(listener.proxyProtocol && { direct: wireEnd(outer) }),
    }
    for (const check of checksOf(chain)) {
      const fault = check(peer)
      if (fault === undefined) continue
      parts.refused(listener.name, fault.kind)
      log?.note(outer, { refused: fault.kind, detail: faultSentence(fault), fault })
      if (chain.terminal.kind === 'tcp') tellRefused(chain.terminal, { direction, peer, fault, shared })
      return void socket.destroy()
    }
    const { terminal } = chain
    const one = enter(socket, tracked, chain, peer)
    if (terminal.kind === 'http') return serveHttp(socket, tracked, one, { http: versionOf(socket), inTunnel: false })
    socket.on('close', () => served.delete(one))
    if (shortage(tracked, shared.overload) !== undefined) return refuse(socket, 'overload')
    const joined = log && ((carried: () => Carried) => log?.note(outer, { carried }))
    void serveTcp(socket, { direction, peer, plan: terminal, target: undefined, snapshot: current(), shared, joined })
  }

  const choose = (socket: Socket, tracked: Tracked, opening: Opening): void => {
    const chain = chainFor(opening)
    if (log !== undefined) {
      const { source, destination, serverName } = opening
      log.note(socket, { source, destination, serverName, ...(chain && { chain: chain.name }) })
    }
    if (chain === undefined) return refuse(socket, 'no-filter-chain')
    if (chain.tls === undefined) return begin(socket, tracked, chain, { opening })
    const terminator = terminators.of(chain)
    if (terminator === undefined) return refuse(socket, 'no-secret')
    handshakes.add(socket)
    socket.once('close', () => handshakes.delete(socket))
    terminator.accept(socket, (secured) => {
      handshakes.delete(socket)
      if ('refused' in secured) return refuse(socket, 'tls', secured.refused)
      const { socket: inner, principal, certificate } = secured
      log?.note(socket, { principal, certificate, secured: securedBy(inner, showsOwn()), inner })
      begin(inner, tracked, chain, { opening, principal, certificate, outer: socket })
    })
  }
  /** The connection was for somewhere else. */
  const captured = (socket: Socket, tracked: Tracked): void => {
    const destination = originalDestination(socket)
    if (destination === undefined) return refuse(socket, 'no-original-destination')
    const opening = { ...socketOpening(socket), ...plain }
    const chain = chainFor({ ...opening, destination })
    if (chain?.terminal.kind !== 'http') return refuse(socket, 'no-filter-chain')
    const peer: Peer = { ...peerOf(opening, undefined, false), destination }
    serveCaptured(
      socket,
      { tracked, peer, destination },
      {
        terminal: chain.terminal,
        shared,
        current,
        demand: parts.demand,
        serveHttp: (inner, http, authority) => {
          if (authority !== undefined) targets.set(peer, authority)
          serveHttp(inner, tracked, enter(inner, tracked, chain, peer), { http, inTunnel: true })
        },
        refuse(reason, detail) {
          // Nobody is there: to the program it must look so, and not like an end that somebody meant.
          socket.resetAndDestroy()
          refuse(socket, reason, detail)
        },
      },
    )
  }
  const refuse = (socket: Socket, reason: string, detail?: string): void => {
    parts.refused(listener.name, reason)
    log?.note(socket, { refused: reason, detail })
    shared.log.debug('a connection was refused', { listener: listener.name, reason, detail })
    socket.destroy()
  }

  return {
    serve(socket, tracked, known) {
      log?.opened(socket)
      if (listener.originalDestination === true) return captured(socket, tracked)
      const arrived = (arrival: Arrival): void => {
        if (arrival === 'closed') return void socket.destroy()
        if ('refused' in arrival) return refuse(socket, arrival.refused, arrival.detail)
        if (listener.handsOver === true && known === undefined && parts.handOn(socket, tracked, arrival))
          return log?.forget(socket)
        choose(socket, tracked, arrival)
      }
      arrive(socket, listener, shared.clock, arrived, known)
    },
    update(next) {
      if (!isDeepStrictEqual(next.accessLog, listener.accessLog)) log = logOf(next)
      listener = next
      chainFor = chainChooser(next)
      terminators.retain(next)
      services.clear()
      checks.clear()
      const chains = new Map([...next.filterChains, next.defaultFilterChain].map((chain) => [chain?.name, chain]))
      for (const one of served) {
        const chain = chains.get(one.chain.name)
        if (chain === undefined || !sameProof(chain, one.chain)) one.by.drain(false)
        else if (checksOf(chain).some((check) => check(one.peer) !== undefined)) one.by.destroy()
        else one.chain = chain
      }
    },
    drain() {
      draining = true
      for (const one of served) one.by.drain(true)
    },
    get drained() {
      return draining && handshakes.size === 0 && [...served].every((one) => one.by.drained)
    },
  }
}

/** The URI of the certificate that clients of a chain see. */
function ownUri(tls: DownstreamTls | undefined, secrets: Secrets): string | undefined {
  const pair = tls && secrets.certificate(tls.certificate)
  return pair && uriSubjectAltNames(new X509Certificate(pair.chainPem).raw)?.[0]
}

/** What a connection was let in by is what it would be let in by now. */
const sameProof = (a: FilterChain, b: FilterChain): boolean =>
  a.terminal.kind === b.terminal.kind && isDeepStrictEqual(a.tls, b.tls)

const wireEnd = ({ remoteAddress = '', remotePort = 0 }: Socket): Address => ({ host: remoteAddress, port: remotePort })

/** HTTP/1 or HTTP/2: what TLS has negotiated, and in plain text what the client says first. */
const versionOf = (socket: Socket): Opened['http'] =>
  socket instanceof TLSSocket ? (socket.alpnProtocol === 'h2' ? 2 : 1) : 'either'

/** Raw bytes have no end of a call to wait for: a drain lets them be until its deadline. */
const raw = (socket: Socket): ServerConnection => ({
  drain() {},
  drained: true,
  destroy: () => void socket.destroy(),
})

const gone = Promise.resolve<Fault>({ kind: 'draining', side: 'self', retry: 'safe' })

const peerOf = (
  { source, destination, restored, serverName }: Opening,
  principal: string | undefined,
  tls: boolean,
): Peer => ({
  remote: source,
  local: destination,
  principal,
  tls,
  serverName,
  ...(restored && { restored }),
})

/** Somebody opened the proxy's own address in a browser, or forgot that it is a proxy. */
function helpfulRefusal(authority: string, { local }: Peer): string | undefined {
  const own = [`${local.host}:${local.port}`, `localhost:${local.port}`]
  if (!own.includes(authority)) return undefined
  return (
    'this is the outbound proxy of a weft sidecar, not a web server: name it as the HTTP proxy of your program, ' +
    `for example http_proxy=http://${local.host}:${local.port}`
  )
}
