import type { Route, RouteTable, VirtualHost } from '../config.ts'
import type { Call } from '../http/service.ts'
import { compileDomains, withoutPort } from './domain-index.ts'
import { compileCallTests } from './header-match.ts'
import { compilePathIndex } from './path-index.ts'
import { pathOf } from './path.ts'

/** The route for a call, or undefined: `no-route`. Pure. */
export type Router = (call: Call) => Route | undefined

/**
 * Virtual host by `call.authority`, then its first route whose path, headers and query parameters match. Compiled once per table;
 * a match costs about the path's length, however many routes there are. `call.path` is taken as normalised.
 */
export function compileRoutes(table: RouteTable): Router {
  const hostOf = compileDomains(table.virtualHosts)
  // Compiled on first use: a proxy that sees few of many hosts pays for those.
  const routers: (Router | undefined)[] = table.virtualHosts.map(() => undefined)
  return (call) => {
    const index = hostOf(table.ignorePortInHost ? withoutPort(call.authority) : call.authority)
    const virtualHost = index === undefined ? undefined : table.virtualHosts[index]
    if (index === undefined || virtualHost === undefined) return undefined
    return (routers[index] ??= compileVirtualHost(virtualHost))(call)
  }
}

function compileVirtualHost({ routes }: VirtualHost): Router {
  const find = compilePathIndex(routes.map(({ match }) => match.path))
  const tests = routes.map(({ match }) => compileCallTests(match.headers, match.queryParameters))
  if (tests.every((test) => test === undefined)) return (call) => routes[find(pathOf(call.path), routes.length, always)]
  return (call) => {
    const index = find(pathOf(call.path), routes.length, (candidate) => tests[candidate]?.(call) ?? true)
    return routes[index]
  }
}

const always = (): boolean => true
