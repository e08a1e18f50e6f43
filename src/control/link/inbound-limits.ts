import { isHttp } from '../../base/app-protocol.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import type { ServicePortSpec } from '../decode/service.ts'
import { ofCallees } from '../decode/traffic-policy.ts'
import { unitMs } from '../decode/traffic-rate-limits.ts'
import type { WorkloadPort } from '../decode/workload.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { AdaptiveConcurrency, InboundPort, RateLimit, ServicePort } from '../model/model.ts'
import { targetOf } from './link-endpoints.ts'
import type { TrafficPolicies, TrafficPolicy } from './link-traffic.ts'
import { originOf } from './linked.ts'
import { belongsTo } from './select-workloads.ts'

type Workload = ResourceOf<'Workload'>

/** What policies for services say to the sidecars of the programs behind them. */
export type InboundLimits = (
  workload: Workload,
  port: WorkloadPort,
) => Pick<InboundPort, 'rateLimits' | 'adaptiveConcurrency'>

/**
 * A port of a program may serve ports of several services, and its sidecar cannot tell by which of them it was called: what is said of
 * any of them holds, a policy that is for several of them once; of several adaptive limits the first Service's.
 */
export function inboundLimits(snapshot: InventorySnapshot, policies: TrafficPolicies): InboundLimits {
  const concerns = ({ spec }: TrafficPolicy): boolean => ofCallees.some((field) => spec[field] !== undefined)
  if (!resourcesOf(snapshot, 'TrafficPolicy').some(concerns)) return () => ({})
  const services = Map.groupBy(resourcesOf(snapshot, 'Service'), ({ metadata }) => metadata.namespace)
  return (workload, port) => {
    if (!isHttp(port.protocol)) return {}
    const own = (services.get(workload.metadata.namespace) ?? []).filter((service) => belongsTo(workload, service))
    const limiting = new Set<TrafficPolicy>()
    const shedding: TrafficPolicy[] = []
    for (const { metadata, spec } of own) {
      for (const served of spec.ports) {
        if (targetOf(workload.spec.ports, served) !== port) continue
        const chain = policies.ofPort(`${metadata.namespace}/${metadata.name}/${served.port}`)
        const limits = decisive(chain, 'rateLimits')
        if (limits !== undefined) limiting.add(limits)
        const sheds = decisive(chain, 'adaptiveConcurrency')
        if (sheds !== undefined) shedding.push(sheds)
      }
    }
    const rateLimits = [...limiting].flatMap(linkRateLimits)
    const [sheds] = shedding
    const adaptiveConcurrency = sheds && linkConcurrency(sheds)
    return { ...(rateLimits.length > 0 && { rateLimits }), ...(adaptiveConcurrency && { adaptiveConcurrency }) }
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

const linkRateLimits = (policy: TrafficPolicy): readonly RateLimit[] =>
  (policy.spec.rateLimits ?? []).map(({ requests, unit, burst, per }, index) => ({
    name: `${policy.metadata.namespace}/${policy.metadata.name}/limit-${index}`,
    requests,
    unitMs: unitMs[unit],
    burst,
    ...(per !== undefined && { per }),
    origin: originOf(policy, `spec.rateLimits[${index}]`),
  }))

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
