import { authorityAddress } from '../along-route.ts'
import type { WeightedCluster } from '../config.ts'
import { explainCluster, type ClusterChoice } from './cluster.ts'
import type { Tried } from './tried.ts'
import { namedPort, rawRoute } from '../raw-route.ts'
import type { Snapshot } from '../snapshot.ts'

/** Where a raw connection to a service port would go. */
export interface RawExplanation {
  readonly tried: readonly Tried[]
  readonly refused?: { readonly status: number; readonly sentence: string }
  readonly clusters: readonly ClusterChoice[]
}

/** As `rawPlan` decides, for a port of TCP: over TLS by the host as its server name. */
export function explainRaw(
  service: string,
  { authority, path, tls }: { readonly authority: string; readonly path: string; readonly tls: boolean },
  snapshot: Snapshot,
): RawExplanation {
  const choices = (clusters: readonly WeightedCluster[]): readonly ClusterChoice[] => {
    const total = clusters.reduce((sum, { weight }) => sum + weight, 0) || 1
    return clusters.map((one) => ({
      ...explainCluster(one, (one.weight * 100) / total, undefined, snapshot),
      authority,
      path,
    }))
  }
  if (namedPort(service, snapshot)?.routed !== true)
    return { tried: [], clusters: choices([{ cluster: service, weight: 1 }]) }
  const table = snapshot.config.routes.get(service)
  const serverName = tls ? authorityAddress(authority, 443).host : ''
  const route = table && rawRoute(table, serverName)
  if (route?.action.kind !== 'forward') {
    const known = (table?.virtualHosts ?? []).flatMap(({ domains }) => domains).join(', ')
    const sentence = `the connection is closed: no route is for ${serverName === '' ? 'bytes without a TLS server name' : serverName} (they are for ${known})`
    return { tried: [], clusters: [], refused: { status: 0, sentence } }
  }
  return { tried: [{ name: route.name, origin: route.origin }], clusters: choices(route.action.clusters) }
}
