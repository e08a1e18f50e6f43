import { keyText } from '../decode/resource.ts'
import type { DestinationKind } from '../decode/service-ref.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'

/** What routes lead from and to. */
export type Destination = ResourceOf<'Service'> | ResourceOf<'ExternalService'>

/** What a route names. */
export interface DestinationRef {
  readonly kind: DestinationKind
  readonly namespace: string
  readonly name: string
}

/** The resource in force; of a Service and an ExternalService of one name that is the Service. */
export function findDestination(snapshot: InventorySnapshot, ref: DestinationRef): Destination | undefined {
  const resource = snapshot.entries.get(keyText(ref))?.resource
  if (resource?.kind === 'Service') return resource
  if (resource?.kind !== 'ExternalService' || isShadowed(resource, snapshot)) return undefined
  return resource
}

/** What has this name in the model. */
export const destinationNamed = (
  snapshot: InventorySnapshot,
  namespace: string,
  name: string,
): Destination | undefined =>
  findDestination(snapshot, { kind: 'Service', namespace, name }) ??
  findDestination(snapshot, { kind: 'ExternalService', namespace, name })

/** A Service has the same namespace and name: everything that is called after both is the Service's. */
export const isShadowed = ({ metadata }: ResourceOf<'ExternalService'>, { entries }: InventorySnapshot): boolean =>
  entries.has(keyText({ kind: 'Service', namespace: metadata.namespace, name: metadata.name }))
