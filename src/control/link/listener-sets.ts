import type { Problem } from '../../base/problem.ts'
import { keyText } from '../decode/resource.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import { isAllowed } from './attach-routes.ts'
import { isOurGateway } from './gateway-classes.ts'
import { byAge, conditionAt, nameOf, type Linked } from './linked.ts'

type ListenerSet = ResourceOf<'ListenerSet'>

/** The Gateway that a ListenerSet names; undefined: it is not there. */
export function parentOf(
  { metadata, spec }: Pick<ListenerSet, 'metadata' | 'spec'>,
  { entries }: Pick<InventorySnapshot, 'entries'>,
): ResourceOf<'Gateway'> | undefined {
  const { name, namespace = metadata.namespace } = spec.parentRef
  const resource = entries.get(keyText({ kind: 'Gateway', namespace, name }))?.resource
  return resource?.kind === 'Gateway' ? resource : undefined
}

/** The ListenerSets that each Gateway of ours takes, in order of precedence. Source: GEP-1713, "Listener Precedence". */
export function linkListenerSets(
  snapshot: InventorySnapshot,
): Linked<ReadonlyMap<ResourceOf<'Gateway'>, readonly ListenerSet[]>> {
  const problems: Problem[] = []
  const value = new Map<ResourceOf<'Gateway'>, ListenerSet[]>()
  for (const set of resourcesOf(snapshot, 'ListenerSet').toSorted(byAge)) {
    const gateway = parentOf(set, snapshot)
    // That of another controller's is another controller's to judge.
    if (gateway !== undefined && isOurGateway(gateway, snapshot) !== true) continue
    if (gateway === undefined) problems.push(noParent(set))
    else if (!mayAttach(set, gateway, snapshot)) problems.push(notAllowed(set, gateway))
    else {
      const there = value.get(gateway)
      if (there === undefined) value.set(gateway, [set])
      else there.push(set)
    }
  }
  return { value, problems }
}

const mayAttach = ({ metadata }: ListenerSet, gateway: ResourceOf<'Gateway'>, snapshot: InventorySnapshot): boolean =>
  isAllowed(metadata.namespace, gateway.spec.allowedListeners.namespaces, gateway.metadata.namespace, snapshot)

function noParent(set: ListenerSet): Problem {
  const { name, namespace = set.metadata.namespace } = set.spec.parentRef
  const message = `there is no Gateway ${namespace}/${name}, so nobody serves these listeners`
  return conditionAt(set, 'spec.parentRef.name', { type: 'Accepted', reason: 'ParentNotAccepted' }, message)
}

function notAllowed(set: ListenerSet, gateway: ResourceOf<'Gateway'>): Problem {
  const message = `${nameOf(gateway)} takes no ListenerSets of namespace ${set.metadata.namespace} (spec.allowedListeners), so nobody serves these listeners`
  return conditionAt(set, 'spec.parentRef', { type: 'Accepted', reason: 'NotAllowed' }, message)
}

/** The Gateway that a set is attached to cannot be served at all. */
export function parentRefused(set: ListenerSet, gateway: ResourceOf<'Gateway'>): Problem {
  const message = `${nameOf(gateway)} is not accepted (its status says why), so nobody serves these listeners`
  return conditionAt(set, 'spec.parentRef', { type: 'Accepted', reason: 'ParentNotAccepted' }, message)
}
