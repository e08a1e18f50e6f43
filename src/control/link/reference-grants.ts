import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'

/** Who refers. */
export interface Referrer {
  readonly group: string
  readonly kind: string
  readonly namespace: string
}
/** To what. */
export interface Referent extends Referrer {
  readonly name: string
}

/** Whether `from` may refer to `to`: in one namespace always, else where a ReferenceGrant of the latter's lets it. Source: Gateway API, ReferenceGrant. */
export const isGranted = (from: Referrer, to: Referent, snapshot: InventorySnapshot): boolean =>
  from.namespace === to.namespace ||
  resourcesOf(snapshot, 'ReferenceGrant').some(
    ({ metadata, spec }) =>
      metadata.namespace === to.namespace &&
      spec.from.some(
        ({ group, kind, namespace }) => group === from.group && kind === from.kind && namespace === from.namespace,
      ) &&
      spec.to.some(
        ({ group, kind, name }) =>
          group === to.group && kind === to.kind && (name === undefined || name === '' || name === to.name),
      ),
  )
