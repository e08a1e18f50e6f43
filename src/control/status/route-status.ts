import type { Problem } from '../../base/problem.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import { condition, sentence, type Condition } from './condition.ts'

/** How we are called in `status.parents[]`: we write only what we answer for. */
export const controllerName = 'weft.dev/gateway'

/** Conditions per parent. Source: Gateway API, RouteParentStatus, RouteConditionType and RouteConditionReason. */
export function routeStatus({ spec }: ResourceOf<'HTTPRoute'>, problems: readonly Problem[]): object {
  const resolved = judge('ResolvedRefs', problems, backendReason)
  return {
    parents: spec.parentRefs.map((ref, index) => ({
      parentRef: { group: '', kind: 'Service', ...ref },
      controllerName,
      conditions: [judge('Accepted', problems, parentReason(index)), resolved],
    })),
  }
}

/** The first problem that `reasonOf` knows gives the reason; the message has all of them. */
function judge(type: string, problems: readonly Problem[], reasonOf: (field: string) => string | undefined): Condition {
  const known = problems.filter((one) => reasonOf(one.field) !== undefined)
  return condition(type, known[0] && reasonOf(known[0].field), known.map(sentence).join('. '))
}

const parentReason =
  (index: number) =>
  (field: string): string | undefined => {
    return field.startsWith(`spec.parentRefs[${index}].`) ? 'NoMatchingParent' : undefined
  }

function backendReason(field: string): string | undefined {
  const [, part] =
    /^spec\.rules\[\d+\]\.(?:backendRefs\[\d+\]|filters\[\d+\]\.requestMirror\.backendRef)\.(\w+)$/.exec(field) ?? []
  if (part === undefined) return undefined
  return part === 'namespace' ? 'RefNotPermitted' : 'BackendNotFound'
}
