import type { ResourceOf } from '../decode/resource-types.ts'
import type { Entry } from './entry.ts'

/**
 * Workloads of gateways with the labels and annotations that their Gateway wishes for what serves it; their own go before. Those of
 * Gateways that wish nothing are left out. Source: Gateway API, GatewayInfrastructure.
 */
export function withInfrastructure(entries: ReadonlyMap<string, Entry>): readonly Entry[] {
  const wishes = new Map<string, ResourceOf<'Gateway'>['spec']['infrastructure']>()
  for (const { resource } of entries.values()) {
    if (resource.kind !== 'Gateway') continue
    const { labels, annotations } = resource.spec.infrastructure
    if (Object.keys(labels).length + Object.keys(annotations).length === 0) continue
    wishes.set(`${resource.metadata.namespace}/${resource.metadata.name}`, resource.spec.infrastructure)
  }
  if (wishes.size === 0) return []
  return Array.from(entries.values()).flatMap((entry) => {
    const { resource, document } = entry
    if (resource.kind !== 'Workload' || resource.spec.gateway === undefined) return []
    const wish = wishes.get(`${resource.metadata.namespace}/${resource.spec.gateway.name}`)
    if (wish === undefined) return []
    const metadata = {
      ...resource.metadata,
      labels: { ...wish.labels, ...resource.metadata.labels },
      annotations: { ...wish.annotations, ...resource.metadata.annotations },
    }
    const { labels, annotations } = metadata
    return [
      {
        ...entry,
        resource: { ...resource, metadata },
        document: { ...document, metadata: { ...document.metadata, labels, annotations } },
      },
    ]
  })
}
