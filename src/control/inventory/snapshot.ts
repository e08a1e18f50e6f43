import type { Problem } from '../../base/problem.ts'
import { keyText } from '../decode/resource.ts'
import { formatKey, type ResourceKey } from '../decode/resource.ts'
import type { Kind, Resource, ResourceOf } from '../decode/resource-types.ts'
import { keyOfResource, leaseAnnotation, type Entry } from './entry.ts'
import { withInfrastructure } from './gateway-infrastructure.ts'
import { inferServices } from './infer-services.ts'
import { rememberedServices } from './remembered-services.ts'
import { virtualIps } from './virtual-ips.ts'

/** Whether clients may be sent to a workload now. */
export type WorkloadState = 'ready' | 'not-ready' | 'draining'

/** Everything known at one moment. The same input gives the same snapshot but for `revision`. */
export interface InventorySnapshot {
  /** Grows by one with every snapshot of a process. */
  readonly revision: number
  /** Everything that was written to the store up to this revision is in here. */
  readonly storeRevision: number
  /** By `keyText`. */
  readonly entries: ReadonlyMap<string, Entry>
  /** By `<namespace>/<workload>`; one that is under a lease and not in here is not ready. */
  readonly health: ReadonlyMap<string, WorkloadState>
  /** Of every Service, by `<namespace>/<name>`. */
  readonly virtualIps: ReadonlyMap<string, string>
}

/** All resources of a kind, sorted by namespace and name. Sorted once for a snapshot: link asks often. */
export function resourcesOf<K extends Kind>(snapshot: InventorySnapshot, kind: K): readonly ResourceOf<K>[] {
  let kinds = sorted.get(snapshot.entries)
  if (kinds === undefined) sorted.set(snapshot.entries, (kinds = byKind(snapshot)))
  // `kind` decides the member of the union, which a generic parameter cannot tell the compiler.
  return (kinds.get(kind) ?? []) as readonly unknown[] as readonly ResourceOf<K>[]
}
const sorted = new WeakMap<InventorySnapshot['entries'], ReadonlyMap<Kind, readonly Resource[]>>()

function byKind({ entries }: InventorySnapshot): ReadonlyMap<Kind, readonly Resource[]> {
  const inOrder = [...entries.values()]
    .map((entry) => entry.resource)
    .toSorted(
      (a, b) => compare(a.metadata.namespace, b.metadata.namespace) || compare(a.metadata.name, b.metadata.name),
    )
  return Map.groupBy(inOrder, (resource) => resource.kind)
}
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Whether clients may be sent to a workload now. One that nobody leases is what its author says: there. */
export function stateOf({ metadata }: ResourceOf<'Workload'>, { health }: InventorySnapshot): WorkloadState {
  const leased = metadata.annotations[leaseAnnotation] !== undefined
  return health.get(`${metadata.namespace}/${metadata.name}`) ?? (leased ? 'not-ready' : 'ready')
}

/**
 * Puts the sources together: the first of two resources of one key stays, the other is a problem. Services that nobody wrote are
 * inferred from the workloads, and remembered for a while; those of gateways have the labels that their Gateway wishes.
 */
export function buildSnapshot(
  sources: readonly Entry[],
  {
    revision,
    storeRevision = 0,
    health,
  }: { revision: number; storeRevision?: number; health: ReadonlyMap<string, WorkloadState> },
): { readonly snapshot: InventorySnapshot; readonly problems: readonly Problem[] } {
  const entries = new Map<string, Entry>()
  const problems: Problem[] = []
  for (const entry of sources) {
    const key = keyOfResource(entry.resource)
    const first = entries.get(keyText(key))
    if (first === undefined) entries.set(keyText(key), entry)
    else problems.push(duplicate(key, first, entry))
  }
  for (const entry of withInfrastructure(entries)) entries.set(keyText(keyOfResource(entry.resource)), entry)
  for (const entry of inferServices(entries)) entries.set(keyText(keyOfResource(entry.resource)), entry)
  for (const entry of rememberedServices(entries)) entries.set(keyText(keyOfResource(entry.resource)), entry)
  const { addresses, problems: claimed } = virtualIps(entries)
  return {
    snapshot: { revision, storeRevision, entries, health, virtualIps: addresses },
    problems: [...problems, ...claimed],
  }
}

function duplicate(key: ResourceKey, first: Entry, second: Entry): Problem {
  const place = second.resource.placeOf?.('metadata.name')
  return {
    severity: 'error',
    resource: formatKey(key),
    field: 'metadata.name',
    message: `this name is taken already, by ${whereIs(first)}; that one stays in force, rename or remove this one`,
    ...(place === undefined ? {} : { place }),
  }
}

function whereIs({ resource, owner }: Entry): string {
  if (owner.kind === 'registered') return 'a running workload'
  if (owner.kind === 'store') return 'what was applied over the API'
  const place = resource.placeOf?.('metadata.name')
  return place?.line === undefined ? owner.file : `${place.file}:${place.line}`
}
