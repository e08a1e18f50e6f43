import type { Random } from '../../base/random.ts'
import type { Route, RouteTable, VirtualHost } from '../config.ts'
import type { Call } from '../http/service.ts'
import { compileDomains, withoutPort } from './domain-index.ts'
import { compileCallTests } from './header-match.ts'
import { compilePathIndex } from './path-index.ts'
import { pathOf } from './path.ts'

/** The route for a call, or undefined: `no-route`. `drawn`: the call's draw, in [0, 1), where routes take a share of the calls; absent: by chance. */
export type Router = (call: Call, drawn?: number) => Route | undefined

/**
 * Virtual host by `call.authority`, then its first route whose path, headers and query parameters match. Compiled once per table;
 * a match costs about the path's length, however many routes there are. `call.path` is taken as normalised.
 */
export function compileRoutes(table: RouteTable, random: Random): Router {
  const hostOf = compileDomains(table.virtualHosts)
  // Compiled on first use: a proxy that sees few of many hosts pays for those.
  const routers: (Router | undefined)[] = table.virtualHosts.map(() => undefined)
  return (call, drawn) => {
    const index = hostOf(table.ignorePortInHost ? withoutPort(call.authority) : call.authority)
    const virtualHost = index === undefined ? undefined : table.virtualHosts[index]
    if (index === undefined || virtualHost === undefined) return undefined
    return (routers[index] ??= compileVirtualHost(virtualHost, random))(call, drawn)
  }
}

function compileVirtualHost({ routes }: VirtualHost, random: Random): Router {
  const find = compilePathIndex(routes.map(({ match }) => match.path))
  const tests = routes.map(({ match }) => compileCallTests(match.headers, match.queryParameters))
  if (routes.some(({ match }) => match.share !== undefined)) {
    return (call, point = random.unit()) => {
      // One draw for all routes of a call, as in Envoy: of two with one half each the second takes what it shares with nobody, which is nothing.
      const fits = (candidate: number): boolean =>
        point < (routes[candidate]?.match.share ?? 1) && (tests[candidate]?.(call) ?? true)
      return routes[find(pathOf(call.path), routes.length, fits)]
    }
  }
  if (tests.every((test) => test === undefined)) return (call) => routes[find(pathOf(call.path), routes.length, always)]
  return (call) => {
    const index = find(pathOf(call.path), routes.length, (candidate) => tests[candidate]?.(call) ?? true)
    return routes[index]
  }
}

const always = (): boolean => true
