import { keyText } from '../decode/resource.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'

type Workload = ResourceOf<'Workload'>

/** The workloads of a service, sorted by name. */
export const workloadsOf = (service: ResourceOf<'Service'>, snapshot: InventorySnapshot): readonly Workload[] =>
  resourcesOf(snapshot, 'Workload').filter((one) => belongsTo(one, service))

/** By the service's selector, or, without one, because it was started for it by name. */
export function belongsTo(workload: Workload, { metadata, spec }: ResourceOf<'Service'>): boolean {
  if (workload.metadata.namespace !== metadata.namespace) return false
  const wanted = Object.entries(spec.selector)
  if (wanted.length === 0 && workload.spec.gateway !== undefined) return false
  return wanted.length === 0 ? workload.spec.service === metadata.name : hasLabels(workload, wanted)
}

/** The Service of this name, when there is one. */
export function findService(
  snapshot: InventorySnapshot,
  namespace: string,
  name: string,
): ResourceOf<'Service'> | undefined {
  const resource = snapshot.entries.get(keyText({ kind: 'Service', namespace, name }))?.resource
  return resource?.kind === 'Service' ? resource : undefined
}

/** Whether a workload has all of these labels; none asked for is true. */
export const hasLabels = (workload: Workload, wanted: readonly (readonly [string, string])[]): boolean =>
  wanted.every(
    ([key, value]) => Object.hasOwn(workload.metadata.labels, key) && workload.metadata.labels[key] === value,
  )
