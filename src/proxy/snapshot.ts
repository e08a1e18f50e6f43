import { createAggregateBalancer, membersOf } from './balance/aggregate-balancer.ts'
import { createBalancer, type Balancer } from './balance/balancer.ts'
import type { Cluster, ProxyConfig, Route, RouteTable } from './config.ts'
import type { Service } from './http/service.ts'
import { instanceFinder, type InstanceFinder } from './route/instances.ts'
import { nameIndex, serviceFinder, type NameIndex, type ServiceFinder } from './route/names.ts'
import { compileRoutes, type Router } from './route/router.ts'
import { alongRoute } from './along-route.ts'
import type { Shared } from './shared.ts'
import type { TerminalFilters } from './terminal-filters.ts'

/** One configuration made ready for use, part by part on first use. A call takes all its decisions from one snapshot. */
export interface Snapshot {
  readonly config: ProxyConfig
  readonly nameOf: NameIndex
  readonly findService: ServiceFinder
  readonly instancesOf: InstanceFinder
  routerOf(table: RouteTable): Router
  /** The path of a call once its route is known; `late`: the filters of its listener that come behind that. */
  serviceOf(route: Route, late?: TerminalFilters['late']): Service
  balancerOf(cluster: Cluster): Balancer
}

/** Makes snapshots; what belongs to a part that did not change between two configurations is not made again. */
export function createSnapshots(shared: Shared): (config: ProxyConfig) => Snapshot {
  const routers = new WeakMap<RouteTable, Router>()
  const indexes = new WeakMap<ProxyConfig['names'], NameIndex>()
  const finders = new WeakMap<ProxyConfig['names'], ServiceFinder>()
  const instances = new WeakMap<ProxyConfig['names'], InstanceFinder>()
  const balancers = new WeakMap<Cluster, Balancer>()
  /** By the proxy's own cluster, where it has one: what is balanced depends on that too. */
  const besides = new WeakMap<Cluster, WeakMap<Cluster, Balancer>>()
  return (config) => {
    const services = new Map<Route, Service>()
    /** Their members may change without them. */
    const aggregates = new Map<Cluster, Balancer>()
    const filtered = new Map<TerminalFilters['late'], Map<Route, Service>>()
    const { place } = config
    const peers = place && config.clusters.get(place.cluster)
    const placed = peers === undefined ? balancers : known(besides, peers, () => new WeakMap<Cluster, Balancer>())
    const placeFor = (cluster: Cluster): Parameters<typeof createBalancer>[4] =>
      place === undefined || peers === undefined || peers === cluster || peers.members !== undefined
        ? undefined
        : { locality: place.locality, peers: snapshot.balancerOf(peers) }
    const snapshot: Snapshot = {
      config,
      nameOf: known(indexes, config.names, () => nameIndex(config.names)),
      findService: known(finders, config.names, () => serviceFinder(config.names)),
      instancesOf: known(instances, config.names, () => instanceFinder(config.names)),
      routerOf: (table) => known(routers, table, () => compileRoutes(table, shared.random)),
      serviceOf(route, late) {
        if (late === undefined) return known(services, route, () => alongRoute(route, undefined, snapshot, shared))
        const ofListener = known(filtered, late, () => new Map<Route, Service>())
        return known(ofListener, route, () => alongRoute(route, late, snapshot, shared))
      },
      balancerOf: (cluster) =>
        cluster.members === undefined
          ? known(placed, cluster, () =>
              createBalancer(cluster, shared.states, shared.random, shared.clock, placeFor(cluster)),
            )
          : known(aggregates, cluster, () =>
              createAggregateBalancer(
                cluster,
                membersOf(cluster, config.clusters).map((one) => snapshot.balancerOf(one)),
                shared,
              ),
            ),
    }
    return snapshot
  }
}

function known<K extends object | undefined, V>(
  cache: { get(key: K): V | undefined; set(key: K, value: V): unknown },
  key: K,
  make: () => V,
): V {
  let value = cache.get(key)
  if (value === undefined) cache.set(key, (value = make()))
  return value
}
