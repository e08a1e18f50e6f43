import type {
  AccessLog,
  CertificateSource,
  Listener,
  NamedService,
  RouteTable,
  UpstreamTls,
  DownstreamTls,
} from '../config.ts'
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

/** What a listener's chains name: clusters directly or by inline routes, route tables, certificates and trust bundles. */
export interface ListenerNeeds {
  readonly clusters: readonly string[]
  readonly tables: readonly string[]
  readonly secrets: readonly string[]
}

/** Each name once. */
export function needsOfListener({ filterChains, defaultFilterChain, udp, accessLog = [] }: Listener): ListenerNeeds {
  const clusters = new Set<string>(udp?.clusters.map(({ cluster }) => cluster))
  for (const cluster of [...accessLog, ...(udp?.accessLog ?? [])].flatMap(logCluster)) clusters.add(cluster)
  const tables = new Set<string>()
  const secrets = new Set<string>()
  for (const { terminal, tls } of defaultFilterChain === undefined
    ? filterChains
    : [...filterChains, defaultFilterChain]) {
    for (const secret of secretsOfTls(tls)) secrets.add(secret)
    for (const cluster of (terminal.accessLog ?? []).flatMap(logCluster)) clusters.add(cluster)
    if (terminal.kind === 'http') {
      for (const filter of terminal.filters) if (filter.kind === 'external-limit') clusters.add(filter.limit.cluster)
      if (terminal.tracing !== undefined) clusters.add(terminal.tracing.exporter.cluster)
    }
    if (terminal.kind === 'tcp') for (const { cluster } of terminal.clusters) clusters.add(cluster)
    else if ('named' in terminal.routes) tables.add(terminal.routes.named)
    else for (const cluster of clustersOfTable(terminal.routes.inline)) clusters.add(cluster)
  }
  return { clusters: [...clusters], tables: [...tables], secrets: [...secrets] }
}

const logCluster = (log: AccessLog): readonly string[] => ('server' in log ? [log.server.collector.cluster] : [])

/** Certificates and trust bundles of a cluster's transports. */
export const secretsOfCluster = ({ transports }: Pick<ClusterShape, 'transports'>): readonly string[] =>
  Array.from(transports.values()).flatMap(secretsOfTls)

const moreCertificates = (tls: DownstreamTls | UpstreamTls | undefined): readonly CertificateSource[] =>
  (tls !== undefined && 'moreCertificates' in tls ? tls.moreCertificates : undefined) ?? []

const secretsOfTls = (tls: DownstreamTls | UpstreamTls | undefined): readonly string[] =>
  [tls?.certificate, ...moreCertificates(tls), tls?.trust].flatMap((source) =>
    typeof source === 'object' && 'secret' in source ? [source.secret] : [],
  )

/** What to ask for to reach `<namespace>/<service>/<port>`: its route table, or its cluster; undefined when the name table lacks it. */
export function wayOf(routeName: string, names: ReadonlyMap<string, NamedService>): 'table' | 'cluster' | undefined {
  const parsed = parseServicePortName(routeName)
  const service = parsed && names.get(`${parsed.namespace}/${parsed.service}`)
  const named = service?.ports.find(({ port }) => port === parsed?.port)
  if (named === undefined) return undefined
  return named.protocol === 'http' || named.routed === true ? 'table' : 'cluster'
}
