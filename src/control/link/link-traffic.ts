import { isHttp } from '../../base/app-protocol.ts'
import { nearest } from '../../base/decode.ts'
import type { Problem } from '../../base/problem.ts'
import type { ResourceOf, RouteResource } from '../decode/resource-types.ts'
import { ofCallees } from '../decode/traffic-policy.ts'
import type { TrafficTarget } from '../decode/traffic-target.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { Failover } from '../model/model.ts'
import { destinationNamed, findDestination, type Destination } from './find-destination.ts'
import { failoverOf, failoverTarget, failsOverNowhere, portOf, type FailoverPort } from './link-failover.ts'
import { checksNowhere } from './health-checks.ts'
import { didYouMean } from './link-backends.ts'
import { byAge, nameOf, problemAt, rootNamespace, type Linked } from './linked.ts'
import { besideOlder, type Contest } from './shared-target.ts'

/** A policy that is in force somewhere. */
export type TrafficPolicy = ResourceOf<'TrafficPolicy'>

/** Which policies hold where, the narrowest first: of several that say one thing, the first one counts. Source: GEP-713, "Hierarchy". */
export interface TrafficPolicies {
  /** `port`: `<namespace>/<service>/<port>`. Of the port, its Service, its namespace, the mesh. */
  readonly ofPort: (port: string) => readonly TrafficPolicy[]
  /** What a policy says of who takes over for this port. */
  failoverFor(service: Destination, port: number): (policy: TrafficPolicy) => Failover | false | undefined
  /** Of a namespace and the mesh. */
  ofNamespace(namespace: string): readonly TrafficPolicy[]
  /** Of a listener of the Gateway's own (undefined: of a ListenerSet's) and the Gateway alone. */
  ofGateway(gateway: ResourceOf<'Gateway'>, listener: string | undefined): readonly TrafficPolicy[]
  /** Of the rule and its route alone. */
  ofRule(route: RouteResource, rule: string | undefined): readonly TrafficPolicy[]
}

/** Settles what of which policies is in force; the rest are problems. */
export function linkTrafficPolicies(snapshot: InventorySnapshot): Linked<TrafficPolicies> {
  /** Of policies for one target the oldest first, each with what older ones leave of it. */
  const byTarget = new Map<string, readonly TrafficPolicy[]>()
  const problems: Problem[] = []
  const failovers = new Map<TrafficPolicy, FailoverPort>()
  for (const policy of resourcesOf(snapshot, 'TrafficPolicy').toSorted(byAge)) {
    const failover = failoverTarget(policy, snapshot)
    if (failover !== undefined && 'message' in failover) problems.push(failover)
    else if (failover !== undefined) failovers.set(policy, failover)
    policy.spec.targets.forEach((target, index) => {
      const field = `spec.targetRefs[${index}]`
      const problem = targetProblem(policy, target, field, { snapshot, failover: failovers.get(policy) })
      if (problem !== undefined) problems.push(problem)
      const key = targetKey(policy.metadata.namespace, target)
      const olders = byTarget.get(key) ?? []
      const { held, contests, isEmpty } = besideOlder(policy, olders)
      for (const contest of contests) problems.push(conflict(policy, contest, { target, field, isEmpty }))
      byTarget.set(key, [...olders, held])
      if (held.spec.failover !== undefined && failover !== undefined && !('message' in failover))
        failovers.set(held, failover)
    })
  }
  const at = (keys: readonly string[]): readonly TrafficPolicy[] => keys.flatMap((key) => byTarget.get(key) ?? [])
  return {
    value: {
      ofPort(port) {
        if (byTarget.size === 0) return []
        const [namespace = '', name = '', number = ''] = port.split('/')
        const found = destinationNamed(snapshot, namespace, name)
        const section = found?.spec.ports.find((one) => one.port === Number(number))
        const service: TrafficTarget = { kind: found?.kind ?? 'Service', name }
        return at([
          targetKey(namespace, { ...service, sectionName: section?.name ?? '' }),
          targetKey(namespace, service),
          ...wideKeys(namespace),
        ])
      },
      failoverFor(service, number) {
        const port = portOf(service, number)
        return (policy) => {
          if (policy.spec.failover === false) return false
          const to = failovers.get(policy)
          return port && to && failoverOf(port, to)
        }
      },
      ofNamespace: (namespace) => at(wideKeys(namespace)),
      ofGateway: ({ metadata }, listener) => at(narrowKeys(metadata.namespace, 'Gateway', metadata.name, listener)),
      ofRule: ({ kind, metadata }, rule) => at(narrowKeys(metadata.namespace, kind, metadata.name, rule)),
    },
    problems,
  }
}

const wideKeys = (namespace: string): readonly string[] => [
  targetKey(namespace, { kind: 'Namespace', name: namespace }),
  targetKey(rootNamespace, { kind: 'MeshConfig', name: 'default' }),
]

/** The section before the whole. */
const narrowKeys = (
  namespace: string,
  kind: TrafficTarget['kind'],
  name: string,
  section: string | undefined,
): readonly string[] => [
  ...(section === undefined ? [] : [targetKey(namespace, { kind, name, sectionName: section })]),
  targetKey(namespace, { kind, name }),
]

const targetKey = (namespace: string, { kind, name, sectionName = '' }: TrafficTarget): string =>
  `${kind}/${namespace}/${name}/${sectionName}`

/** "rule canary of HTTPRoute default/web", for people. */
function targetName(namespace: string, { kind, name, sectionName }: TrafficTarget): string {
  const whole = kind === 'Namespace' || kind === 'MeshConfig' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`
  if (sectionName === undefined) return whole
  return `${sectionOf[kind] ?? 'port'} ${sectionName} of ${whole}`
}

const sectionOf: { readonly [Kind in TrafficTarget['kind']]?: string } = {
  Gateway: 'listener',
  HTTPRoute: 'rule',
  GRPCRoute: 'rule',
}

function conflict(
  policy: TrafficPolicy,
  { older, settings }: Contest,
  { target, field, isEmpty }: { readonly target: TrafficTarget; readonly field: string; readonly isEmpty: boolean },
): Problem {
  const rest = isEmpty ? 'nothing of it is left there: put both into one' : 'its other settings hold'
  return problemAt(
    policy,
    field,
    `${nameOf(older)} is older and decides ${settings.join(', ')} for ${targetName(policy.metadata.namespace, target)}, whatever this one says; ${rest}`,
  )
}

function targetProblem(
  policy: TrafficPolicy,
  target: TrafficTarget,
  field: string,
  { snapshot, failover }: { readonly snapshot: InventorySnapshot; readonly failover: FailoverPort | undefined },
): Problem | undefined {
  const { namespace } = policy.metadata
  const { kind, name, sectionName } = target
  const missing = (part: string, message: string, remedy = ''): Problem =>
    problemAt(policy, `${field}.${part}`, `${message}, so the policy has no effect there${remedy}`)
  switch (kind) {
    case 'MeshConfig':
      if (namespace === rootNamespace) return undefined
      return problemAt(policy, field, `only a policy in namespace ${rootNamespace} may be for the whole mesh`, 'error')
    case 'Namespace':
      if (name !== namespace)
        return problemAt(policy, `${field}.name`, `a policy of ${namespace} may be for that namespace only`, 'error')
      if (resourcesOf(snapshot, 'Service').some((one) => one.metadata.namespace === name)) return undefined
      return missing('name', `there is no Service in namespace ${name}`)
    case 'Service':
    case 'ExternalService': {
      const service = findDestination(snapshot, { kind, namespace, name })
      if (service === undefined)
        return missing('name', `there is no ${kind} ${namespace}/${name}`, didYouMean(kind, name, snapshot, namespace))
      const wrong = wrongSection(service.spec.ports.map((port) => port.name))
      const why = wrong === undefined ? checksNowhere(policy.spec, service, sectionName) : undefined
      const meaningless = (part: string, because: string): Problem =>
        problemAt(policy, part, `means nothing for ${targetName(namespace, target)}: ${because}`)
      if (why !== undefined) return meaningless('spec.healthChecks', why)
      const ports = service.spec.ports.filter((port) => sectionName === undefined || port.name === sectionName)
      const deaf = ports.length > 0 && !ports.some((port) => isHttp(port.protocol))
      const field = ofCallees.find((one) => policy.spec[one] !== undefined)
      if (deaf && field !== undefined)
        return problemAt(
          policy,
          `spec.${field}`,
          `is for requests, and ${targetName(namespace, target)} has no HTTP port, so it has no effect there`,
        )
      const never = wrong === undefined && failover && failsOverNowhere(service, sectionName, failover)
      return never ? meaningless('spec.failover', never) : wrong
    }
    case 'Gateway': {
      const gateways = resourcesOf(snapshot, 'Gateway').filter((one) => one.metadata.namespace === namespace)
      const gateway = gateways.find((one) => one.metadata.name === name)
      const names = gateways.map((one) => one.metadata.name)
      if (gateway === undefined) return missing('name', `there is no Gateway ${namespace}/${name}`, orNear(name, names))
      const { listeners } = gateway.spec
      const wrong = wrongSection(listeners.map((one) => one.name))
      const meant = listeners.filter((one) => sectionName === undefined || one.name === sectionName)
      const deaf = meant.length > 0 && !meant.some(({ protocol }) => protocol === 'HTTP' || protocol === 'HTTPS')
      return deaf && wrong === undefined
        ? problemAt(
            policy,
            field,
            `is for requests, and ${targetName(namespace, target)} takes none, so the policy has no effect there`,
          )
        : wrong
    }
    case 'HTTPRoute':
    case 'GRPCRoute': {
      const routes = resourcesOf<'HTTPRoute' | 'GRPCRoute'>(snapshot, kind).filter(
        (one) => one.metadata.namespace === namespace,
      )
      const route = routes.find((one) => one.metadata.name === name)
      const names = routes.map((one) => one.metadata.name)
      if (route === undefined) return missing('name', `there is no ${kind} ${namespace}/${name}`, orNear(name, names))
      return wrongSection(route.spec.rules.flatMap((rule) => rule.name ?? []))
    }
  }

  function wrongSection(known: readonly string[]): Problem | undefined {
    if (sectionName === undefined || known.includes(sectionName)) return undefined
    const what = sectionOf[kind] ?? 'port'
    return missing(
      'sectionName',
      `${kind} ${namespace}/${name} has no ${what} ${sectionName}`,
      orNear(sectionName, known),
    )
  }
}

function orNear(name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  return near === undefined ? '' : `; did you mean "${near}"?`
}
