import type { ResourceOf } from '../decode/resource-types.ts'
import { keyText } from '../decode/resource.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'
import { addressFor } from '../inventory/virtual-ips.ts'
import type { Endpoint, Service, ServicePort, Traffic } from '../model/model.ts'
import { identityOf } from './link-endpoints.ts'
import { portRules } from './link-routes.ts'
import type { TrafficPolicies } from './link-traffic.ts'

/** What is known beside the Service itself. */
interface Context {
  readonly snapshot: InventorySnapshot
  readonly trustDomain: string
  readonly policies: TrafficPolicies
}

/**
 * Every instance of a headless Service as a service of its own, called `<instance>.<service>`: without routes, since who names an
 * instance wants that one, and never ejected or failed over, since there is no other. Source: Kubernetes, "DNS for Services and Pods".
 */
export function linkInstances(
  resource: ResourceOf<'Service'>,
  { ports, ...service }: Service,
  { snapshot, trustDomain, policies }: Context,
): readonly Service[] {
  const instances = new Map<string, ServicePort[]>()
  ports.forEach((port, index) => {
    for (const [label, endpoints] of Map.groupBy(port.endpoints, labelOf)) {
      const name = `${label}.${service.name}`
      let own = instances.get(name)
      if (own === undefined) instances.set(name, (own = []))
      const { consumerRules: _none, ...rest } = port
      own.push({
        ...rest,
        ...portRules(resource, index, undefined, policies, name),
        endpoints,
        identities: identitiesOf(endpoints, snapshot, trustDomain),
        traffic: { ...port.traffic, settings: ofOne(port.traffic), outlierDetection: false, failover: false },
      })
    }
  })
  return Array.from(instances, ([name, own]) => ({ ...service, name, ports: own }))
}

/** Without what means nothing for a single endpoint. */
const ofOne = ({ settings = {} }: Partial<Traffic> = {}): Traffic['settings'] =>
  Object.fromEntries(Object.entries(settings).filter(([name]) => !/^(?:failover|outlierDetection)\b/.test(name)))

/** Workloads by their name, others by their address, as one label. */
const labelOf = ({ workload, address }: Endpoint): string =>
  (workload?.split('/')[1] ?? address.host).replaceAll(/[.:]/g, '-')

/** Of those with a sidecar: one, since a workload's name is its own. */
function identitiesOf(endpoints: readonly Endpoint[], snapshot: InventorySnapshot, trustDomain: string): string[] {
  return endpoints.flatMap(({ workload = '', mtls }) => {
    const [namespace = '', name = ''] = workload.split('/')
    const found = mtls ? snapshot.entries.get(keyText({ kind: 'Workload', namespace, name }))?.resource : undefined
    return found?.kind === 'Workload' ? [identityOf(found, trustDomain)] : []
  })
}

/**
 * The addresses of everything in the mesh's DNS: those that services were given, and for each instance (`<namespace>/<instance>.<service>`)
 * one that follows from its name, while it is ready. Headless Services have none, whatever they had before.
 */
export function addressesWith(
  instances: ReadonlyMap<ResourceOf<'Service'>, readonly Service[]>,
  given: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  if (instances.size === 0) return given
  const all = new Map(given)
  for (const { metadata } of instances.keys()) all.delete(`${metadata.namespace}/${metadata.name}`)
  const taken = new Set(given.values())
  for (const [{ spec }, services] of instances)
    for (const { namespace, name, ports } of services) {
      const address = addressFor(`${namespace}/${name}`, (one) => taken.has(one))
      taken.add(address)
      const ready = ports.some((port) => port.endpoints.some(({ health }) => health === 'healthy'))
      if (ready || spec.headless?.publishNotReady === true) all.set(`${namespace}/${name}`, address)
    }
  return all
}
