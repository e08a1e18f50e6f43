import { isUdp } from '../../base/app-protocol.ts'
import { formatAddress } from '../../base/address.ts'
import type { Problem } from '../../base/problem.ts'
import { formatSpiffeId } from '../../base/spiffe-id.ts'
import { stateOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import type { ServicePortSpec } from '../decode/service.ts'
import { onlyHttpPort, type WorkloadPort } from '../decode/workload.ts'
import type { Endpoint } from '../model/model.ts'
import { mtlsMode } from './link-policies.ts'
import { problemAt, type Linked } from './linked.ts'
import { sliceEndpoints } from './slice-endpoints.ts'
import { workloadsOf } from './select-workloads.ts'

type Workload = ResourceOf<'Workload'>
type Service = ResourceOf<'Service'>

/** The SPIFFE ID that a workload's certificate carries. */
export const identityOf = ({ metadata, spec }: Workload, trustDomain: string): string =>
  formatSpiffeId({ trustDomain, namespace: metadata.namespace, serviceAccount: spec.serviceAccount })

/**
 * The port of a workload that a service port points at: by name ("http" also means the only HTTP port), or by number: first the number that the workload offers
 * (`servicePort`, since two instances on one machine listen on different ones), then the program's own.
 */
export function targetOf(ports: readonly WorkloadPort[], { targetPort }: ServicePortSpec): WorkloadPort | undefined {
  if (typeof targetPort === 'string') {
    return ports.find((one) => one.name === targetPort) ?? (targetPort === 'http' ? onlyHttpPort(ports) : undefined)
  }
  return ports.find((one) => one.servicePort === targetPort) ?? ports.find((one) => one.targetPort === targetPort)
}

/** One port of a service. */
interface Port {
  readonly spec: ServicePortSpec
  readonly index: number
  /** Callers open the TLS of the program itself: sidecars let it through, and nothing is proven to them. */
  readonly tls: boolean
}

/** Endpoints and the identities that they may have, for one port of a service. */
export function linkEndpoints(
  service: Service,
  port: Port,
  { snapshot, trustDomain }: { snapshot: InventorySnapshot; trustDomain: string },
): Linked<{ readonly endpoints: readonly Endpoint[]; readonly identities: readonly string[] }> {
  const workloads = workloadsOf(service, snapshot)
  const problems: Problem[] = []
  const endpoints: Endpoint[] = []
  const identities = new Set<string>()
  for (const workload of workloads) {
    const target = targetOf(workload.spec.ports, port.spec)
    if (target === undefined) continue
    if (target.protocol !== port.spec.protocol && !port.tls)
      problems.push(protocolsDiffer(service, port, workload, target))
    // Nobody there hears what is sent.
    if (isUdp(target.protocol) !== isUdp(port.spec.protocol)) continue
    const address = target.inbound ?? { host: workload.spec.address ?? '', port: target.targetPort }
    const offers = target.inbound !== undefined && mtlsMode(workload, target.targetPort, snapshot).mode !== 'disable'
    const mtls = offers && !port.tls
    const key = `${workload.metadata.namespace}/${workload.metadata.name}`
    endpoints.push({
      workload: key,
      address,
      mtls,
      health: healthOf[stateOf(workload, snapshot)],
      weight: workload.spec.weight,
      ...(workload.spec.locality && { locality: workload.spec.locality }),
      ...(mtls && several(workload.spec.workers)),
    })
    if (mtls) identities.add(identityOf(workload, trustDomain))
  }
  endpoints.push(...sliceEndpoints(service, port.spec, snapshot, ownAddresses(endpoints, workloads, port.spec)))
  if (workloads.length > 0 && endpoints.length === 0) {
    const offered = [
      ...new Set(workloads.flatMap((one) => one.spec.ports.map(({ name, servicePort }) => `${servicePort} (${name})`))),
    ]
    const remedy =
      offered.length === 0 ? 'none of its workloads has a port' : `its workloads offer ${offered.join(', ')}`
    problems.push(
      problemAt(
        service,
        `spec.ports[${port.index}].targetPort`,
        `no workload has the port ${port.spec.targetPort}; ${remedy}`,
      ),
    )
  }
  return { value: { endpoints, identities: [...identities].toSorted((a, b) => (a < b ? -1 : 1)) }, problems }
}

const several = (workers = 1): Pick<Endpoint, 'workers'> => (workers > 1 ? { workers } : {})

/** Where the workloads are, with their sidecars' listeners and their programs' own ports. */
const ownAddresses = (
  endpoints: readonly Endpoint[],
  workloads: readonly Workload[],
  spec: ServicePortSpec,
): ReadonlySet<string> =>
  new Set([
    ...endpoints.map(({ address }) => formatAddress(address)),
    ...workloads.flatMap(({ spec: { address: host, ports } }) => {
      const target = targetOf(ports, spec)
      return host === undefined || target === undefined ? [] : [formatAddress({ host, port: target.targetPort })]
    }),
  ])

function protocolsDiffer(
  service: Service,
  { spec, index }: Port,
  { metadata }: Workload,
  target: WorkloadPort,
): Problem {
  const theirs = `workload ${metadata.namespace}/${metadata.name} serves its port ${target.name} as ${target.protocol}`
  const message = `the port is ${spec.protocol}, but ${theirs}; declare ${isUdp(target.protocol) ? 'protocol: UDP' : `appProtocol: ${target.protocol}`} here, or ${spec.protocol} there (weft run --port ${target.targetPort}/${spec.protocol})`
  return problemAt(service, `spec.ports[${index}]`, message)
}

/** How an instance in a state is offered. */
export const healthOf = { ready: 'healthy', 'not-ready': 'unhealthy', draining: 'draining' } as const
