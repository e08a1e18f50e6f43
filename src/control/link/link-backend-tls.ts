import { nearest } from '../../base/decode.ts'
import type { Problem } from '../../base/problem.ts'
import type { BackendTlsTarget, BackendTlsValidation } from '../decode/backend-tls-policy.ts'
import { keyText } from '../decode/resource.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { BackendTls } from '../model/model.ts'
import { findAuthorities } from './authorities.ts'
import { findDestination, type Destination } from './find-destination.ts'
import { didYouMean } from './link-backends.ts'
import { targetOf } from './link-endpoints.ts'
import { mtlsMode } from './link-policies.ts'
import { byAge, conditionAt, nameOf, originOf, problemAt, type Linked } from './linked.ts'
import { workloadsOf } from './select-workloads.ts'

type Policy = ResourceOf<'BackendTLSPolicy'>

/** Which ports callers speak TLS to, and how: all BackendTLSPolicies. */
export interface BackendTlsPolicies {
  /** Undefined: no policy is for this port. */
  ofPort(service: Destination, portName: string): BackendTls | undefined
}

/**
 * Settles which policies are in force: that of a port before that of its service, of two for one thing the older. One that nobody can
 * be believed by holds all the same: nobody is believed. Source: Gateway API, BackendTLSPolicy and GEP-713.
 */
export function linkBackendTls(snapshot: InventorySnapshot): Linked<BackendTlsPolicies> {
  const problems: Problem[] = []
  const byTarget = new Map<string, { readonly policy: Policy; readonly tls: BackendTls }>()
  for (const policy of resourcesOf(snapshot, 'BackendTLSPolicy').toSorted(byAge)) {
    const tls = tlsOf(policy, snapshot, problems)
    policy.spec.targets.forEach((target, index) => {
      const field = `spec.targetRefs[${index}]`
      const found = targetProblems(policy, target, field, snapshot)
      problems.push(...found)
      const key = targetKey(policy.metadata.namespace, target)
      const older = byTarget.get(key)
      if (older === undefined) byTarget.set(key, { policy, tls })
      else problems.push(conflict(policy, older.policy, field))
    })
  }
  return {
    value: {
      ofPort({ kind, metadata: { namespace, name } }, sectionName) {
        if (byTarget.size === 0) return undefined
        const found =
          byTarget.get(targetKey(namespace, { kind, name, sectionName })) ??
          byTarget.get(targetKey(namespace, { kind, name }))
        return found?.tls
      },
    },
    problems,
  }
}

const targetKey = (namespace: string, { kind, name, sectionName = '' }: BackendTlsTarget): string =>
  `${kind}/${namespace}/${name}/${sectionName}`

function tlsOf(policy: Policy, snapshot: InventorySnapshot, problems: Problem[]): BackendTls {
  const { validation } = policy.spec
  return {
    sni: validation.hostname,
    names: namesOf(validation),
    trust: trustOf(policy, validation.authorities, snapshot, problems),
    origin: originOf(policy, 'spec.validation'),
  }
}

function namesOf({ hostname, subjectAltNames }: BackendTlsValidation): BackendTls['names'] {
  if (subjectAltNames.length === 0) return [{ kind: 'dns', value: hostname }]
  return subjectAltNames.map((one) =>
    one.type === 'Hostname' ? { kind: 'dns', value: one.hostname } : { kind: 'uri', value: one.uri },
  )
}

const reasons = { kind: 'InvalidKind', content: 'InvalidCACertificateRef', 'not-permitted': 'InvalidCACertificateRef' }

/** All authorities that can be read; with none of them nobody is believed. */
function trustOf(
  policy: Policy,
  authorities: BackendTlsValidation['authorities'],
  snapshot: InventorySnapshot,
  problems: Problem[],
): BackendTls['trust'] {
  if (authorities === 'System') return 'system'
  const field = 'spec.validation.caCertificateRefs'
  const pems = authorities.flatMap((ref, index) => {
    const found = findAuthorities(policy, ref, snapshot)
    if ('pem' in found) return [found.pem]
    const condition = { type: 'ResolvedRefs', reason: reasons[found.why] }
    problems.push(conditionAt(policy, `${field}[${index}]${found.part}`, condition, found.message))
    return []
  })
  if (pems.length > 0) return { pem: pems.join('') }
  const message = 'nobody vouches for the backend, so calls to it are answered with 503'
  problems.push(conditionAt(policy, field, { type: 'Accepted', reason: 'NoValidCACertificate' }, message))
  return 'nobody'
}

const conflict = (policy: Policy, older: Policy, field: string): Problem =>
  conditionAt(
    policy,
    field,
    { type: 'Accepted', reason: 'Conflicted' },
    `${nameOf(older)} is older and holds for the same, so this one has no effect there; remove one of them`,
  )

/** What is wrong with a target, or keeps calls from getting there. */
function targetProblems(
  policy: Policy,
  { kind, name, sectionName }: BackendTlsTarget,
  field: string,
  snapshot: InventorySnapshot,
): readonly Problem[] {
  const { namespace } = policy.metadata
  const missing = (part: string, message: string): Problem =>
    conditionAt(policy, `${field}.${part}`, { type: 'Accepted', reason: 'TargetNotFound' }, message)
  const service = findDestination(snapshot, { kind, namespace, name })
  if (service === undefined) {
    const remedy = didYouMean(kind, name, snapshot, namespace)
    return [missing('name', `there is no ${kind} ${namespace}/${name}, so the policy has no effect there${remedy}`)]
  }
  const names = service.spec.ports.map((port) => port.name)
  if (sectionName !== undefined && !names.includes(sectionName)) {
    const near = nearest(sectionName, names)
    const remedy = near === undefined ? ` (it has ${names.join(', ')})` : `; did you mean "${near}"?`
    const message = `${kind} ${namespace}/${name} has no port ${sectionName}, so the policy has no effect there${remedy}`
    return [missing('sectionName', message)]
  }
  if (service.kind === 'ExternalService') {
    if (service.spec.resolution !== 'None') return []
    const message = `${kind} ${namespace}/${name} has resolution None: connections go on to where they were going, and nobody can speak TLS for them; say Static or DNS there`
    return [problemAt(policy, `${field}.name`, message, 'error')]
  }
  return strictWorkloads(policy, service, { sectionName, field }, snapshot)
}

/** Sidecars that take mesh mTLS alone refuse the TLS of their program. */
function strictWorkloads(
  policy: Policy,
  service: ResourceOf<'Service'>,
  { sectionName, field }: { readonly sectionName: string | undefined; readonly field: string },
  snapshot: InventorySnapshot,
): readonly Problem[] {
  const ports = service.spec.ports.filter((port) => sectionName === undefined || port.name === sectionName)
  for (const workload of workloadsOf(service, snapshot)) {
    for (const port of ports) {
      const target = targetOf(workload.spec.ports, port)
      if (target?.inbound === undefined) continue
      const { mode, from } = mtlsMode(workload, target.targetPort, snapshot)
      if (mode !== 'strict') continue
      const by = from === undefined ? '' : ` (${nameOf(from)})`
      const message = `the sidecar of workload ${workload.metadata.namespace}/${workload.metadata.name} takes mesh mTLS only${by}, so calls there fail; make port ${target.targetPort} PERMISSIVE, or remove this policy: between sidecars everything is encrypted without it`
      return [problemAt(policy, `${field}.name`, message)]
    }
  }
  return []
}

/**
 * The same snapshot where the ports of these policies are what is spoken in their TLS: requests can be routed, since callers open it.
 * gRPC needs HTTP/2, which TLS negotiates: where a GRPCRoute leads, that is spoken.
 */
export function insideTls(snapshot: InventorySnapshot, policies: BackendTlsPolicies): InventorySnapshot {
  if (resourcesOf(snapshot, 'BackendTLSPolicy').length === 0) return snapshot
  const grpc = grpcBackends(snapshot)
  const changed = resourcesOf(snapshot, 'Service').flatMap((service) => {
    const { namespace, name } = service.metadata
    const ports = service.spec.ports.map((port) => {
      if (policies.ofPort(service, port.name) === undefined) return port
      const inside = port.insideTls ?? port.protocol
      return { ...port, protocol: inside === 'http' && grpc.has(`${namespace}/${name}/${port.port}`) ? 'grpc' : inside }
    })
    const same = ports.every(({ protocol }, index) => protocol === service.spec.ports[index]?.protocol)
    return same ? [] : [{ ...service, spec: { ...service.spec, ports } }]
  })
  if (changed.length === 0) return snapshot
  const entries = new Map(snapshot.entries)
  for (const resource of changed) {
    const key = keyText({ kind: 'Service', namespace: resource.metadata.namespace, name: resource.metadata.name })
    const entry = entries.get(key)
    if (entry !== undefined) entries.set(key, { ...entry, resource })
  }
  return { ...snapshot, entries }
}

/** `<namespace>/<service>/<port>` of all that GRPCRoutes lead to. */
const grpcBackends = (snapshot: InventorySnapshot): ReadonlySet<string> =>
  new Set(
    resourcesOf(snapshot, 'GRPCRoute').flatMap(({ metadata, spec }) =>
      spec.rules.flatMap(({ backendRefs }) =>
        backendRefs.map((ref) => `${ref.namespace ?? metadata.namespace}/${ref.name}/${ref.port}`),
      ),
    ),
  )
