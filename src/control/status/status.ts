import type { Problem } from '../../base/problem.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import { parentOf } from '../link/listener-sets.ts'
import { selects } from '../link/link-policies.ts'
import { nameOf } from '../link/linked.ts'
import { inferredAnnotation, type Entry } from '../inventory/entry.ts'
import { resourcesOf, stateOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { Endpoint, Model } from '../model/model.ts'
import { controllerName } from '../link/gateway-classes.ts'
import { settingsStatus, trafficStatus } from './traffic-status.ts'
import { backendTlsStatus } from './backend-tls-status.ts'
import { condition, sentence } from './condition.ts'
import { gatewayStatus, isOursToJudge } from './gateway-status.ts'
import { listenerSetStatus, orphanStatus } from './listener-set-status.ts'
import { routeStatus } from './route-status.ts'
import { servingOf, type Acknowledged } from './serving.ts'

/** What the status is made from: the moment, what link made of it, and what was wrong with it. */
export interface StatusContext {
  readonly snapshot: InventorySnapshot
  readonly problems: readonly Problem[]
  readonly model: Model
  readonly acknowledged: Acknowledged
}

/**
 * `status` of a resource in force, as people read it; undefined when there is nothing to say. `problems` is there for every kind that
 * has some, one sentence each. Pure; times of transition are left out, so that equal moments have equal statuses.
 */
export function statusOf({ resource }: Entry, context: StatusContext): object | undefined {
  const name = nameOf(resource)
  const problems = context.problems.filter((one) => one.resource === name)
  const status = {
    ...ownStatus(resource, problems, context),
    ...(problems.length === 0 ? {} : { problems: problems.map(sentence) }),
  }
  return Object.keys(status).length === 0 ? undefined : status
}

function ownStatus(resource: Entry['resource'], problems: readonly Problem[], context: StatusContext): object {
  const { snapshot, model } = context
  switch (resource.kind) {
    case 'HTTPRoute':
    case 'GRPCRoute':
    case 'TLSRoute':
    case 'TCPRoute':
    case 'UDPRoute':
      return routeStatus(resource, problems, (ref) => isOursToJudge(ref, resource.metadata.namespace, snapshot))
    case 'GatewayClass':
      return resource.spec.controllerName === controllerName ? { conditions: [condition('Accepted')] } : {}
    case 'Gateway':
      return gatewayStatus(resource, problems, model, servingOf(resource, context))
    case 'ListenerSet':
      return setStatus(resource, problems, context)
    case 'Service':
      return { ...serviceStatus(resource, model), ...settingsStatus(resource, model) }
    case 'ExternalService':
      return { ...externalStatus(resource, model), ...settingsStatus(resource, model) }
    case 'Workload':
      return workloadStatus(resource, snapshot, model)
    case 'PeerAuthentication':
    case 'AuthorizationPolicy':
      return policyStatus(resource, snapshot)
    case 'TrafficPolicy':
      return trafficStatus(resource, problems)
    case 'BackendTLSPolicy':
      return backendTlsStatus(resource, problems, model)
    case 'Namespace':
    case 'ReferenceGrant':
    case 'Secret':
    case 'EndpointSlice':
    case 'ConfigMap':
    case 'MeshConfig':
    case 'VirtualIP':
      return {}
  }
}

function setStatus(set: ResourceOf<'ListenerSet'>, problems: readonly Problem[], context: StatusContext): object {
  const parent = parentOf(set, context.snapshot)
  if (parent === undefined) return orphanStatus(problems)
  const gateway = context.model.gateways.get(`${parent.metadata.namespace}/${parent.metadata.name}`)
  return gateway === undefined ? {} : listenerSetStatus(set, problems, gateway, servingOf(parent, context))
}

/** An instance counts once, however many ports it has; it is ready when clients may be sent to it. */
function serviceStatus({ metadata }: ResourceOf<'Service'>, { services }: Model): object {
  const ports = services.get(`${metadata.namespace}/${metadata.name}`)?.ports ?? []
  const endpoints = ports.flatMap((port) => port.endpoints)
  const ready = endpoints.filter((one) => one.health === 'healthy')
  return {
    endpoints: { ready: instances(ready), total: instances(endpoints) },
    inferred: metadata.annotations[inferredAnnotation] !== undefined,
  }
}
const instances = (endpoints: readonly Endpoint[]): number =>
  new Set(endpoints.map(({ workload, address }) => workload ?? address.host)).size

/** The hosts under which it is reached, and the address that the mesh's DNS gives for them. */
function externalStatus({ metadata }: ResourceOf<'ExternalService'>, { services, virtualIps }: Model): object {
  const key = `${metadata.namespace}/${metadata.name}`
  const hosts = services.get(key)?.external?.hosts
  const virtualIp = virtualIps.get(key)
  return { ...(hosts && { hosts }), ...(hosts && virtualIp !== undefined && { virtualIp }) }
}

/** Only a workload with a sidecar can prove an identity. */
function workloadStatus(workload: ResourceOf<'Workload'>, snapshot: InventorySnapshot, model: Model): object {
  const state = stateOf(workload, snapshot)
  const identity = model.workloads.get(`${workload.metadata.namespace}/${workload.metadata.name}`)?.identity
  return { ready: state === 'ready', state, ...(identity === undefined ? {} : { identity }) }
}

function policyStatus(
  policy: ResourceOf<'PeerAuthentication'> | ResourceOf<'AuthorizationPolicy'>,
  snapshot: InventorySnapshot,
): object {
  const workloads = resourcesOf(snapshot, 'Workload')
    .filter((one) => selects(policy, one, snapshot))
    .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
  if (workloads.length > 0) return { workloads }
  const nobody = condition('Accepted', 'TargetNotFound', 'it selects no workload, so it has no effect now')
  return { workloads, conditions: [nobody] }
}
