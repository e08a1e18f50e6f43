import type { Problem } from '../../base/problem.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type {
  BackendTls,
  Egress,
  Endpoint,
  External,
  Gateway,
  MeshSettings,
  Service,
  ServicePort,
} from '../model/model.ts'
import { isShadowed } from './find-destination.ts'
import { linkEgress } from './link-egress.ts'
import type { BackendTlsPolicies } from './link-backend-tls.ts'
import { portRules, type PortRoutes } from './link-routes.ts'
import type { TrafficPolicies } from './link-traffic.ts'
import { byAge, nameOf, originOf, problemAt, type Linked } from './linked.ts'
import { mergeTraffic } from './merge-settings.ts'

type ExternalService = ResourceOf<'ExternalService'>

/** What has been settled for the whole mesh. */
interface Settled {
  readonly mesh: MeshSettings
  readonly routes: ReadonlyMap<string, PortRoutes>
  readonly policies: TrafficPolicies
  readonly backendTls: BackendTlsPolicies
  readonly gateways: ReadonlyMap<string, Gateway>
  readonly trustDomain: string
}

/** Hosts outside of the mesh as services of the model. Of two that claim a host the older one has it. */
export function linkExternalServices(snapshot: InventorySnapshot, settled: Settled): Linked<readonly Service[]> {
  const problems: Problem[] = []
  const owners = new Map<string, ExternalService>()
  const services = resourcesOf(snapshot, 'ExternalService')
    .toSorted(byAge)
    .flatMap((external): Service[] => {
      const { namespace, name } = external.metadata
      if (isShadowed(external, snapshot)) {
        const message = `there is a Service ${namespace}/${name} too, which has the name; rename this one, it has no effect now`
        problems.push(problemAt(external, 'metadata.name', message))
        return []
      }
      const hosts = external.spec.hosts.filter((host, index) => {
        const owner = owners.get(host)
        if (owner === undefined) owners.set(host, external)
        else
          problems.push(
            problemAt(external, `spec.hosts[${index}]`, `${host} belongs to ${nameOf(owner)}, which is older`),
          )
        return owner === undefined
      })
      // Without a host of its own nobody could name it.
      if (hosts.length === 0) return []
      const egress = linkEgress(external, { ...settled, snapshot })
      problems.push(...egress.problems)
      return [linkExternal(external, { hosts, egress: egress.value }, settled)]
    })
  return { value: services, problems }
}

function linkExternal(
  external: ExternalService,
  { hosts, egress }: { readonly hosts: readonly string[]; readonly egress: Egress | undefined },
  { mesh, routes, policies, backendTls }: Settled,
): Service {
  const { metadata, spec } = external
  const { namespace, name } = metadata
  const ports = spec.ports.map((port, index): ServicePort => {
    const key = `${namespace}/${name}/${port.port}`
    const ofPort = policies.ofPort(key)
    const tls = backendTls.ofPort(external, port.name) ?? (port.tls && linkTls(port.tls))
    return {
      port: port.port,
      name: port.name,
      protocol: port.protocol,
      ...portRules(external, index, routes.get(key), policies),
      endpoints: spec.endpoints.map((endpoint): Endpoint => ({
        workload: undefined,
        address: { host: endpoint.address, port: endpoint.ports[port.name] ?? port.targetPort },
        mtls: false,
        health: 'healthy',
        weight: endpoint.weight,
        ...(endpoint.locality && { locality: endpoint.locality }),
      })),
      identities: [],
      loadBalancing: mesh.loadBalancing,
      ...(tls && { tls }),
      ...mergeTraffic(ofPort, port, policies.failoverFor(external, port.port)),
      origin: originOf(external, `spec.ports[${index}]`),
    }
  })
  return {
    namespace,
    name,
    ports,
    external: { hosts, resolution: resolutions[spec.resolution], ...(egress && { egress }) },
    origin: originOf(external, 'spec'),
  }
}

const resolutions = { Static: 'static', DNS: 'dns', None: 'none' } as const satisfies Record<
  ExternalService['spec']['resolution'],
  External['resolution']
>

const linkTls = ({
  sni,
  caCertificates: pem,
}: NonNullable<ExternalService['spec']['ports'][number]['tls']>): BackendTls => ({
  sni,
  names: [{ kind: 'dns', value: sni }],
  trust: pem === 'System' ? 'system' : { pem },
})
