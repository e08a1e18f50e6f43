import type { Problem } from '../../base/problem.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import { gatewayGroup } from '../decode/parent-ref.ts'
import { listenerName } from '../link/gateway-listeners.ts'
import type { Gateway } from '../model/model.ts'
import { condition, judge, sentence, type Condition } from './condition.ts'
import type { Serving } from './serving.ts'

/** What a status says of one listener. Source: Gateway API, ListenerStatus and ListenerEntryStatus. */
export interface ListenerStatus {
  readonly name: string
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[]
  readonly attachedRoutes: number
  /** `Accepted` is the first. */
  readonly conditions: readonly Condition[]
}

/** Conditions of each listener of a Gateway or a ListenerSet. Source: Gateway API, ListenerConditionType. */
export function listenerStatuses(
  owner: ResourceOf<'Gateway'> | ResourceOf<'ListenerSet'>,
  problems: readonly Problem[],
  gateway: Gateway,
  serving: Serving,
): readonly ListenerStatus[] {
  return owner.spec.listeners.map((spec, index) => {
    const about = problems.filter(({ field }) => field.startsWith(`spec.listeners[${index}].`))
    const { kinds, routes } = gateway.attachments.get(listenerName(owner, spec)) ?? { kinds: [], routes: 0 }
    const accepted = judge('Accepted', about)
    const conflict = accepted.reason.endsWith('Conflict')
    // Of a ListenerSet the suite wants to know the conflict here as well; of a Gateway the specification knows "Invalid" only.
    const invalid = conflict && owner.kind === 'ListenerSet' ? accepted.reason : 'Invalid'
    return {
      name: spec.name,
      supportedKinds: kinds.map((kind) => ({ group: gatewayGroup, kind })),
      attachedRoutes: routes,
      conditions: [
        accepted,
        isServed(gateway, listenerName(owner, spec))
          ? condition('Programmed', serving.pending === undefined ? undefined : 'Pending', serving.pending)
          : condition('Programmed', invalid, about.map(sentence).join('. ')),
        judge('ResolvedRefs', about),
        conflict
          ? { ...accepted, type: 'Conflicted', status: 'True' }
          : { type: 'Conflicted', status: 'False', reason: 'NoConflicts', message: '' },
      ],
    }
  })
}

/** Whether a listener can be served, if somebody does. */
export const isServed = ({ listeners, streams, mesh }: Gateway, name: string): boolean =>
  [...listeners, ...streams, ...mesh].some((one) => one.name === name)

/** What is wrong with the whole, and not with one of its listeners. */
export const besidesListeners = (problems: readonly Problem[]): readonly Problem[] =>
  problems.filter(({ field }) => !field.startsWith('spec.listeners['))

/** With one good listener the whole is accepted, and its reason tells of the others. */
export function acceptance(
  accepted: Condition,
  listeners: readonly { readonly name: string }[],
  isGood: (name: string) => boolean,
): Condition {
  const bad = listeners.filter(({ name }) => !isGood(name))
  if (accepted.status === 'False' || bad.length === 0) return accepted
  const message = `not accepted: ${bad.map(({ name }) => name).join(', ')}`
  const status = bad.length < listeners.length ? 'True' : 'False'
  return { type: 'Accepted', status, reason: 'ListenersNotValid', message }
}
