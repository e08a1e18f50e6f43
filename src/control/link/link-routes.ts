import { isHttp } from '../../base/app-protocol.ts'
import type { Problem } from '../../base/problem.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'
import type { RouteRule } from '../model/model.ts'
import { didYouMean } from './link-backends.ts'
import { byPrecedence, type Attaching } from './link-rules.ts'
import { mergeRecovery } from './merge-settings.ts'
import { conditionAt, problemAt, type Linked } from './linked.ts'
import { findService } from './select-workloads.ts'

type Route = ResourceOf<'HTTPRoute'>

/** The rules of one service port, each list in order of precedence. */
export interface PortRoutes {
  /** Of routes in the Service's own namespace, for all callers; empty: there are none. */
  readonly producer: readonly RouteRule[]
  /** By namespace: of routes there, which take the place of the others for callers from there. */
  readonly consumers: ReadonlyMap<string, readonly RouteRule[]>
}

/** The rules of every service port that has routes, by `<namespace>/<service>/<port>`. */
export function linkRoutes({ snapshot, rules: rulesOf, policies }: Attaching): Linked<ReadonlyMap<string, PortRoutes>> {
  const byPort = new Map<string, { producer: RouteRule[]; consumers: Map<string, RouteRule[]> }>()
  const problems: Problem[] = []
  for (const [route, rules] of rulesOf) {
    if (route.spec.hostnames.length > 0 && route.spec.parentRefs.every(({ kind }) => kind === 'Service')) {
      problems.push(
        problemAt(
          route,
          'spec.hostnames',
          'hostnames mean nothing for a Service as parent (GAMMA): requests are told apart by the Service; remove them',
        ),
      )
    }
    const { namespace } = route.metadata
    for (const port of parentPorts(route, snapshot, problems)) {
      let there = byPort.get(port)
      if (there === undefined) byPort.set(port, (there = { producer: [], consumers: new Map() }))
      const ofPort = policies.ofPort(port)
      const settled = rules.map(({ rule, name }) => mergeRecovery(rule, [...policies.ofRule(route, name), ...ofPort]))
      if (port.startsWith(`${namespace}/`)) there.producer.push(...settled)
      else there.consumers.set(namespace, [...(there.consumers.get(namespace) ?? []), ...settled])
    }
  }
  return { value: new Map(Array.from(byPort, ([port, routes]) => [port, inOrder(routes)])), problems }
}

const noParent = { type: 'Accepted', reason: 'NoMatchingParent' } as const

const inOrder = ({ producer, consumers }: PortRoutes): PortRoutes => ({
  producer: producer.toSorted(byPrecedence),
  consumers: new Map(Array.from(consumers, ([namespace, rules]) => [namespace, rules.toSorted(byPrecedence)])),
})

/** The service ports that a route attaches to; what it cannot attach to is a problem. */
function parentPorts(route: Route, snapshot: InventorySnapshot, problems: Problem[]): ReadonlySet<string> {
  const ports = new Set<string>()
  route.spec.parentRefs.forEach((ref, index) => {
    if (ref.kind !== 'Service') return
    const field = `spec.parentRefs[${index}]`
    const namespace = ref.namespace ?? route.metadata.namespace
    const service = findService(snapshot, namespace, ref.name)
    if (service === undefined) {
      problems.push(
        conditionAt(
          route,
          `${field}.name`,
          noParent,
          `there is no Service ${namespace}/${ref.name}, so the route has no effect there${didYouMean(ref.name, snapshot, namespace)}`,
        ),
      )
      return
    }
    const http = service.spec.ports.filter((port) => isHttp(port.protocol))
    const named = http.filter((port) => ref.sectionName === undefined || port.name === ref.sectionName)
    const chosen = named.filter((port) => ref.port === undefined || port.port === ref.port)
    if (chosen.length === 0) {
      const wrongName = named.length === 0 && ref.sectionName !== undefined
      const wanted = wrongName ? ` named ${ref.sectionName}` : ref.port === undefined ? '' : ` ${ref.port}`
      const offered = (wrongName ? http : named).map((port) => (wrongName ? port.name : port.port)).join(', ')
      problems.push(
        conditionAt(
          route,
          `${field}.${wrongName ? 'sectionName' : ref.port === undefined ? 'name' : 'port'}`,
          noParent,
          `Service ${namespace}/${ref.name} has no HTTP port${wanted}${offered === '' ? '' : `; it has ${offered}`}`,
        ),
      )
    }
    for (const port of chosen) ports.add(`${namespace}/${ref.name}/${port.port}`)
  })
  return ports
}
