import { isUdp } from '../../base/app-protocol.ts'
import type { StoredDocument } from '../collect/store.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import type { ServicePortSpec } from '../decode/service.ts'
import { onlyHttpPort } from '../decode/workload.ts'
import { inferredAnnotation, type Entry } from './entry.ts'

/**
 * A Service for every name that workloads were started for and nobody wrote one for: `weft run --service web --port 8080` is enough.
 * Its ports are those of all its workloads; the oldest workload decides the name and protocol of a port. It answers on 80 too, with
 * the HTTP port of every instance that has exactly one: `http://web/` works without anybody having said so.
 */
export function inferServices(entries: ReadonlyMap<string, Entry>): readonly Entry[] {
  const byService = new Map<string, ResourceOf<'Workload'>[]>()
  for (const { resource } of entries.values()) {
    if (resource.kind !== 'Workload' || resource.spec.ports.length === 0) continue
    const key = `Service/${resource.metadata.namespace}/${resource.spec.service}`
    if (entries.has(key)) continue
    const there = byService.get(key)
    if (there === undefined) byService.set(key, [resource])
    else there.push(resource)
  }
  return [...byService.values()].map(inferService)
}

function inferService(workloads: readonly ResourceOf<'Workload'>[]): Entry {
  const oldestFirst = workloads.toSorted((a, b) => byAge(a, b))
  const ports = new Map<number, ServicePortSpec>()
  for (const { spec } of oldestFirst) {
    for (const { servicePort, protocol } of spec.ports) {
      if (!ports.has(servicePort))
        ports.set(servicePort, {
          name: `${protocol}-${servicePort}`,
          port: servicePort,
          targetPort: servicePort,
          protocol,
        })
    }
  }
  if (!ports.has(80) && workloads.some((one) => onlyHttpPort(one.spec.ports) !== undefined)) {
    ports.set(80, { name: 'http', port: 80, targetPort: 'http', protocol: 'http' })
  }
  const [oldest] = oldestFirst
  const metadata = {
    name: oldest?.spec.service ?? '',
    namespace: oldest?.metadata.namespace ?? '',
    labels: {},
    annotations: { [inferredAnnotation]: 'true' },
    resourceVersion: oldest?.metadata.resourceVersion ?? '0',
    creationTimestamp: oldest?.metadata.creationTimestamp ?? '',
  }
  const inOrder = [...ports.values()].toSorted((a, b) => a.port - b.port)
  const resource: ResourceOf<'Service'> = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: { selector: {}, ports: inOrder },
  }
  const document: StoredDocument = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: {
      ports: inOrder.map(({ protocol, ...port }) =>
        isUdp(protocol) ? { ...port, protocol: 'UDP' } : { ...port, protocol: 'TCP', appProtocol: protocol },
      ),
    },
  }
  return { resource, document, owner: { kind: 'registered' } }
}

function byAge(a: ResourceOf<'Workload'>, b: ResourceOf<'Workload'>): number {
  const [left, right] = [
    `${a.metadata.creationTimestamp} ${a.metadata.name}`,
    `${b.metadata.creationTimestamp} ${b.metadata.name}`,
  ]
  return left < right ? -1 : left > right ? 1 : 0
}
