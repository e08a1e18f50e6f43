import { formatAddress } from '../base/address.ts'
import type { ProxyConfig } from './config.ts'
import type { Shared } from './shared.ts'
import { protocolsOf } from './upstream/speaking.ts'
import { poolKey } from './upstream/upstream.ts'

/** Endpoints with their health, ejections and counts, and the connections to them, by cluster. Plain JSON. */
export function describeClusters({ upstream, states }: Shared, { clusters }: ProxyConfig): unknown {
  const connections = upstream.describe()
  const high = upstream.describe('high')
  return [...clusters.values()].map((cluster) => ({
    name: cluster.name,
    discovery: cluster.discovery,
    origin: cluster.origin,
    limits: cluster.limits,
    ...connections[cluster.name],
    ...(high[cluster.name] && { highPriority: high[cluster.name] }),
    endpoints: cluster.endpoints.map((endpoint) => {
      const address = formatAddress(endpoint.address)
      const state = states.clusters.get(cluster.name)?.endpoints.get(address)
      const pools = protocolsOf(cluster).flatMap(
        (protocol) => connections[cluster.name]?.endpoints[poolKey(endpoint, protocol, cluster)] ?? [],
      )
      return {
        address,
        workload: endpoint.workload,
        health: endpoint.health,
        transport: endpoint.transport,
        weight: endpoint.weight,
        ...(state?.probe !== undefined && { check: { status: state.probe.status, lastFailure: state.probe.why } }),
        ejected: state?.ejected ?? false,
        ...(state?.ejectedFor !== undefined && { ejectedFor: state.ejectedFor }),
        ...(state !== undefined && state.successRate >= 0 && { successRatePercent: state.successRate }),
        activeCalls: state?.activeCalls ?? 0,
        connections: pools.reduce((sum, one) => sum + one.connections, 0),
        idle: pools.reduce((sum, one) => sum + one.idle, 0),
      }
    }),
  }))
}
