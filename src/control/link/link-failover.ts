import { isHttp, isHttp2, isUdp, type AppProtocol } from '../../base/app-protocol.ts'
import type { Problem } from '../../base/problem.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'
import type { Failover } from '../model/model.ts'
import type { Destination } from './find-destination.ts'
import { problemAt } from './linked.ts'
import { policyBackend } from './policy-backends.ts'

type Policy = ResourceOf<'TrafficPolicy'>

/** A port that policies may send calls to, or from. */
export interface FailoverPort {
  readonly service: string
  readonly port: number
  readonly protocol: AppProtocol
  /** Why neither its calls can go to another service, nor another's here; undefined: they can. */
  readonly unfit: string | undefined
}

/** What a policy names, or why it cannot be used: told once for each policy, not for each port that it is for. */
export function failoverTarget(policy: Policy, snapshot: InventorySnapshot): FailoverPort | Problem | undefined {
  const { failover } = policy.spec
  if (failover === undefined || failover === false) return undefined
  const field = 'spec.failover.backendRef'
  const found = policyBackend(policy, { ref: failover.backendRef, field }, snapshot)
  if ('message' in found) return found
  const port = portOf(found.destination, found.port)
  const what = `${found.destination.kind} ${port?.service}`
  if (port?.unfit === undefined) return port
  return problemAt(policy, `${field}.name`, `${what} ${port.unfit}, so it has no effect`)
}

/** A port of a service, as failover sees it. */
export function portOf(destination: Destination, number: number): FailoverPort | undefined {
  const { kind, metadata, spec } = destination
  const port = spec.ports.find((one) => one.port === number)
  return (
    port && {
      service: `${metadata.namespace}/${metadata.name}`,
      port: number,
      protocol: port.protocol,
      unfit: kind === 'Service' ? undefined : unfit(spec, number),
    }
  )
}

/** Endpoints of two services are one list: known by address, and called alike. */
function unfit(
  { resolution, ports, egressGateway }: ResourceOf<'ExternalService'>['spec'],
  number: number,
): string | undefined {
  if (resolution !== 'Static') return `has resolution ${resolution}, and only Static has addresses`
  if (egressGateway !== undefined) return 'is called through a gateway, which other endpoints are not'
  return ports.some(({ port, tls }) => port === number && tls !== undefined)
    ? 'is called by TLS that the mesh speaks, which other endpoints do not'
    : undefined
}

/** What takes over for `port`; undefined: nothing, since it is the port itself, or speaks otherwise. */
export const failoverOf = (port: FailoverPort, to: FailoverPort): Failover | undefined =>
  port.unfit === undefined && isAlike(port, to) && (port.service !== to.service || port.port !== to.port)
    ? { service: to.service, port: to.port }
    : undefined

const isAlike = (a: FailoverPort, b: FailoverPort): boolean =>
  isHttp(a.protocol) === isHttp(b.protocol) &&
  isUdp(a.protocol) === isUdp(b.protocol) &&
  isHttp2(a.protocol) === isHttp2(b.protocol)

/** Why a policy's failover does nothing for any of these ports; undefined: for one of them it does. */
export function failsOverNowhere(
  destination: Destination,
  section: string | undefined,
  to: FailoverPort,
): string | undefined {
  const ports = destination.spec.ports
    .filter(({ name }) => section === undefined || name === section)
    .flatMap(({ port }) => portOf(destination, port) ?? [])
  if (ports.some((port) => failoverOf(port, to) !== undefined)) return undefined
  const [hindered] = ports.flatMap((port) => port.unfit ?? [])
  if (hindered !== undefined) return `it ${hindered}`
  const alike = ports.filter((port) => isAlike(port, to))
  return alike.length > 0
    ? 'a service cannot take over for itself'
    : `${to.service} speaks ${to.protocol} on port ${to.port}, and none of its ports does`
}
