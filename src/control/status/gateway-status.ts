import type { Problem } from '../../base/problem.ts'
import type { ListenerSpec } from '../decode/gateway.ts'
import { gatewayGroup, type ParentRef } from '../decode/parent-ref.ts'
import { keyText } from '../decode/resource.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'
import { isOurGateway } from '../link/gateway-classes.ts'
import type { Gateway, Model } from '../model/model.ts'
import { condition, judge, sentence, type Condition } from './condition.ts'

/** Whether we answer for a route at this parent: it is a Service, a Gateway of ours, or not there. */
export function isOursToJudge(ref: ParentRef, own: string, snapshot: InventorySnapshot): boolean {
  const { kind, namespace = own, name } = ref
  const parent = snapshot.entries.get(keyText({ kind, namespace, name }))?.resource
  return parent?.kind !== 'Gateway' || isOurGateway(parent, snapshot) === true
}

/** Conditions of a Gateway and of each listener. Source: Gateway API, GatewayStatus, GatewayConditionType and ListenerConditionType. */
export function gatewayStatus(
  { metadata, spec }: ResourceOf<'Gateway'>,
  problems: readonly Problem[],
  { gateways }: Model,
  serving: Serving,
): object {
  const gateway = gateways.get(`${metadata.namespace}/${metadata.name}`)
  if (gateway === undefined) return {}
  const own = problems.filter(({ field }) => !field.startsWith('spec.listeners['))
  const listeners = spec.listeners.map((one, index) => {
    const about = problems.filter(({ field }) => field.startsWith(`spec.listeners[${index}].`))
    return listenerStatus(one, about, gateway, serving)
  })
  const accepted = acceptance(own, listeners)
  return {
    addresses: serving.addresses.map((value) => ({ type: 'IPAddress', value })),
    conditions: [accepted, programmed(accepted, serving)],
    listeners,
  }
}

/** The instances that serve a Gateway now. */
export interface Serving {
  /** IP addresses where an instance listens: sorted, unique. */
  readonly addresses: readonly string[]
  /** Why nobody serves it as it is written; undefined: somebody does. */
  readonly pending: string | undefined
  /** Of the condition then; absent: Pending. */
  readonly reason?: 'AddressNotUsable' | 'Pending'
}

interface ListenerStatus {
  readonly name: string
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[]
  readonly attachedRoutes: number
  /** `Accepted` is the first. */
  readonly conditions: readonly Condition[]
}

/** With one good listener a Gateway is accepted, and its reason tells of the others. */
function acceptance(own: readonly Problem[], listeners: readonly ListenerStatus[]): Condition {
  const accepted = judge('Accepted', own)
  const bad = listeners.filter(({ conditions }) => conditions[0]?.status === 'False')
  if (accepted.status === 'False' || bad.length === 0) return accepted
  const message = `not accepted: ${bad.map(({ name }) => name).join(', ')}`
  const status = bad.length < listeners.length ? 'True' : 'False'
  return { type: 'Accepted', status, reason: 'ListenersNotValid', message }
}

function programmed(accepted: Condition, { pending, reason = 'Pending' }: Serving): Condition {
  if (accepted.status === 'False') return condition('Programmed', 'Invalid', 'the Gateway is not accepted')
  return pending === undefined ? condition('Programmed') : condition('Programmed', reason, pending)
}

function listenerStatus(
  { name }: ListenerSpec,
  problems: readonly Problem[],
  { attachments, listeners, streams }: Gateway,
  { pending }: Serving,
): ListenerStatus {
  const { kinds, routes } = attachments.get(name) ?? { kinds: [], routes: 0 }
  const serves = [...listeners, ...streams].some((one) => one.name === name)
  const why = serves ? (pending === undefined ? undefined : 'Pending') : 'Invalid'
  const accepted = judge('Accepted', problems)
  const conflict = accepted.reason.endsWith('Conflict')
  return {
    name,
    supportedKinds: kinds.map((kind) => ({ group: gatewayGroup, kind })),
    attachedRoutes: routes,
    conditions: [
      accepted,
      condition('Programmed', why, serves ? (pending ?? '') : problems.map(sentence).join('. ')),
      judge('ResolvedRefs', problems),
      conflict
        ? { ...accepted, type: 'Conflicted', status: 'True' }
        : { type: 'Conflicted', status: 'False', reason: 'NoConflicts', message: '' },
    ],
  }
}
