import { nearest } from '../../base/decode.ts'
import type { Problem } from '../../base/problem.ts'
import { formatSpiffeId } from '../../base/spiffe-id.ts'
import { gatewayGroup } from '../decode/parent-ref.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import { resourcesOf, stateOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { Egress, Endpoint, Gateway } from '../model/model.ts'
import { healthOf } from './link-endpoints.ts'
import { originOf, problemAt, type Linked } from './linked.ts'
import { isGranted } from './reference-grants.ts'

type ExternalService = ResourceOf<'ExternalService'>

interface Context {
  readonly snapshot: InventorySnapshot
  readonly gateways: ReadonlyMap<string, Gateway>
  readonly trustDomain: string
}

/** Who calls the hosts for the others. A Gateway that cannot be used is a problem, and leaves nobody: nothing goes around it. */
export function linkEgress(external: ExternalService, context: Context): Linked<Egress | undefined> {
  const { egressGateway: ref } = external.spec
  if (ref === undefined) return { value: undefined, problems: [] }
  const { snapshot, gateways, trustDomain } = context
  const { name, namespace = external.metadata.namespace } = ref
  const gateway = gateways.get(`${namespace}/${name}`)
  const problem = unusable(external, { name, namespace }, context)
  const port = problem === undefined ? gateway?.mesh[0]?.port : undefined
  return {
    value: {
      gateway: problem === undefined ? `${namespace}/${name}` : '',
      endpoints: gateway === undefined || port === undefined ? [] : instancesOf(gateway, port, snapshot),
      identity: formatSpiffeId({ trustDomain, namespace, serviceAccount: name }),
      origin: originOf(external, 'spec.egressGateway'),
    },
    problems: problem === undefined ? [] : [problem],
  }
}

function unusable(
  external: ExternalService,
  { name, namespace }: { readonly name: string; readonly namespace: string },
  { snapshot, gateways }: Context,
): Problem | undefined {
  const wrong = (field: string, message: string): Problem =>
    problemAt(external, `spec.egressGateway.${field}`, `${message}; until then every call fails`)
  const from = { group: 'weft.dev', kind: 'ExternalService', namespace: external.metadata.namespace }
  if (!isGranted(from, { group: gatewayGroup, kind: 'Gateway', namespace, name }, snapshot))
    return wrong(
      'namespace',
      `no ReferenceGrant in ${namespace} lets an ExternalService of ${from.namespace} refer to Gateway ${name}; write one`,
    )
  const gateway = gateways.get(`${namespace}/${name}`)
  if (gateway === undefined) {
    const names = Array.from(gateways.values()).flatMap((one) => (one.namespace === namespace ? [one.name] : []))
    const near = nearest(name, names)
    const remedy = near === undefined ? ', write one' : ` (did you mean "${near}"?)`
    return wrong('name', `this mesh serves no Gateway ${namespace}/${name}${remedy}`)
  }
  if (gateway.mesh.length > 0) return undefined
  return wrong('name', `Gateway ${namespace}/${name} serves no listener of protocol weft.dev/mesh; add one`)
}

const instancesOf = (
  { namespace, name, addresses }: Gateway,
  port: number,
  snapshot: InventorySnapshot,
): readonly Endpoint[] =>
  resourcesOf(snapshot, 'Workload').flatMap((workload): readonly Endpoint[] => {
    const { metadata, spec } = workload
    if (metadata.namespace !== namespace || spec.gateway?.name !== name) return []
    const { address, portMap } = spec.gateway
    return [
      {
        workload: `${namespace}/${metadata.name}`,
        address: { host: addresses[0] ?? address, port: portMap.get(port) ?? port },
        mtls: true,
        health: healthOf[stateOf(workload, snapshot)],
        weight: spec.weight,
        ...(spec.locality && { locality: spec.locality }),
      },
    ]
  })
