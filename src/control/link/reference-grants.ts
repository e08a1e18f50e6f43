import type { ResourceOf } from '../decode/resource-types.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'

/** A Service of another namespace that a route refers to. */
export interface ForeignService {
  readonly namespace: string
  readonly name: string
}

/** Whether a ReferenceGrant of the Service's namespace lets this route refer to it. Source: Gateway API, ReferenceGrant. */
export function isGranted(
  route: ResourceOf<'HTTPRoute'>,
  service: ForeignService,
  snapshot: InventorySnapshot,
): boolean {
  return resourcesOf(snapshot, 'ReferenceGrant').some(
    ({ metadata, spec }) =>
      metadata.namespace === service.namespace &&
      spec.from.some(
        ({ group, kind, namespace }) =>
          group === 'gateway.networking.k8s.io' && kind === route.kind && namespace === route.metadata.namespace,
      ) &&
      spec.to.some(
        ({ group, kind, name }) =>
          group === '' && kind === 'Service' && (name === undefined || name === '' || name === service.name),
      ),
  )
}
