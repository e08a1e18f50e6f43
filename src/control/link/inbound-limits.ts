import { isHttp } from '../../base/app-protocol.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import type { ServicePortSpec } from '../decode/service.ts'
import { ofCallees } from '../decode/traffic-policy.ts'
import type { WorkloadPort } from '../decode/workload.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { AdaptiveConcurrency, InboundPort, ServicePort } from '../model/model.ts'
import type { Limiters } from './external-limits.ts'
import { inboundRules, type LeadingRules, type WrittenRule } from './inbound-rules.ts'
import { targetOf } from './link-endpoints.ts'
import { linkRateLimits } from './link-rate-limits.ts'
import type { TrafficPolicies, TrafficPolicy } from './link-traffic.ts'
import { originOf } from './linked.ts'
import { belongsTo } from './select-workloads.ts'

type Workload = ResourceOf<'Workload'>

/** What policies for services say to the sidecars of the programs behind them. */
export type InboundLimits = (
  workload: Workload,
  port: WorkloadPort,
) => Pick<InboundPort, 'rateLimits' | 'rules' | 'externalLimit' | 'adaptiveConcurrency'>

/**
 * A port of a program may serve ports of several services, and its sidecar cannot tell by which of them it was called: what is said of
 * any of them holds, a policy that is for several of them once; of several adaptive or external limits the first Service's. What routes say of
 * their rules takes the place of limits for the calls of those.
 */
export function inboundLimits(
  snapshot: InventorySnapshot,
  policies: TrafficPolicies,
  { leading, limiters }: { readonly leading: LeadingRules; readonly limiters: Limiters },
): InboundLimits {
  const concerns = ({ spec }: TrafficPolicy): boolean => ofCallees.some((field) => spec[field] !== undefined)
  if (!resourcesOf(snapshot, 'TrafficPolicy').some(concerns)) return () => ({})
  const services = Map.groupBy(resourcesOf(snapshot, 'Service'), ({ metadata }) => metadata.namespace)
  return (workload, port) => {
    if (!isHttp(port.protocol)) return {}
    const own = (services.get(workload.metadata.namespace) ?? []).filter((service) => belongsTo(workload, service))
    const limiting = new Set<TrafficPolicy>()
    const shedding: TrafficPolicy[] = []
    const routed: WrittenRule[] = []
    const asking: TrafficPolicy[] = []
    for (const { metadata, spec } of own) {
      for (const served of spec.ports) {
        if (targetOf(workload.spec.ports, served) !== port) continue
        const key = `${metadata.namespace}/${metadata.name}/${served.port}`
        const chain = policies.ofPort(key)
        routed.push(...(leading.get(key) ?? []))
        const limits = decisive(chain, 'rateLimits')
        if (limits !== undefined) limiting.add(limits)
        const asks = decisive(chain, 'externalRateLimit')
        if (asks !== undefined) asking.push(asks)
        const sheds = decisive(chain, 'adaptiveConcurrency')
        if (sheds !== undefined) shedding.push(sheds)
      }
    }
    const rateLimits = [...limiting].flatMap(linkRateLimits)
    const [sheds] = shedding
    const adaptiveConcurrency = sheds && linkConcurrency(sheds)
    const externalLimit = (asking[0] && limiters(asking[0])) || undefined
    const rules = inboundRules(routed, { rateLimits, externalLimit })
    return {
      ...(rateLimits.length > 0 && { rateLimits }),
      ...(rules.length > 0 && { rules }),
      ...(externalLimit && { externalLimit }),
      ...(adaptiveConcurrency && { adaptiveConcurrency }),
    }
  }
}

/** Of these policies, the narrowest first, the one that says something of it. */
const decisive = (policies: readonly TrafficPolicy[], field: (typeof ofCallees)[number]): TrafficPolicy | undefined =>
  policies.find(({ spec }) => spec[field] !== undefined)

function linkConcurrency(policy: TrafficPolicy): AdaptiveConcurrency | undefined {
  const { adaptiveConcurrency: said } = policy.spec
  if (said === undefined || said === false) return undefined
  const { minConcurrency, maxConcurrency, latencyPercentile, baselineRequests } = said
  return {
    minConcurrency,
    maxConcurrency,
    latencyPercentile,
    updateMs: said.updateInterval,
    baselineIntervalMs: said.baselineInterval,
    baselineRequests,
    tolerancePercent: said.tolerance,
    origin: originOf(policy, 'spec.adaptiveConcurrency'),
  }
}

/** For the status of a service's port: the policies that its programs' sidecars enforce. */
export function enforcedAt(
  { protocol }: ServicePortSpec,
  policies: readonly TrafficPolicy[],
): Pick<ServicePort, 'enforced'> {
  if (!isHttp(protocol)) return {}
  const enforced = ofCallees.flatMap((field) => {
    const policy = decisive(policies, field)
    return policy === undefined ? [] : [[field, originOf(policy, `spec.${field}`)] as const]
  })
  return enforced.length === 0 ? {} : { enforced: Object.fromEntries(enforced) }
}
