import type { Problem } from '../../base/problem.ts'
import type { Origin } from '../model/model.ts'
import { formatKey } from '../decode/resource.ts'
import type { Resource } from '../decode/resource-types.ts'

/** A translation's two results: what could be made, and what was wrong with the rest. */
export interface Linked<T> {
  readonly value: T
  readonly problems: readonly Problem[]
}

/** "HTTPRoute default/reviews". */
export const nameOf = ({ kind, metadata }: Resource): string =>
  formatKey({ kind, namespace: metadata.namespace, name: metadata.name })

/** Which resource and field caused a part of the model. */
export const originOf = (resource: Resource, field: string): Origin => ({
  resource: nameOf(resource),
  field,
  revision: resource.metadata.resourceVersion,
})

/** A problem of a field, with file and line where they are known. */
export function problemAt(
  resource: Resource,
  field: string,
  message: string,
  severity: Problem['severity'] = 'warning',
): Problem {
  const place = resource.placeOf?.(field)
  return { severity, resource: nameOf(resource), field, message, ...(place === undefined ? {} : { place }) }
}

/** The same, and what it does to a condition of the resource's status. */
export const conditionAt = (
  resource: Resource,
  field: string,
  condition: NonNullable<Problem['condition']>,
  message: string,
): Problem => ({ ...problemAt(resource, field, message), condition })

/** Oldest first, then by namespace and name: who wins when two say different things. Source: Gateway API, "Conflicts". */
export function byAge(a: Resource, b: Resource): number {
  const left = [a.metadata.creationTimestamp || '9', a.metadata.namespace, a.metadata.name]
  const right = [b.metadata.creationTimestamp || '9', b.metadata.namespace, b.metadata.name]
  const at = left.findIndex((part, index) => part !== right[index])
  return at < 0 ? 0 : (left[at] ?? '') < (right[at] ?? '') ? -1 : 1
}

/** Workloads of the policy's reach in the root namespace are those of the whole mesh. Source: Istio, "root namespace". */
export const rootNamespace = 'weft-system'
