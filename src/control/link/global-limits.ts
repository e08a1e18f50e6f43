import { heldLimits } from '../model/held-limits.ts'
import type { Gateway, InboundPort, InboundRule, RateLimit, Workload } from '../model/model.ts'

/** Who counts, and under which limits. */
interface Counting {
  readonly workloads: ReadonlyMap<string, Workload>
  readonly gateways: ReadonlyMap<string, Gateway>
}

/** The same, where limits of scope Global know how many instances share their budget: those that hold them, ready or not. */
export function countInstances<C extends Counting>(counting: C): C {
  const instances = new Map<string, number>()
  for (const workload of counting.workloads.values())
    for (const name of new Set(heldLimits(workload, counting.gateways).flatMap(sharedName)))
      instances.set(name, (instances.get(name) ?? 0) + 1)
  if (instances.size === 0) return counting
  const counted = (limits: readonly RateLimit[]): readonly RateLimit[] =>
    limits.map((limit) =>
      limit.instances === undefined ? limit : { ...limit, instances: instances.get(limit.name) ?? 1 },
    )
  return {
    ...counting,
    workloads: new Map(
      Array.from(counting.workloads, ([name, one]) => [name, { ...one, inbound: one.inbound.map(inPort(counted)) }]),
    ),
    gateways: new Map(Array.from(counting.gateways, ([name, one]) => [name, atGateway(one, counted)])),
  }
}

const sharedName = ({ name, instances }: RateLimit): readonly string[] => (instances === undefined ? [] : [name])

type Count = (limits: readonly RateLimit[]) => readonly RateLimit[]

const inPort =
  (counted: Count) =>
  (port: InboundPort): InboundPort => ({
    ...port,
    ...(port.rateLimits && { rateLimits: counted(port.rateLimits) }),
    ...(port.rules && {
      rules: port.rules.map((rule): InboundRule => ({ ...rule, rateLimits: counted(rule.rateLimits) })),
    }),
  })

const atGateway = (gateway: Gateway, counted: Count): Gateway => ({
  ...gateway,
  listeners: gateway.listeners.map((listener) => ({
    ...listener,
    hosts: listener.hosts.map((host) => ({
      ...host,
      rules: host.rules.map((rule) => {
        const { action } = rule
        if (action.kind !== 'forward' || action.rateLimits === undefined) return rule
        return { ...rule, action: { ...action, rateLimits: counted(action.rateLimits) } }
      }),
    })),
  })),
})
