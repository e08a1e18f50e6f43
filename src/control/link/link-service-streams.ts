import type { Problem } from '../../base/problem.ts'
import { namesListeners } from '../decode/parent-ref.ts'
import type { StreamRouteResource as Route } from '../decode/resource-types.ts'
import type { InventorySnapshot } from '../inventory/snapshot.ts'
import type { StreamHost } from '../model/model.ts'
import { streamHosts, type StreamSplits } from './link-streams.ts'
import { conditionAt, nameOf, problemAt, type Linked } from './linked.ts'
import { parentPorts, type Parent } from './parent-ports.ts'

/** Where the bytes for one raw port of a service go. */
export interface PortStreams {
  /** By routes in the Service's own namespace, for all callers; empty: there are none. */
  readonly producer: readonly StreamHost[]
  /** By namespace: by routes there, in the place of the others for callers from there. */
  readonly consumers: ReadonlyMap<string, readonly StreamHost[]>
}

type Attached = Map<Route, Parent>
/** No namespace has this name. */
const everybody = ''

/** Of every raw service port that has TLSRoutes or TCPRoutes, by `<namespace>/<service>/<port>`. Source: GEP-1294. */
export function linkServiceStreams(
  splits: StreamSplits,
  snapshot: InventorySnapshot,
): Linked<ReadonlyMap<string, PortStreams>> {
  const problems: Problem[] = []
  const byPort = new Map<string, Map<string, Attached>>()
  for (const route of splits.keys()) {
    if (route.kind === 'UDPRoute') {
      problems.push(...noSidecar(route))
      continue
    }
    const { namespace } = route.metadata
    for (const [port, parent] of parentPorts(route, snapshot, problems)) {
      const callers = port.startsWith(`${namespace}/`) ? everybody : namespace
      let there = byPort.get(port)
      if (there === undefined) byPort.set(port, (there = new Map()))
      there.set(callers, (there.get(callers) ?? new Map<Route, Parent>()).set(route, parent))
    }
  }
  const settle = (port: string, routes: Attached): readonly StreamHost[] => {
    const hosts = settled(port, routes, splits)
    problems.push(...hosts.problems)
    return hosts.value
  }
  const value = new Map(
    Array.from(byPort, ([port, there]) => {
      const all = Array.from(there, ([callers, routes]) => [callers, settle(port, routes)] as const)
      const [own] = all.filter(([callers]) => callers === everybody)
      const consumers = new Map(all.filter(([callers]) => callers !== everybody))
      return [port, { producer: own?.[1] ?? [], consumers }]
    }),
  )
  return { value, problems }
}

/** TLSRoutes know more of what comes: beside them no TCPRoute counts. */
function settled(port: string, routes: Attached, splits: StreamSplits): Linked<readonly StreamHost[]> {
  const [byName] = [...routes.keys()].filter(({ kind }) => kind === 'TLSRoute')
  const counting = Array.from(routes.keys()).filter(({ kind }) => byName === undefined || kind === 'TLSRoute')
  const hosts = streamHosts(
    port,
    [],
    new Map(
      counting.map((route) => [
        route,
        'hostnames' in route.spec && route.spec.hostnames.length > 0 ? route.spec.hostnames : ['*'],
      ]),
    ),
    splits,
  )
  const out = Array.from(routes).flatMap(([route, parent]) =>
    byName === undefined || route.kind === 'TLSRoute' ? [] : [outranked(route, parent, byName, port)],
  )
  return { value: hosts.value, problems: [...hosts.problems, ...out] }
}

function outranked(route: Route, { field, only }: Parent, other: Route, port: string): Problem {
  const message = `${nameOf(other)} is attached to ${port} too, and what goes by its server name does not go by ${route.kind}s, so this route has no effect there; write a TLSRoute, or use another port`
  return only
    ? conditionAt(route, field, { type: 'Accepted', reason: 'Conflicted' }, message)
    : problemAt(route, field, message)
}

const noSidecar = (route: Route): readonly Problem[] =>
  route.spec.parentRefs.flatMap(({ kind }, index) =>
    namesListeners(kind)
      ? []
      : [
          conditionAt(
            route,
            `spec.parentRefs[${index}].kind`,
            { type: 'Accepted', reason: 'UnsupportedValue' },
            'UDPRoutes attach to Gateways only, since sidecars have no part in datagrams for services, so the route has no effect there; remove it',
          ),
        ],
  )
