import { edgeHeaders } from './edge-headers.ts'
import { stack, type Service } from './http/service.ts'
import { log, route, type HttpStackParts } from './outbound.ts'
import { paths, serverHeader, underscores } from './manners.ts'
import { hearDeadline, hideDeadline } from './recovery/carry-deadline.ts'
import { listenerStreamLimit } from './recovery/deadline.ts'
import { requestHeaders } from './request-headers.ts'
import { tellMissedRoute } from './tell-route.ts'
import { traceTerminal } from './trace-terminal.ts'
import { terminalFilters } from './terminal-filters.ts'

/** The path of one inbound call, outermost layer first. Built once per filter chain, never per call. */
export function inbound(parts: HttpStackParts): Service {
  const { terminal, shared } = parts
  const { early, late } = terminalFilters(terminal, parts)
  return stack(
    [
      shared.calls.record('inbound', () => shared.self), // first in, last out: a refused caller is counted too
      log('inbound', terminal, shared),
      serverHeader(terminal.serverHeader), // who answered
      listenerStreamLimit(terminal.streamTimeoutMs, shared), // the most that any call may last
      underscores(terminal.underscores), // names that programs read in two ways
      paths(terminal.paths), // policy and program must read the same path
      edgeHeaders(terminal), // what strangers may not say; undefined where none come
      requestHeaders(terminal, parts.ownId), // before policy: what a caller says of itself is gone
      traceTerminal(terminal, early, parts), // spans; undefined where nobody wants any
      hearDeadline(terminal.respectDeadline, shared.clock), // how long the caller waits
      hideDeadline(terminal.hideDeadline),
      tellMissedRoute(terminal, early, parts), // for the log, where it asks
      ...early, // who may do this: enforced here, by the receiver, never only by the caller
    ],
    route(parts, late), // the program's own cluster, usually
  )
}
