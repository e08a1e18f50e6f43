import type { Problem } from '../../base/problem.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import { targetGroup } from '../decode/traffic-target.ts'
import type { Model, ServicePort } from '../model/model.ts'
import { condition, sentence } from './condition.ts'
import { controllerName } from '../link/gateway-classes.ts'

/** Per target whether the policy holds there. Source: GEP-713, PolicyAncestorStatus, PolicyConditionReason. */
export function trafficStatus({ spec }: ResourceOf<'TrafficPolicy'>, problems: readonly Problem[]): object {
  return {
    ancestors: spec.targets.map((target, index) => {
      const field = `spec.targetRefs[${index}]`
      const own = problems.filter((one) => one.field === field || one.field.startsWith(`${field}.`))
      return {
        ancestorRef: { group: targetGroup(target.kind), ...target },
        controllerName,
        conditions: [condition('Accepted', own[0] && reasonOf(own[0], field), own.map(sentence).join('. '))],
      }
    }),
  }
}

/** A part of the reference is missing, the reference itself is taken, or it is no good at all. */
function reasonOf({ field, severity }: Problem, reference: string): string {
  if (severity === 'error') return 'Invalid'
  return field === reference ? 'Conflicted' : 'TargetNotFound'
}

/** What holds for each port of a service, as policies made it: by port number, each setting with the policy that gave it. */
export function settingsStatus(service: ResourceOf<'Service' | 'ExternalService'>, { services }: Model): object {
  const ports = services.get(`${service.metadata.namespace}/${service.metadata.name}`)?.ports ?? []
  const lines = ports.flatMap((port) =>
    Object.entries(settingsOf(port)).map(([setting, from]) => ({ port: port.port, setting, from })),
  )
  return lines.length === 0 ? {} : { policies: lines }
}

/** Of the port itself, and of the rule of a Service without routes: what routes inherit stands in their own status. */
function settingsOf({ traffic, enforced, rules, tls }: ServicePort): Readonly<Record<string, string>> {
  const found: Record<string, string> = {}
  const add = (settings: NonNullable<ServicePort['traffic']>['settings'] = {}): void => {
    for (const [setting, { resource, field }] of Object.entries(settings)) found[setting] ??= `${resource} ${field}`
  }
  add(traffic?.settings)
  add(enforced)
  if (tls?.origin !== undefined) add({ tls: tls.origin })
  for (const { name, action } of rules) if (name === 'default' && action.kind === 'forward') add(action.settings)
  return found
}
