import type { Problem } from '../../base/problem.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import { destinationGroups, destinationKind, type BackendObjectRef } from '../decode/service-ref.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'
import { findDestination, type Destination } from './find-destination.ts'
import { didYouMean } from './link-backends.ts'
import { problemAt } from './linked.ts'
import { isGranted } from './reference-grants.ts'

/** The port of a service that a policy names at `field`, which is there; or why it cannot be used. */
export function policyBackend(
  policy: ResourceOf<'TrafficPolicy'>,
  { ref, field }: { readonly ref: BackendObjectRef; readonly field: string },
  snapshot: InventorySnapshot,
): { readonly destination: Destination; readonly port: number } | Problem {
  const { namespace: own } = policy.metadata
  const refuse = (part: string, message: string, remedy = ''): Problem =>
    problemAt(policy, `${field}.${part}`, `${message}, so it has no effect${remedy}`)
  const kind = destinationKind(ref)
  if (kind === undefined)
    return refuse(
      'kind',
      `${JSON.stringify(ref.kind)} of group ${JSON.stringify(ref.group)} is neither a Service nor an ExternalService`,
    )
  const { namespace = own, name } = ref
  const what = `${kind} ${namespace}/${name}`
  const from = { group: 'weft.dev', kind: 'TrafficPolicy', namespace: own }
  if (!isGranted(from, { group: destinationGroups[kind], kind, namespace, name }, snapshot))
    return refuse('namespace', `no ReferenceGrant in ${namespace} lets TrafficPolicies of ${own} refer to ${what}`)
  const destination = findDestination(snapshot, { kind, namespace, name })
  if (destination === undefined)
    return refuse('name', `there is no ${what}`, didYouMean(kind, name, snapshot, namespace))
  if (destination.spec.ports.some(({ port }) => port === ref.port)) return { destination, port: ref.port }
  const has = destination.spec.ports.map((one) => one.port).join(', ')
  return refuse('port', `${what} has no port ${ref.port} (it has ${has})`)
}
