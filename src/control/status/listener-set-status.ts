import type { Problem } from '../../base/problem.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import { listenerName } from '../link/gateway-listeners.ts'
import type { Gateway } from '../model/model.ts'
import { condition, judge, type Condition } from './condition.ts'
import { acceptance, besidesListeners, isServed, listenerStatuses } from './listener-status.ts'
import type { Serving } from './serving.ts'

/** Conditions of a ListenerSet and of each of its listeners at a Gateway of ours. Source: Gateway API, ListenerSetStatus. */
export function listenerSetStatus(
  set: ResourceOf<'ListenerSet'>,
  problems: readonly Problem[],
  gateway: Gateway,
  serving: Serving,
): object {
  const judged = judge('Accepted', besidesListeners(problems))
  // What does not attach has no listeners anywhere.
  if (judged.status === 'False') return { conditions: [judged, programmed(judged, serving)], listeners: [] }
  const served = new Set(
    set.spec.listeners.filter((one) => isServed(gateway, listenerName(set, one))).map(({ name }) => name),
  )
  const accepted = acceptance(judged, set.spec.listeners, (name) => served.has(name))
  return {
    conditions: [accepted, programmed(accepted, serving)],
    listeners: listenerStatuses(set, problems, gateway, serving),
  }
}

/** One whose Gateway is not there. */
export const orphanStatus = (problems: readonly Problem[]): object => {
  const judged = judge('Accepted', problems)
  return { conditions: [judged, condition('Programmed', judged.reason, judged.message)] }
}

const programmed = ({ status, reason, message }: Condition, { pending }: Serving): Condition =>
  status === 'False'
    ? condition('Programmed', reason, message)
    : condition('Programmed', pending === undefined ? undefined : 'Pending', pending)
