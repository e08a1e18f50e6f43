import { formatAddress } from '../base/address.ts'
import { authorityAddress } from './along-route.ts'
import type { HttpTerminal, ProxyConfig, RouteTable } from './config.ts'
import { edgeHeaders } from './edge-headers.ts'
import type { Fault } from './http/fault.ts'
import { stack, type Call, type Layer, type Peer, type Reply, type Service } from './http/service.ts'
import { paths, serverHeader, underscores, upgradeRefused } from './manners.ts'
import { requestHeaders } from './request-headers.ts'
import { serviceOfHost } from './route/names.ts'
import { allowsOthers } from './outside.ts'
import { hearDeadline, hideDeadline } from './recovery/carry-deadline.ts'
import { listenerStreamLimit } from './recovery/deadline.ts'
import type { Shared } from './shared.ts'
import type { Snapshot } from './snapshot.ts'
import { accessLog } from './telemetry/access-log.ts'
import { tellMissedRoute, tellRoute } from './tell-route.ts'
import { tellSpan, traceTerminal } from './trace-terminal.ts'
import { terminalFilters, type TerminalFilters } from './terminal-filters.ts'

/** What the stacks of both directions are built from. */
export interface HttpStackParts {
  readonly terminal: HttpTerminal
  /** Explicit mode: services of the mesh by name first. */
  readonly routeByName: boolean
  readonly shared: Shared
  /** The newest configuration, made ready. */
  readonly current: () => Snapshot
  /** Asks for a route configuration that is not here yet; true: it is in the newest configuration now. */
  readonly demand: (name: string) => Promise<boolean>
  /** The URI that our certificate has. */
  readonly ownId: () => string | undefined
  /** Where a tunnel was opened to: what is asked inside goes there, whatever Host says. */
  readonly tunnelTarget: (peer: Peer) => string | undefined
  /** Counts a request that was refused before it became a call to anybody. */
  readonly refused: (reason: Fault['kind']) => void
}

/** The path of one outbound call, outermost layer first. Built once per filter chain, never per call. */
export function outbound(parts: HttpStackParts): Service {
  const { terminal, shared } = parts
  const { early, late } = terminalFilters(terminal, parts)
  return stack(
    [
      shared.calls.record('outbound', () => shared.self), // first in, last out: every answer is counted, our own refusals too
      log('outbound', terminal, shared), // the same for the log; undefined when it is off
      serverHeader(terminal.serverHeader), // who answered
      listenerStreamLimit(terminal.streamTimeoutMs, shared), // the most that any call may last
      underscores(terminal.underscores), // names that programs read in two ways
      paths(terminal.paths), // one form of the path for all that follows
      edgeHeaders(terminal), // what strangers may not say; undefined where none come
      requestHeaders(terminal, parts.ownId), // what a hop adds; below the log, which shows what the caller said
      traceTerminal(terminal, early, parts), // spans; undefined where nobody wants any
      hearDeadline(terminal.respectDeadline, shared.clock), // how long the caller waits
      hideDeadline(terminal.hideDeadline),
      tellMissedRoute(terminal, early, parts), // for the log, where it asks
      ...early, // the listener's own, before any route is known
    ],
    route(parts, late), // from here on the path of one route: see along-route.ts
  )
}

/** The access log, where the listener has one. */
export function log(direction: 'inbound' | 'outbound', terminal: HttpTerminal, shared: Shared): Layer | undefined {
  if (terminal.accessLog === undefined) return undefined
  return accessLog({ direction, clock: shared.clock, logs: shared.logsOf(terminal.accessLog) })
}

/** Finds the route in the newest configuration, which the call keeps from then on. `late`: filters that the route has a word in. */
export function route(parts: HttpStackParts, late?: TerminalFilters['late']): Service {
  const { terminal, shared, current } = parts
  const unrouted = stack(late?.filters(undefined) ?? [], (call) =>
    refuse({ kind: 'no-route', side: 'self', retry: 'never', authority: call.authority, path: call.path }),
  )
  const toRoute = (call: Call, table: RouteTable, snapshot: Snapshot): Promise<Reply | Fault> => {
    const found = snapshot.routerOf(table)(call)
    if (found === undefined) {
      return unrouted(call)
    }
    const { detail, span } = call.trace
    if (detail !== undefined) tellRoute(detail, found, snapshot)
    if (span !== undefined) tellSpan(span, call, found, snapshot)
    if (call.upgrade !== undefined || call.method === 'CONNECT') {
      const refused = upgradeRefused(call.upgrade ?? 'connect', terminal.upgrades, found.action)
      if (refused !== undefined) return refused
    }
    call.trace.route = found.origin?.resource ?? found.name
    call.trace.origin = found.origin
    call.trace.revision = snapshot.config.revision
    return snapshot.serviceOf(found, late)(call)
  }
  const fallback = (call: Call, snapshot: Snapshot): Promise<Reply | Fault> => {
    const { routes } = terminal
    if ('inline' in routes) return toRoute(call, routes.inline, snapshot)
    return byName(call, routes.named, snapshot)
  }
  const byName = (call: Call, name: string, snapshot: Snapshot): Promise<Reply | Fault> => {
    shared.used.add(name)
    const table = snapshot.config.routes.get(name)
    return table === undefined ? onDemand(call, name) : toRoute(call, table, snapshot)
  }
  const onDemand = async (call: Call, name: string): Promise<Reply | Fault> => {
    const startedMs = shared.clock.nowMs()
    const here = await parts.demand(name)
    const snapshot = current()
    const table = here ? snapshot.config.routes.get(name) : undefined
    if (table !== undefined) return toRoute(call, table, snapshot)
    const timeoutMs = Math.round(shared.clock.nowMs() - startedMs)
    return refuse({ kind: 'config-timeout', side: 'self', retry: 'never', name, timeoutMs })
  }
  if (!parts.routeByName) return (call) => fallback(call, current())
  const registeredOnly = !allowsOthers(terminal)
  return (call) => {
    const snapshot = current()
    const target = parts.tunnelTarget(call.peer)
    const { destination } = call.peer
    const { host, port: namedPort } = authorityAddress(target ?? call.authority, 80)
    const port = target === undefined && destination !== undefined ? destination.port : namedPort
    if (destination === undefined && isOwnListener(host, port, call.peer, snapshot.config)) {
      const cause = `${formatAddress({ host, port })} is this proxy itself`
      return refuse({ kind: 'bad-request', side: 'downstream', retry: 'never', status: 400, cause })
    }
    const name = snapshot.nameOf(host, port, shared.ownNamespace)
    if (name !== undefined) return byName(call, name, snapshot)
    const fault = wrongPort(host, port, shared.ownNamespace, snapshot.config)
    if (fault !== undefined) return refuse(fault)
    if (registeredOnly) {
      shared.unregistered(formatAddress({ host, port }))
      parts.refused('unknown-host')
    }
    return fallback(call, snapshot)
  }
}

/** A host of the mesh is never looked for outside because of a port that it lacks; one that is outside is there with all its ports. */
export function wrongPort(host: string, port: number, ownNamespace: string, { names }: ProxyConfig): Fault | undefined {
  const service = serviceOfHost(names, host, ownNamespace)
  if (service === undefined || service.hosts !== undefined) return undefined
  const offered = service.ports.map((one) => one.port)
  return {
    kind: 'no-port',
    side: 'self',
    retry: 'never',
    service: `${service.namespace}/${service.name}`,
    port,
    offered,
  }
}

/** A call for an explicit listener's own address would go round for ever. */
export function isOwnListener(host: string, port: number, peer: Peer, { listeners }: ProxyConfig): boolean {
  if (port === peer.local.port && (host === peer.local.host || host === 'localhost')) return true
  for (const { routeByName, address } of listeners.values())
    if (routeByName && address.port === port && (host === address.host || host === 'localhost')) return true
  return false
}

const refuse = (fault: Fault): Promise<Fault> => Promise.resolve(fault)
