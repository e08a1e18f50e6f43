import { nearest } from '../../base/decode.ts'
import type { Problem } from '../../base/problem.ts'
import type { PolicyTarget } from '../decode/policy-target.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { AuthorizationRule, PortAuthorization } from '../model/model.ts'
import { belongsTo, findService, hasLabels } from './select-workloads.ts'
import { linkAuthorization } from './link-authorization.ts'
import { byAge, nameOf, problemAt, rootNamespace } from './linked.ts'

type Workload = ResourceOf<'Workload'>
type Authentication = ResourceOf<'PeerAuthentication'>
type Authorization = ResourceOf<'AuthorizationPolicy'>
type Policy = Authentication | Authorization

/** How far a policy reaches: the narrower wins where they differ. */
type Reach = 'workload' | 'namespace' | 'mesh'
/** By what it targets, and whether it stands in the root namespace. */
export function reachOf({ metadata, spec }: Policy): Reach {
  if (spec.target.services.length > 0 || Object.keys(spec.target.matchLabels).length > 0) return 'workload'
  return metadata.namespace === rootNamespace ? 'mesh' : 'namespace'
}

/** Whether a policy is for this workload. Source: Istio, WorkloadSelector: a selector in the root namespace reaches all namespaces. */
export function selects({ metadata, spec }: Policy, workload: Workload, snapshot: InventorySnapshot): boolean {
  if (metadata.namespace !== rootNamespace && metadata.namespace !== workload.metadata.namespace) return false
  return targets(spec.target, metadata.namespace, workload, snapshot)
}

function targets(
  { matchLabels, services }: PolicyTarget,
  namespace: string,
  workload: Workload,
  snapshot: InventorySnapshot,
): boolean {
  if (services.length === 0) return hasLabels(workload, Object.entries(matchLabels))
  return services.some((name) => {
    const service = findService(snapshot, namespace, name)
    return service !== undefined && belongsTo(workload, service)
  })
}

type Mode = 'strict' | 'permissive' | 'disable'
const modeOf = { STRICT: 'strict', PERMISSIVE: 'permissive', DISABLE: 'disable' } as const

/**
 * What a port takes: the port's own word, else its workload's, its namespace's, the mesh's; PERMISSIVE when nobody says. Of several
 * policies that reach equally far only the oldest is asked. Source: Istio, PeerAuthentication.
 */
export function mtlsMode(
  workload: Workload,
  targetPort: number,
  snapshot: InventorySnapshot,
): { readonly mode: Mode; readonly from: Authentication | undefined; readonly field: string } {
  const policies = authenticationsOf(workload, snapshot)
  const oldest = (reach: Reach): Authentication | undefined => policies.find((one) => reachOf(one) === reach)
  const own = oldest('workload')
  const portMode = own?.spec.portModes.get(targetPort) ?? 'UNSET'
  if (portMode !== 'UNSET') return { mode: modeOf[portMode], from: own, field: `spec.portLevelMtls.${targetPort}` }
  for (const policy of [own, oldest('namespace'), oldest('mesh')]) {
    if (policy !== undefined && policy.spec.mode !== 'UNSET')
      return { mode: modeOf[policy.spec.mode], from: policy, field: 'spec.mtls.mode' }
  }
  return { mode: 'permissive', from: undefined, field: '' }
}

const authenticationsOf = (workload: Workload, snapshot: InventorySnapshot): readonly Authentication[] =>
  resourcesOf(snapshot, 'PeerAuthentication')
    .toSorted(byAge)
    .filter((one) => selects(one, workload, snapshot))

/** All rules that hold for a workload, by action, oldest policy first. */
export function authorizationOf(
  workload: Workload,
  { snapshot, trustDomain }: { snapshot: InventorySnapshot; trustDomain: string },
): PortAuthorization {
  const policies = resourcesOf(snapshot, 'AuthorizationPolicy')
    .toSorted(byAge)
    .filter((one) => selects(one, workload, snapshot))
  const rulesOf = (action: Authorization['spec']['action']): readonly AuthorizationRule[] =>
    policies.filter((one) => one.spec.action === action).flatMap((one) => linkAuthorization(one, trustDomain))
  return {
    deny: rulesOf('DENY'),
    allow: rulesOf('ALLOW'),
    allowPresent: policies.some((one) => one.spec.action === 'ALLOW'),
    audit: rulesOf('AUDIT'),
  }
}

/** Policies that are for nobody, and two that contradict each other. */
export function policyProblems(snapshot: InventorySnapshot): readonly Problem[] {
  const workloads = resourcesOf(snapshot, 'Workload')
  const policies: readonly Policy[] = [
    ...resourcesOf(snapshot, 'PeerAuthentication'),
    ...resourcesOf(snapshot, 'AuthorizationPolicy'),
  ]
  const idle = policies
    .filter((policy) => reachOf(policy) === 'workload' && !workloads.some((one) => selects(policy, one, snapshot)))
    .map((policy) => selectsNothing(policy, snapshot))
  return [...idle, ...missingServices(policies, snapshot), ...contradictions(snapshot)]
}

function selectsNothing(policy: Policy, snapshot: InventorySnapshot): Problem {
  const { matchLabels, services } = policy.spec.target
  if (services.length > 0)
    return problemAt(policy, 'spec.targetRefs', 'no workload runs for the Services it targets, so it has no effect now')
  const [key = '', value = ''] = Object.entries(matchLabels)[0] ?? []
  const near = nearest(
    value,
    resourcesOf(snapshot, 'Workload').flatMap((one) => one.metadata.labels[key] ?? []),
  )
  const remedy = near === undefined ? '' : `; did you mean ${key}=${near}?`
  return problemAt(
    policy,
    'spec.selector.matchLabels',
    `no workload has these labels, so it has no effect now${remedy}`,
  )
}

function missingServices(policies: readonly Policy[], snapshot: InventorySnapshot): readonly Problem[] {
  return policies.flatMap((policy) => {
    const names = resourcesOf(snapshot, 'Service')
      .filter((one) => one.metadata.namespace === policy.metadata.namespace)
      .map((one) => one.metadata.name)
    return policy.spec.target.services.flatMap((name, index) => {
      if (names.includes(name)) return []
      const near = nearest(name, names)
      const remedy = near === undefined ? '' : `; did you mean "${near}"?`
      return [
        problemAt(
          policy,
          `spec.targetRefs[${index}].name`,
          `there is no Service ${policy.metadata.namespace}/${name}${remedy}`,
        ),
      ]
    })
  })
}

/** Two PeerAuthentications that reach equally far: the older one holds. */
function contradictions(snapshot: InventorySnapshot): readonly Problem[] {
  const wide = resourcesOf(snapshot, 'PeerAuthentication')
    .filter((one) => reachOf(one) !== 'workload')
    .toSorted(byAge)
  const rivals = [...Map.groupBy(wide, (one) => one.metadata.namespace).values()]
  for (const workload of resourcesOf(snapshot, 'Workload'))
    rivals.push(authenticationsOf(workload, snapshot).filter((one) => reachOf(one) === 'workload'))
  const olderOf = new Map<Authentication, Authentication>()
  for (const [oldest, ...younger] of rivals)
    for (const one of younger) if (oldest !== undefined && !olderOf.has(one)) olderOf.set(one, oldest)
  return [...olderOf].map(([policy, older]) =>
    problemAt(policy, 'spec', `${nameOf(older)} is older and holds for the same workloads; remove one of them`),
  )
}
