import type { Random } from '../../base/random.ts'
import type { Route, RouteTable, VirtualHost } from '../config.ts'
import { headerValue, joinedHeaderValue } from '../http/headers.ts'
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

/** Marked by the layers before: a client from within. Source: Envoy. */
const internalHeader = 'x-envoy-internal'

/** Of a host that wants TLS, all that come without are sent away first, whatever they ask for. Source: Envoy, VirtualHost.require_tls. */
function insisting({ name, requireTls }: VirtualHost, find: Router): Router {
  const toTls: Route = {
    name: `${name}/require-tls`,
    match: { path: { kind: 'prefix', value: '/', caseSensitive: true }, headers: [], queryParameters: [] },
    action: {
      kind: 'redirect',
      status: 301,
      scheme: 'https',
      host: undefined,
      port: undefined,
      path: undefined,
      stripQuery: false,
    },
    origin: undefined,
  }
  const goes = ({ headers }: Call): boolean =>
    joinedHeaderValue(headers, 'x-forwarded-proto') === 'https' ||
    (requireTls === 'external' && headerValue(headers, internalHeader) === 'true')
  return (call, drawn) => (goes(call) ? find(call, drawn) : toTls)
}

function compileVirtualHost(host: VirtualHost, random: Random): Router {
  const find = compileRoutesOf(host, random)
  return host.requireTls === undefined ? find : insisting(host, find)
}

function compileRoutesOf({ routes }: VirtualHost, random: Random): Router {
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
