import { isHttp, isHttp2, isUdp, type AppProtocol } from '../../base/app-protocol.ts'
import type { Problem } from '../../base/problem.ts'
import { namesListeners } from '../decode/parent-ref.ts'
import type { AnyRouteResource as AnyRoute } from '../decode/resource-types.ts'
import type { ServicePortSpec } from '../decode/service.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'
import { findDestination } from './find-destination.ts'
import { declareAs, didYouMean } from './link-backends.ts'
import { conditionAt } from './linked.ts'

const noParent = { type: 'Accepted', reason: 'NoMatchingParent' } as const

const raw = (protocol: AppProtocol): boolean => !isHttp(protocol) && !isUdp(protocol)
/** Which ports of a service routes of each kind are for. */
const portsOf: Readonly<
  Record<AnyRoute['kind'], { readonly fits: (protocol: AppProtocol) => boolean; readonly word: string }>
> = {
  HTTPRoute: { fits: isHttp, word: 'HTTP' },
  GRPCRoute: { fits: isHttp2, word: 'gRPC' },
  TLSRoute: { fits: raw, word: 'raw TCP' },
  TCPRoute: { fits: raw, word: 'raw TCP' },
  UDPRoute: { fits: isUdp, word: 'UDP' },
}

/** The `parentRef` by which a route came to a port. */
export interface Parent {
  readonly field: string
  /** It means no other port. */
  readonly only: boolean
}

/** A port that is there, and speaks something else. */
const otherProtocol = ({ kind }: AnyRoute, { port, protocol }: ServicePortSpec, service: string): string =>
  `port ${port} of ${service} is ${protocol}, so ${kind}s have no effect there; ${declareAs(kind)}`

/** The service ports (`<namespace>/<service>/<port>`) that a route attaches to, each with what says so; what it cannot attach to is a problem. */
export function parentPorts(
  route: AnyRoute,
  snapshot: InventorySnapshot,
  problems: Problem[],
): ReadonlyMap<string, Parent> {
  const ports = new Map<string, Parent>()
  route.spec.parentRefs.forEach((ref, index) => {
    const { kind } = ref
    if (namesListeners(kind)) return
    const field = `spec.parentRefs[${index}]`
    const namespace = ref.namespace ?? route.metadata.namespace
    const service = findDestination(snapshot, { kind, namespace, name: ref.name })
    if (service === undefined) {
      problems.push(
        conditionAt(
          route,
          `${field}.name`,
          noParent,
          `there is no ${kind} ${namespace}/${ref.name}, so the route has no effect there${didYouMean(kind, ref.name, snapshot, namespace)}`,
        ),
      )
      return
    }
    const { fits, word } = portsOf[route.kind]
    const fitting = service.spec.ports.filter((port) => fits(port.protocol))
    const other = service.spec.ports.find((port) => port.port === ref.port && !fits(port.protocol))
    if (other !== undefined) {
      problems.push(
        conditionAt(route, `${field}.port`, noParent, otherProtocol(route, other, `${kind} ${namespace}/${ref.name}`)),
      )
      return
    }
    const named = fitting.filter((port) => ref.sectionName === undefined || port.name === ref.sectionName)
    const chosen = named.filter((port) => ref.port === undefined || port.port === ref.port)
    if (chosen.length === 0) {
      const wrongName = named.length === 0 && ref.sectionName !== undefined
      const wanted = wrongName ? ` named ${ref.sectionName}` : ref.port === undefined ? '' : ` ${ref.port}`
      const offered = (wrongName ? fitting : named).map((port) => (wrongName ? port.name : port.port)).join(', ')
      const undeclared = route.kind === 'GRPCRoute' ? ' (a port is one by appProtocol: grpc)' : ''
      problems.push(
        conditionAt(
          route,
          `${field}.${wrongName ? 'sectionName' : ref.port === undefined ? 'name' : 'port'}`,
          noParent,
          `${kind} ${namespace}/${ref.name} has no ${word} port${wanted}${offered === '' ? '' : `; it has ${offered}`}${undeclared}`,
        ),
      )
    }
    const parent = { field: `${field}.name`, only: chosen.length === 1 }
    for (const port of chosen) ports.set(`${namespace}/${ref.name}/${port.port}`, parent)
  })
  return ports
}
