import { invalid, list, object, optional, refine, string, unsupported, type Decoder } from '../../base/decode.ts'
import { subdomain } from './names.ts'

/** What a TrafficPolicy can be attached to, from wide to narrow. */
export type TrafficTargetKind =
  | 'MeshConfig'
  | 'Namespace'
  | 'Gateway'
  | 'ExternalService'
  | 'Service'
  | 'HTTPRoute'
  | 'GRPCRoute'

/** One of `spec.targetRefs`, in the policy's own namespace. Source: GEP-713, LocalPolicyTargetReferenceWithSectionName. */
export interface TrafficTarget {
  readonly kind: TrafficTargetKind
  readonly name: string
  /** Of a service the name of a port, of a route that of a rule, of a Gateway that of a listener; absent: all of it. */
  readonly sectionName?: string
}

const groupOf: Readonly<Record<TrafficTargetKind, string>> = {
  MeshConfig: 'weft.dev',
  Namespace: '',
  Gateway: 'gateway.networking.k8s.io',
  ExternalService: 'weft.dev',
  Service: '',
  HTTPRoute: 'gateway.networking.k8s.io',
  GRPCRoute: 'gateway.networking.k8s.io',
}
const kinds = Object.keys(groupOf).toReversed()

interface Written {
  readonly group?: string
  readonly kind: string
  readonly name: string
  readonly sectionName?: string
}

const target: Decoder<TrafficTarget> = refine(
  object<Written>(
    { group: optional(string()), kind: string(), name: subdomain, sectionName: optional(subdomain) },
    { namespace: unsupported('a policy is for its own namespace only; write it there, and remove this') },
  ),
  ({ group, kind: written, name, sectionName }, path, issues) => {
    const before = issues.length
    if (!isTargetKind(written)) {
      issues.push({
        path: `${path}.kind`,
        message: `expected one of ${kinds.join(', ')}, got ${JSON.stringify(written)}`,
      })
      return invalid
    }
    if (group !== undefined && group !== groupOf[written])
      issues.push({
        path: `${path}.group`,
        message: `a ${written} is of group ${JSON.stringify(groupOf[written])}, got ${JSON.stringify(group)}`,
      })
    if (sectionName !== undefined && (written === 'Namespace' || written === 'MeshConfig'))
      issues.push({ path: `${path}.sectionName`, message: `a ${written} has no sections; remove this` })
    if (written === 'MeshConfig' && name !== 'default')
      issues.push({
        path: `${path}.name`,
        message: `there is one MeshConfig, called "default", got ${JSON.stringify(name)}`,
      })
    if (issues.length > before) return invalid
    return { kind: written, name, ...(sectionName === undefined ? {} : { sectionName }) }
  },
)
const isTargetKind = (kind: string): kind is TrafficTargetKind => Object.hasOwn(groupOf, kind)

const sameTarget = (a: TrafficTarget, b: TrafficTarget): boolean =>
  a.kind === b.kind && a.name === b.name && a.sectionName === b.sectionName

/** The field; one target twice is a mistake. */
export const trafficTargets: Decoder<readonly TrafficTarget[]> = refine(
  list(target, { min: 1, max: 16 }),
  (targets, path, issues) => {
    const twice = targets.findIndex((one, index) => targets.findIndex((other) => sameTarget(one, other)) !== index)
    if (twice < 0) return targets
    issues.push({ path: `${path}[${twice}]`, message: 'is there twice' })
    return invalid
  },
)

/** The API group of a target's kind. */
export const targetGroup = (kind: TrafficTargetKind): string => groupOf[kind]
