import type { Problem } from '../../base/problem.ts'
import type { StreamRouteResource as Route } from '../decode/resource-types.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { StreamHost, StreamSplit } from '../model/model.ts'
import { coversHost } from './hostnames.ts'
import { resolve } from './link-backends.ts'
import { byAge, nameOf, originOf, problemAt, type Linked } from './linked.ts'

/** Where the bytes of every route go, oldest route first: the same wherever it attaches. */
export type StreamSplits = ReadonlyMap<Route, StreamSplit>

/** Every TLSRoute, TCPRoute and UDPRoute. */
export function linkStreams(snapshot: InventorySnapshot): Linked<StreamSplits> {
  const problems: Problem[] = []
  const routes = [
    ...resourcesOf(snapshot, 'TLSRoute').toSorted(byAge),
    ...resourcesOf(snapshot, 'TCPRoute').toSorted(byAge),
    ...resourcesOf(snapshot, 'UDPRoute').toSorted(byAge),
  ]
  return { value: new Map(routes.map((route) => [route, splitOf(route, snapshot, problems)])), problems }
}

function splitOf(route: Route, snapshot: InventorySnapshot, problems: Problem[]): StreamSplit {
  const field = 'spec.rules[0]'
  const said =
    route.kind === 'UDPRoute' ? { what: 'datagrams', lost: 'is dropped' } : { what: 'connections', lost: 'is closed' }
  const backends = (route.spec.rules[0]?.backendRefs ?? []).flatMap((ref, index): StreamSplit['backends'] => {
    const at = `${field}.backendRefs[${index}]`
    const share = ref.weight > 0 ? `; its share of the ${said.what} ${said.lost}` : ''
    const service = resolve(route, ref, { field: at, share }, snapshot, problems)
    return ref.weight === 0 ? [] : [{ weight: ref.weight, service, port: ref.port, origin: originOf(route, at) }]
  })
  if (backends.length === 0)
    problems.push(
      problemAt(route, field, `all backendRefs have weight 0, so all ${said.what} ${said.lost.replace('is', 'are')}`),
    )
  const { namespace, name } = route.metadata
  return { name: `${namespace}/${name}/rule-0`, backends, origin: originOf(route, field) }
}

/** The routes of a listener or a service's port, each with the hosts that it has there. */
export type StreamsThere = ReadonlyMap<Route, readonly string[]>

/**
 * Of several routes for one host the oldest counts; the others are told so. What a narrower listener of the same port is for stays with
 * that one, whatever the routes here say. Source: Gateway API, "Listener isolation", and TCPRoute: only one is attached.
 */
export function streamHosts(
  place: string,
  narrower: readonly string[],
  routes: StreamsThere,
  splits: StreamSplits,
): Linked<readonly StreamHost[]> {
  const problems: Problem[] = []
  const byHost = new Map<string, { readonly route: Route; readonly split: StreamSplit }>()
  for (const [route, hostnames] of routes) {
    const split = splits.get(route)
    if (split === undefined) continue
    for (const hostname of hostnames) {
      if (narrower.some((other) => coversHost(other, hostname))) continue
      const first = byHost.get(hostname)
      if (first === undefined) byHost.set(hostname, { route, split })
      else problems.push(outranked(route, hostname, place, first.route))
    }
  }
  const hosts = Array.from(byHost, ([hostname, { split }]) => ({ hostname, split }))
  return { value: hosts.toSorted((a, b) => (a.hostname < b.hostname ? -1 : 1)), problems }
}

function outranked(route: Route, hostname: string, place: string, first: Route): Problem {
  const what = hostname === '*' ? 'what comes' : `what comes for ${hostname}`
  const message = `at ${place} ${what} goes by ${nameOf(first)}, which is older, so this route has no effect there; use another ${route.kind === 'TLSRoute' ? 'hostname' : 'port'}`
  return problemAt(route, 'spec.parentRefs', message)
}
