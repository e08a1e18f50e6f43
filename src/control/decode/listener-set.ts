import { invalid, object, refine, type Decoder } from '../../base/decode.ts'
import { listeners, type ListenerSpec } from './gateway.ts'
import { objectRef, type ObjectRef } from './object-ref.ts'
import { gatewayGroup } from './parent-ref.ts'

/** Gateway API ListenerSet: listeners that somebody else than its owner adds to a Gateway, which says whose it takes. */
export interface ListenerSetSpec {
  /** A Gateway; without a namespace the one of the set's own. */
  readonly parentRef: ObjectRef
  readonly listeners: readonly ListenerSpec[]
}

const parentGateway: Decoder<ObjectRef> = refine(
  objectRef('Gateway', gatewayGroup),
  ({ group, kind, ...ref }, path, issues) => {
    if (kind === 'Gateway' && group === gatewayGroup) return { group, kind, ...ref }
    const what = `${JSON.stringify(kind)} of group ${JSON.stringify(group)}`
    issues.push({ path: `${path}.kind`, message: `a ListenerSet attaches to a Gateway, got ${what}` })
    return invalid
  },
)

export const listenerSetSpec: Decoder<ListenerSetSpec> = object<ListenerSetSpec>({
  parentRef: parentGateway,
  listeners,
})
