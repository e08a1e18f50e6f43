import type { Problem } from '../../base/problem.ts'
import type { BackendTlsTarget } from '../decode/backend-tls-policy.ts'
import { gatewayGroup } from '../decode/parent-ref.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import { destinationGroups } from '../decode/service-ref.ts'
import { controllerName } from '../link/gateway-classes.ts'
import type { Gateway, Model } from '../model/model.ts'
import { judge } from './condition.ts'

/** Of a policy's status. Source: Gateway API, PolicyStatus. */
const mostAncestors = 16

/**
 * Whether the policy holds for each Gateway that leads to its targets, and for the targets themselves: the mesh's own calls go by it
 * as well. Source: GEP-713, PolicyAncestorStatus.
 */
export function backendTlsStatus(
  { metadata, spec }: ResourceOf<'BackendTLSPolicy'>,
  problems: readonly Problem[],
  model: Model,
): object {
  const { namespace } = metadata
  const about = (indexes: readonly number[]): readonly Problem[] =>
    problems.filter(({ field }) => {
      const [, index] = /^spec\.targetRefs\[(\d+)\]/.exec(field) ?? []
      return index === undefined || indexes.includes(Number(index))
    })
  const entry = (ancestorRef: object, indexes: readonly number[]): object => ({
    ancestorRef,
    controllerName,
    conditions: [judge('Accepted', about(indexes)), judge('ResolvedRefs', about(indexes))],
  })
  const leading = gatewaysLeadingTo(model)
  const byGateway = new Map<Gateway, number[]>()
  spec.targets.forEach(({ name }, index) => {
    for (const gateway of leading.get(`${namespace}/${name}`) ?? []) {
      const own = byGateway.get(gateway)
      if (own === undefined) byGateway.set(gateway, [index])
      else own.push(index)
    }
  })
  const gateways = Array.from(byGateway, ([gateway, indexes]) => entry(gatewayRef(gateway), indexes))
  const targets = spec.targets.map((target, index) => entry(targetRef(target), [index]))
  return { ancestors: [...gateways, ...targets].slice(0, mostAncestors) }
}

const gatewayRef = ({ namespace, name }: Gateway): object => ({ group: gatewayGroup, kind: 'Gateway', namespace, name })

const targetRef = ({ kind, name, sectionName }: BackendTlsTarget): object => ({
  group: destinationGroups[kind],
  kind,
  name,
  ...(sectionName === undefined ? {} : { sectionName }),
})

/** The Gateways whose routes lead to a service, by `<namespace>/<name>` of the service; worked out once for a model. */
function gatewaysLeadingTo(model: Model): ReadonlyMap<string, ReadonlySet<Gateway>> {
  let known = leadingTo.get(model)
  if (known === undefined) {
    const found = new Map<string, Set<Gateway>>()
    for (const gateway of model.gateways.values()) {
      for (const service of servicesOf(gateway)) {
        let there = found.get(service)
        if (there === undefined) found.set(service, (there = new Set()))
        there.add(gateway)
      }
    }
    leadingTo.set(model, (known = found))
  }
  return known
}
const leadingTo = new WeakMap<Model, ReadonlyMap<string, ReadonlySet<Gateway>>>()

const servicesOf = ({ listeners, streams }: Gateway): readonly string[] => [
  ...listeners.flatMap(({ hosts }) =>
    hosts.flatMap(({ rules }) =>
      rules.flatMap(({ action }) =>
        action.kind === 'forward'
          ? [...action.backends, ...(action.mirrors ?? [])].flatMap(({ service }) => service ?? [])
          : [],
      ),
    ),
  ),
  ...streams.flatMap(({ hosts }) =>
    hosts.flatMap(({ split }) => split.backends.flatMap(({ service }) => service ?? [])),
  ),
]
