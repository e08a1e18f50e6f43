import type { Problem } from '../../base/problem.ts'
import type { AnyRouteResource } from '../decode/resource-types.ts'
import { controllerName } from '../link/gateway-classes.ts'
import { judge } from './condition.ts'

/** Conditions per parent: we write only what we answer for. Source: Gateway API, RouteParentStatus, RouteConditionType and RouteConditionReason. */
export function routeStatus(
  { spec }: AnyRouteResource,
  problems: readonly Problem[],
  isOurs: (ref: AnyRouteResource['spec']['parentRefs'][number]) => boolean,
): object {
  const resolved = judge('ResolvedRefs', problems)
  return {
    parents: spec.parentRefs.flatMap((ref, index) => {
      if (!isOurs(ref)) return []
      const own = problems.filter(({ field }) => field.startsWith(`spec.parentRefs[${index}].`))
      return [{ parentRef: ref, controllerName, conditions: [judge('Accepted', own), resolved] }]
    }),
  }
}
