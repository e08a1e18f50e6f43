import type { ResourceOf } from '../decode/resource-types.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'
import type { Model } from '../model/model.ts'

/** The instances that serve a Gateway now. */
export interface Serving {
  /** IP addresses where an instance listens: sorted, unique. */
  readonly addresses: readonly string[]
  /** Why nobody serves it as it is written; undefined: somebody does. */
  readonly pending: string | undefined
  /** Of the condition then; absent: Pending. */
  readonly reason?: 'AddressNotUsable' | 'Pending'
}

/** Which model a proxy serves: the newest whose configuration it has acknowledged whole; undefined: none yet. */
export type Acknowledged = (workload: string) => Model | undefined

/** Who serves a Gateway now, as it is written now. */
export function servingOf(
  { metadata }: Pick<ResourceOf<'Gateway'>, 'metadata'>,
  { snapshot, model, acknowledged }: { snapshot: InventorySnapshot; model: Model; acknowledged: Acknowledged },
): Serving {
  const key = `${metadata.namespace}/${metadata.name}`
  const instances = [...model.workloads.values()].filter(({ gateway }) => gateway?.gateway === key)
  const ready = instances.filter(({ namespace, name }) => snapshot.health.get(`${namespace}/${name}`) === 'ready')
  const own = model.gateways.get(key)?.addresses ?? []
  const bound = ready.flatMap(({ gateway }) => (own.length > 0 ? own : gateway === undefined ? [] : [gateway.address]))
  const addresses = [...new Set(bound)].toSorted()
  if (instances.length === 0) {
    const command = `weft gateway --name ${metadata.name} --namespace ${metadata.namespace}`
    return { addresses, pending: `nobody serves it; start one with: ${command}` }
  }
  if (ready.length === 0 && own.length > 0)
    return { addresses, pending: `no instance has bound ${own.join(', ')}`, reason: 'AddressNotUsable' }
  if (ready.length === 0) return { addresses, pending: `${instances.length} started, none ready yet` }
  const newest = ready.some(({ namespace, name }) => acknowledged(`${namespace}/${name}`) === model)
  return { addresses, pending: newest ? undefined : 'no instance has acknowledged the newest configuration yet' }
}
