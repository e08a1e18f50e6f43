import { isHttp } from '../../base/app-protocol.ts'
import type { Problem } from '../../base/problem.ts'
import { namesListeners } from '../decode/parent-ref.ts'
import type { RouteResource as Route } from '../decode/resource-types.ts'
import type { RouteRule, ServicePort } from '../model/model.ts'
import type { Destination } from './find-destination.ts'
import type { WrittenRule } from './inbound-rules.ts'
import { limitsProblems, withLimits } from './link-rate-limits.ts'
import { inOrder, type Attaching } from './link-rules.ts'
import type { NamedRule } from './named-rule.ts'
import { parentPorts, type Parent } from './parent-ports.ts'
import { mergeRecovery } from './merge-settings.ts'
import type { PortStreams } from './link-service-streams.ts'
import type { TrafficPolicies } from './link-traffic.ts'
import { conditionAt, nameOf, originOf, problemAt, type Linked } from './linked.ts'

/** The rules of one service port, each list in order of precedence. */
export interface PortRoutes {
  /** Of routes in the Service's own namespace, for all callers; empty: there are none. */
  readonly producer: readonly RouteRule[]
  /** By namespace: of routes there, which take the place of the others for callers from there. */
  readonly consumers: ReadonlyMap<string, readonly RouteRule[]>
  /** Of a port for raw bytes, in the place of both. */
  readonly streams?: PortStreams
  /** All of them, for those who take the calls. */
  readonly written: readonly WrittenRule[]
}

/** The rules of one port of a service: without routes of its own everything goes to its own endpoints. */
export function portRules(
  service: Destination,
  index: number,
  own: PortRoutes | undefined,
  { ofPort }: TrafficPolicies,
  /** The name in whose place everything goes to itself. */
  name: string = service.metadata.name,
): Pick<ServicePort, 'rules' | 'consumerRules' | 'streams' | 'consumerStreams'> {
  const { port = 0, protocol = 'tcp' } = service.spec.ports[index] ?? {}
  if (!isHttp(protocol)) return { rules: [], ...rawStreams(own?.streams) }
  const none = own === undefined || own.producer.length === 0
  const key = `${service.metadata.namespace}/${service.metadata.name}/${port}`
  const itself = (): RouteRule => mergeRecovery(toItself(service, name, port, index), ofPort(key), ofPort)
  const rules = none ? [itself()] : own.producer
  return { rules, ...(own === undefined || own.consumers.size === 0 ? {} : { consumerRules: own.consumers }) }
}

function toItself(service: Destination, name: string, port: number, index: number): RouteRule {
  const origin = originOf(service, `spec.ports[${index}]`)
  return {
    name: 'default',
    match: { path: { kind: 'segments', value: '/' }, method: undefined, headers: [], queryParameters: [] },
    action: {
      kind: 'forward',
      backends: [{ weight: 1, service: `${service.metadata.namespace}/${name}`, port, origin }],
    },
    origin,
  }
}

/** The rules of every service port that has routes, by `<namespace>/<service>/<port>`. */
export function linkRoutes({
  snapshot,
  rules: rulesOf,
  policies,
  limiters,
  overlaps,
}: Attaching): Linked<ReadonlyMap<string, PortRoutes>> {
  const byPort = new Map<string, Written>()
  const problems: Problem[] = []
  for (const [route, rules] of rulesOf) {
    if (route.spec.hostnames.length > 0 && route.spec.parentRefs.every(({ kind }) => !namesListeners(kind))) {
      problems.push(
        problemAt(
          route,
          'spec.hostnames',
          'hostnames mean nothing for a Service as parent (GAMMA): requests are told apart by the Service; remove them',
        ),
      )
    }
    const { namespace } = route.metadata
    for (const [port, ref] of parentPorts(route, snapshot, problems)) {
      let there = byPort.get(port)
      if (there === undefined) byPort.set(port, (there = { rules: new Map(), grpc: new Map() }))
      const callers = port.startsWith(`${namespace}/`) ? everybody : namespace
      const first = there.grpc.get(callers)
      if (route.kind === 'GRPCRoute') there.grpc.set(callers, first ?? route)
      else if (first !== undefined) {
        problems.push(outranked(route, ref, first, port))
        continue
      }
      const ofPort = policies.ofPort(port)
      const settled = rules.map((one): NamedRule => {
        const ofRule = policies.ofRule(route, one.name)
        problems.push(...limitsProblems(one.rule, ofRule, snapshot))
        const rule = mergeRecovery(one.rule, [...ofRule, ...ofPort], policies.ofPort)
        return { ...one, rule: withLimits(rule, ofRule, limiters) }
      })
      there.rules.set(callers, [...(there.rules.get(callers) ?? []), ...settled])
    }
  }
  const settle = (port: string, rules: readonly NamedRule[]): readonly RouteRule[] => {
    const sorted = inOrder(rules)
    problems.push(...overlaps(sorted, port))
    return sorted.map(({ rule }) => rule)
  }
  return {
    value: new Map(Array.from(byPort, ([port, routes]) => [port, portRoutes(routes, (rules) => settle(port, rules))])),
    problems,
  }
}

/** What routes say of one port, by the namespace of the callers that it is for. */
interface Written {
  readonly rules: Map<string, readonly NamedRule[]>
  /** The oldest GRPCRoute there. */
  readonly grpc: Map<string, Route>
}
/** No namespace has this name. */
const everybody = ''

function portRoutes({ rules }: Written, settle: (rules: readonly NamedRule[]) => readonly RouteRule[]): PortRoutes {
  const { [everybody]: producer = [], ...others } = Object.fromEntries(rules)
  const consumers = Object.entries(others).map(([namespace, own]) => [namespace, settle(own)] as const)
  const written = [...rules].flatMap(([callers, own]) => own.map((one) => ({ ...one, callers })))
  return { producer: settle(producer), consumers: new Map(consumers), written }
}

/** Of several kinds of routes at one port the one that knows more of the protocol counts. Source: GEP-1294, "Route types". */
function outranked(route: Route, { field, only }: Parent, other: Route, port: string): Problem {
  const message = `${nameOf(other)} is attached to ${port} too, and what is routed as gRPC is not routed by ${route.kind}s, so this route has no effect there; write its rules there, or use another port`
  const conflicted = { type: 'Accepted', reason: 'Conflicted' } as const
  return only ? conditionAt(route, field, conflicted, message) : problemAt(route, field, message)
}

/** Without routes of its own a raw port leads to its own endpoints. */
function rawStreams(streams: PortStreams | undefined): Pick<ServicePort, 'streams' | 'consumerStreams'> {
  if (streams === undefined) return {}
  const { producer, consumers } = streams
  return {
    ...(producer.length > 0 && { streams: producer }),
    ...(consumers.size > 0 && { consumerStreams: consumers }),
  }
}
