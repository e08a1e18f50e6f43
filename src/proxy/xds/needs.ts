import type { Listener, NamedService, RouteTable } from '../config.ts'
import { parseServicePortName } from '../../xds/names.ts'
import type { ClusterShape } from './decode-cds.ts'

// What one resource needs of others, by name.

/** Clusters that a table may send to. */
export function clustersOfTable(table: RouteTable): readonly string[] {
  const names = table.virtualHosts.flatMap(({ routes }) =>
    routes.flatMap(({ action }) =>
      action.kind === 'forward' ? [...action.clusters, ...(action.mirrors ?? [])].map(({ cluster }) => cluster) : [],
    ),
  )
  return [...new Set(names)]
}

/** What a listener's chains name: clusters directly or by inline routes, route tables, trust bundles. */
export interface ListenerNeeds {
  readonly clusters: readonly string[]
  readonly tables: readonly string[]
  readonly trust: readonly string[]
}

/** Each name once. */
export function needsOfListener({ filterChains, defaultFilterChain }: Listener): ListenerNeeds {
  const clusters = new Set<string>()
  const tables = new Set<string>()
  const trust = new Set<string>()
  for (const { terminal, tls } of defaultFilterChain === undefined
    ? filterChains
    : [...filterChains, defaultFilterChain]) {
    if (tls?.trust !== undefined) trust.add(tls.trust)
    if (terminal.kind === 'tcp') for (const { cluster } of terminal.clusters) clusters.add(cluster)
    else if ('named' in terminal.routes) tables.add(terminal.routes.named)
    else for (const cluster of clustersOfTable(terminal.routes.inline)) clusters.add(cluster)
  }
  return { clusters: [...clusters], tables: [...tables], trust: [...trust] }
}

/** Trust bundles of a cluster's transports. */
export const trustOfCluster = ({ transports }: Pick<ClusterShape, 'transports'>): readonly string[] =>
  Array.from(transports.values()).flatMap((tls) => (tls === undefined ? [] : [tls.trust]))

/** What the name table says about `<namespace>/<service>/<port>`; undefined when it lacks it. */
export function protocolOf(routeName: string, names: ReadonlyMap<string, NamedService>): 'http' | 'tcp' | undefined {
  const parsed = parseServicePortName(routeName)
  const service = parsed && names.get(`${parsed.namespace}/${parsed.service}`)
  return service?.ports.find(({ port }) => port === parsed?.port)?.protocol
}
