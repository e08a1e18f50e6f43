import { formatAddress } from '../../base/address.ts'
import type { Problem } from '../../base/problem.ts'
import { serviceNameLabel } from '../decode/endpoint-slice.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import type { ServicePortSpec } from '../decode/service.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { Endpoint } from '../model/model.ts'
import { problemAt } from './linked.ts'
import { findService } from './select-workloads.ts'

type Service = ResourceOf<'Service'>
type Slices = ReadonlyMap<string, readonly ResourceOf<'EndpointSlice'>[]>

/**
 * Instances of a service port that EndpointSlices name: without a sidecar, so that they are called in plain text. One that is a
 * Workload's too (`known`: its addresses) is the Workload's.
 */
export function sliceEndpoints(
  service: Service,
  port: ServicePortSpec,
  snapshot: InventorySnapshot,
  known: ReadonlySet<string>,
): readonly Endpoint[] {
  const found = new Map<string, Endpoint>()
  const { namespace, name } = service.metadata
  for (const { spec } of slicesOf(snapshot).get(`${namespace}/${name}`) ?? []) {
    // Without a name it is the only port of both.
    const target = spec.ports.find(
      (one) => one.name === port.name || (one.name === '' && service.spec.ports.length === 1),
    )
    if (target === undefined) continue
    for (const { address, state, zone } of spec.endpoints) {
      const at = { host: address, port: target.port }
      const key = formatAddress(at)
      if (known.has(key) || found.has(key)) continue
      found.set(key, {
        workload: undefined,
        address: at,
        mtls: false,
        health: healthOf[state],
        weight: 1,
        // Kubernetes names zones apart from their regions.
        ...(zone === undefined ? {} : { locality: { region: '', zone, subZone: '' } }),
      })
    }
  }
  return [...found.values()]
}

/** Slices that are for nobody. */
export const sliceProblems = (snapshot: InventorySnapshot): readonly Problem[] =>
  resourcesOf(snapshot, 'EndpointSlice').flatMap((slice): Problem[] => {
    const { namespace, labels } = slice.metadata
    const name = labels[serviceNameLabel]
    if (name === undefined) {
      const message = `without the label ${serviceNameLabel} it belongs to no Service, so it has no effect`
      return [problemAt(slice, 'metadata.labels', message)]
    }
    if (findService(snapshot, namespace, name) !== undefined) return []
    return [problemAt(slice, 'metadata.labels', `there is no Service ${namespace}/${name}, so it has no effect`)]
  })

const healthOf = { ready: 'healthy', 'not-ready': 'unhealthy', draining: 'draining' } as const

/** By the Service that they are for. Made once for a snapshot: link asks for every port. */
function slicesOf(snapshot: InventorySnapshot): Slices {
  let slices = byService.get(snapshot.entries)
  if (slices === undefined) {
    const all = resourcesOf(snapshot, 'EndpointSlice')
    slices = Map.groupBy(all, ({ metadata }) => `${metadata.namespace}/${metadata.labels[serviceNameLabel] ?? ''}`)
    byService.set(snapshot.entries, slices)
  }
  return slices
}
const byService = new WeakMap<InventorySnapshot['entries'], Slices>()
