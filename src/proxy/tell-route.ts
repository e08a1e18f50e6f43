import type { HttpTerminal, Route } from './config.ts'
import { isFault, type Call, type CallDetail, type Layer } from './http/service.ts'
import type { Shared } from './shared.ts'
import type { Snapshot } from './snapshot.ts'

/** Notes what is known of a call's way before a cluster is chosen. */
export function tellRoute(detail: CallDetail, route: Route, snapshot: Snapshot): void {
  if (route.unnamed !== true) detail.routeName = route.name
  const only = leadsTo(route, snapshot)
  if (only !== undefined) detail.routeCluster = only
}

/** The only cluster that a route leads to, if this proxy has it. */
export function leadsTo({ action }: Route, { config }: Pick<Snapshot, 'config'>): string | undefined {
  const [first, ...more] = action.kind === 'forward' ? action.clusters : []
  return first !== undefined && more.length === 0 && config.clusters.has(first.cluster) ? first.cluster : undefined
}

/** The route that a call would have taken which was refused before one was looked for; undefined: it has one, or there is none. */
export function missedRoute(
  call: Call,
  { routes }: Pick<HttpTerminal, 'routes'>,
  snapshot: Snapshot,
): Route | undefined {
  if (call.trace.route !== undefined) return undefined
  const table = 'inline' in routes ? routes.inline : snapshot.config.routes.get(routes.named)
  return table && snapshot.routerOf(table)(call)
}

/**
 * Calls that are refused before a route is looked for are told with the one that they would have taken, where a log asks for it: with Envoy
 * it is known by then. Undefined: none asks, or nothing refuses so early.
 */
export function tellMissedRoute(
  terminal: Pick<HttpTerminal, 'accessLog' | 'routes'>,
  early: readonly Layer[],
  { shared, current }: { readonly shared: Shared; readonly current: () => Snapshot },
): Layer | undefined {
  const { accessLog } = terminal
  if (early.length === 0 || accessLog === undefined || !shared.logsOf(accessLog).needs.detail) return undefined
  return (next) => (call) =>
    next(call).then((answer) => {
      const { detail } = call.trace
      if (detail === undefined || !isFault(answer)) return answer
      const snapshot = current()
      const found = missedRoute(call, terminal, snapshot)
      if (found !== undefined) tellRoute(detail, found, snapshot)
      return answer
    })
}
