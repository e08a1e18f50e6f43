import type { Problem } from '../../base/problem.ts'
import { keyText } from '../decode/resource.ts'
import { unitMs } from '../decode/traffic-rate-limits.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'
import type { RateLimit, RouteRule } from '../model/model.ts'
import { hiddenHeader } from './inbound-rules.ts'
import type { TrafficPolicy } from './link-traffic.ts'
import { originOf, problemAt } from './linked.ts'

/** The limits of one policy, each under a name of its own. */
export const linkRateLimits = (policy: TrafficPolicy): readonly RateLimit[] =>
  (policy.spec.rateLimits ?? []).map(({ requests, unit, burst, per, scope }, index) => ({
    name: `${policy.metadata.namespace}/${policy.metadata.name}/limit-${index}`,
    requests,
    unitMs: unitMs[unit],
    burst,
    ...(per !== undefined && { per }),
    ...(scope === 'Global' && { instances: 1 }),
    origin: originOf(policy, `spec.rateLimits[${index}]`),
  }))

const decisive = (policies: readonly TrafficPolicy[]): TrafficPolicy | undefined =>
  policies.find(({ spec }) => spec.rateLimits !== undefined)

/** A rule with the limits of the first of these policies, which are for it or its route alone, that has any. */
export function withRateLimits(rule: RouteRule, policies: readonly TrafficPolicy[]): RouteRule {
  const { action } = rule
  const policy = decisive(policies)
  if (policy === undefined || action.kind !== 'forward') return rule
  const settings = { ...action.settings, rateLimits: originOf(policy, 'spec.rateLimits') }
  return { ...rule, action: { ...action, rateLimits: linkRateLimits(policy), settings } }
}

/** Why the sidecars of a rule's backends cannot hold its limits; undefined: they can. */
export function limitsProblem(
  rule: RouteRule,
  policies: readonly TrafficPolicy[],
  snapshot: InventorySnapshot,
): Problem | undefined {
  const { name, action } = rule
  const policy = decisive(policies)
  if (policy === undefined || policy.spec.rateLimits?.length === 0 || action.kind !== 'forward') return undefined
  const outside = action.backends.find(({ service = '' }) => isExternal(service, snapshot))?.service
  const hidden = hiddenHeader(rule)
  if (outside === undefined && hidden === undefined) return undefined
  const why =
    outside === undefined
      ? `matches by the header ${hidden} and changes it, so that the sidecars of its backends, which count, do not see which calls are its own; match by something else`
      : `leads to ${outside}, which has no sidecar that could count`
  return problemAt(policy, 'spec.rateLimits', `rule ${name} ${why}`)
}

function isExternal(service: string, { entries }: InventorySnapshot): boolean {
  const [namespace = '', name = ''] = service.split('/')
  return entries.has(keyText({ kind: 'ExternalService', namespace, name }))
}
