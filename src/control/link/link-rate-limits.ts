import type { Problem } from '../../base/problem.ts'
import { keyText } from '../decode/resource.ts'
import { unitMs } from '../decode/traffic-rate-limits.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'
import type { RateLimit, RouteRule } from '../model/model.ts'
import type { Limiters } from './external-limits.ts'
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

/** What policies say of calls by number, and of whom to ask about them. */
const limiting = ['rateLimits', 'externalRateLimit'] as const

const decisive = (policies: readonly TrafficPolicy[], field: (typeof limiting)[number]): TrafficPolicy | undefined =>
  policies.find(({ spec }) => spec[field] !== undefined)

/** A rule with the limits, and the limiter, of the first of these policies that says something of it. */
export function withLimits(rule: RouteRule, policies: readonly TrafficPolicy[], limiters: Limiters): RouteRule {
  const { action } = rule
  const [counts, asks] = limiting.map((field) => decisive(policies, field))
  if ((counts ?? asks) === undefined || action.kind !== 'forward') return rule
  const settings = {
    ...action.settings,
    ...(counts && { rateLimits: originOf(counts, 'spec.rateLimits') }),
    ...(asks && { externalRateLimit: originOf(asks, 'spec.externalRateLimit') }),
  }
  const rateLimits = counts && linkRateLimits(counts)
  const externalLimit = asks && limiters(asks)
  return {
    ...rule,
    action: {
      ...action,
      ...(rateLimits && { rateLimits }),
      ...(externalLimit !== undefined && { externalLimit }),
      settings,
    },
  }
}

/** Why the sidecars of a rule's backends cannot hold its limits; empty: they can. */
export function limitsProblems(
  rule: RouteRule,
  policies: readonly TrafficPolicy[],
  snapshot: InventorySnapshot,
): readonly Problem[] {
  const { name, action } = rule
  const said = limiting.flatMap((field) => {
    const policy = decisive(policies, field)
    const one = policy?.spec[field]
    return policy === undefined || one === false || (Array.isArray(one) && one.length === 0) ? [] : [{ policy, field }]
  })
  if (said.length === 0 || action.kind !== 'forward') return []
  const outside = action.backends.find(({ service = '' }) => isExternal(service, snapshot))?.service
  const hidden = hiddenHeader(rule)
  if (outside === undefined && hidden === undefined) return []
  const why =
    outside === undefined
      ? `matches by the header ${hidden} and changes it, so that the sidecars of its backends, which count, do not see which calls are its own; match by something else`
      : `leads to ${outside}, which has no sidecar that could count`
  return said.map(({ policy, field }) => problemAt(policy, `spec.${field}`, `rule ${name} ${why}`))
}

function isExternal(service: string, { entries }: InventorySnapshot): boolean {
  const [namespace = '', name = ''] = service.split('/')
  return entries.has(keyText({ kind: 'ExternalService', namespace, name }))
}
