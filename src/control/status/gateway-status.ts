import type { Problem } from '../../base/problem.ts'
import { namesListeners, type ParentRef } from '../decode/parent-ref.ts'
import { keyText } from '../decode/resource.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'
import { isOurGateway } from '../link/gateway-classes.ts'
import { parentOf } from '../link/listener-sets.ts'
import type { Model } from '../model/model.ts'
import { condition, judge, type Condition } from './condition.ts'
import { acceptance, besidesListeners, listenerStatuses } from './listener-status.ts'
import type { Serving } from './serving.ts'

/** Whether we answer for a route at this parent: it is a Service, listeners of a Gateway of ours, or not there. */
export function isOursToJudge(ref: ParentRef, own: string, snapshot: InventorySnapshot): boolean {
  const { kind, namespace = own, name } = ref
  if (!namesListeners(kind)) return true
  const parent = snapshot.entries.get(keyText({ kind, namespace, name }))?.resource
  const gateway = parent?.kind === 'ListenerSet' ? parentOf(parent, snapshot) : parent
  return gateway?.kind !== 'Gateway' || isOurGateway(gateway, snapshot) === true
}

/** Conditions of a Gateway and of each listener. Source: Gateway API, GatewayStatus and GatewayConditionType. */
export function gatewayStatus(
  resource: ResourceOf<'Gateway'>,
  problems: readonly Problem[],
  { gateways }: Model,
  serving: Serving,
): object {
  const { metadata } = resource
  const gateway = gateways.get(`${metadata.namespace}/${metadata.name}`)
  if (gateway === undefined) return {}
  const listeners = listenerStatuses(resource, problems, gateway, serving)
  const good = new Set(listeners.filter(({ conditions }) => conditions[0]?.status === 'True').map(({ name }) => name))
  const accepted = acceptance(judge('Accepted', besidesListeners(problems)), listeners, (name) => good.has(name))
  return {
    addresses: serving.addresses.map((value) => ({ type: 'IPAddress', value })),
    conditions: [accepted, programmed(accepted, serving), ...tlsConditions(resource, problems)],
    listeners,
    ...(gateway.listenerSets.length > 0 && { attachedListenerSets: gateway.listenerSets.length }),
  }
}

/** Of what `spec.tls` says; who does not use it has no such conditions. */
function tlsConditions({ spec: { tls } }: ResourceOf<'Gateway'>, problems: readonly Problem[]): readonly Condition[] {
  const { default: wide, perPort = [] } = tls?.frontend ?? {}
  const insecure = [wide, ...perPort.map(({ validation }) => validation)].some(
    (one) => one?.mode === 'AllowInsecureFallback',
  )
  return [
    ...(tls?.clientCertificate === undefined ? [] : [judge('ResolvedRefs', besidesListeners(problems))]),
    ...(insecure ? [insecureMode] : []),
  ]
}

const insecureMode: Condition = {
  type: 'InsecureFrontendValidationMode',
  status: 'True',
  reason: 'ConfigurationChanged',
  message: 'mode AllowInsecureFallback lets clients in that show no good certificate',
}

function programmed(accepted: Condition, { pending, reason = 'Pending' }: Serving): Condition {
  if (accepted.status === 'False') return condition('Programmed', 'Invalid', 'the Gateway is not accepted')
  return pending === undefined ? condition('Programmed') : condition('Programmed', reason, pending)
}
