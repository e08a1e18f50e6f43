import type { HttpTerminal, Route } from './config.ts'
import { isFault, type CallDetail, type Layer } from './http/service.ts'
import type { Shared } from './shared.ts'
import type { Snapshot } from './snapshot.ts'

/** Notes what is known of a call's way before a cluster is chosen. */
export function tellRoute(detail: CallDetail, { name, unnamed, action }: Route, { config }: Snapshot): void {
  if (unnamed !== true) detail.routeName = name
  const [first, ...more] = action.kind === 'forward' ? action.clusters : []
  if (first !== undefined && more.length === 0 && config.clusters.has(first.cluster))
    detail.routeCluster = first.cluster
}

/**
 * Calls that are refused before a route is looked for are told with the one that they would have taken, where a log asks for it: with Envoy
 * it is known by then. Undefined: none asks, or nothing refuses so early.
 */
export function tellMissedRoute(
  { accessLog, routes }: Pick<HttpTerminal, 'accessLog' | 'routes'>,
  early: readonly Layer[],
  { shared, current }: { readonly shared: Shared; readonly current: () => Snapshot },
): Layer | undefined {
  if (early.length === 0 || accessLog === undefined || !shared.logsOf(accessLog).needs.detail) return undefined
  return (next) => (call) =>
    next(call).then((answer) => {
      const { detail, route } = call.trace
      if (detail === undefined || route !== undefined || !isFault(answer)) return answer
      const snapshot = current()
      const table = 'inline' in routes ? routes.inline : snapshot.config.routes.get(routes.named)
      const found = table && snapshot.routerOf(table)(call)
      if (found !== undefined) tellRoute(detail, found, snapshot)
      return answer
    })
}
