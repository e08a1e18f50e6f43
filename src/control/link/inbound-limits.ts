import { isHttp } from '../../base/app-protocol.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import type { ServicePortSpec } from '../decode/service.ts'
import { unitMs } from '../decode/traffic-rate-limits.ts'
import type { WorkloadPort } from '../decode/workload.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { InboundPort, RateLimit, ServicePort } from '../model/model.ts'
import { targetOf } from './link-endpoints.ts'
import type { TrafficPolicies, TrafficPolicy } from './link-traffic.ts'
import { originOf } from './linked.ts'
import { belongsTo } from './select-workloads.ts'

type Workload = ResourceOf<'Workload'>

/** What policies for services say to the sidecars of the programs behind them. */
export type InboundLimits = (workload: Workload, port: WorkloadPort) => Pick<InboundPort, 'rateLimits'>

/**
 * A port of a program may serve ports of several services, and its sidecar cannot tell by which of them it was called: what is said of
 * any of them holds, a policy that is for several of them once.
 */
export function inboundLimits(snapshot: InventorySnapshot, policies: TrafficPolicies): InboundLimits {
  if (!resourcesOf(snapshot, 'TrafficPolicy').some(({ spec }) => spec.rateLimits !== undefined)) return () => ({})
  const services = Map.groupBy(resourcesOf(snapshot, 'Service'), ({ metadata }) => metadata.namespace)
  return (workload, port) => {
    if (!isHttp(port.protocol)) return {}
    const own = (services.get(workload.metadata.namespace) ?? []).filter((service) => belongsTo(workload, service))
    const limiting = new Set<TrafficPolicy>()
    for (const { metadata, spec } of own) {
      for (const served of spec.ports) {
        if (targetOf(workload.spec.ports, served) !== port) continue
        const decisive = limitingPolicy(policies.ofPort(`${metadata.namespace}/${metadata.name}/${served.port}`))
        if (decisive !== undefined) limiting.add(decisive)
      }
    }
    const rateLimits = [...limiting].flatMap(linkRateLimits)
    return rateLimits.length === 0 ? {} : { rateLimits }
  }
}

/** Of these policies, the narrowest first, the one whose rate limits hold. */
const limitingPolicy = (policies: readonly TrafficPolicy[]): TrafficPolicy | undefined =>
  policies.find(({ spec }) => spec.rateLimits !== undefined)

const linkRateLimits = (policy: TrafficPolicy): readonly RateLimit[] =>
  (policy.spec.rateLimits ?? []).map(({ requests, unit, burst, per }, index) => ({
    name: `${policy.metadata.namespace}/${policy.metadata.name}/limit-${index}`,
    requests,
    unitMs: unitMs[unit],
    burst,
    ...(per !== undefined && { per }),
    origin: originOf(policy, `spec.rateLimits[${index}]`),
  }))

/** For the status of a service's port: the policy that limits it. */
export function enforcedAt(
  { protocol }: ServicePortSpec,
  policies: readonly TrafficPolicy[],
): Pick<ServicePort, 'enforced'> {
  const decisive = isHttp(protocol) ? limitingPolicy(policies) : undefined
  return decisive === undefined ? {} : { enforced: { rateLimits: originOf(decisive, 'spec.rateLimits') } }
}
