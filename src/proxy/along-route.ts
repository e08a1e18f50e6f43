import { parseAddress, type Address } from '../base/address.ts'
import { grpcStatusOfHttp } from '../base/grpc.ts'
import { membersOf } from './balance/aggregate-balancer.ts'
import { select } from './balance/select.ts'
import type { Balancer } from './balance/balancer.ts'
import type { Cluster, Endpoint, ProxyConfig, Route, RouteAction, WeightedCluster } from './config.ts'
import { isMadeUp } from './config/made-up.ts'
import { inHighPriority } from './config/priority.ts'
import { endConnect } from './end-connect.ts'
import { cors } from './filter/cors.ts'
import { dropCalls } from './filter/drop-calls.ts'
import { editReply, editRequest } from './filter/edit-headers.ts'
import { injectFaults } from './filter/inject-faults.ts'
import { latencyName } from './hedge-state.ts'
import { bytesBody } from './http/body.ts'
import type { Fault } from './http/fault.ts'
import { headerField } from './http/headers.ts'
import type { Upstream } from './upstream/upstream.ts'
import { isGrpc, stack, type Call, type Layer, type Reply, type Service } from './http/service.ts'
import { tellDeadline } from './recovery/carry-deadline.ts'
import { deadline, idleLimit, streamLimit } from './recovery/deadline.ts'
import { hedge } from './recovery/hedge.ts'
import { mirror, type MirrorParts, type MirrorTarget } from './recovery/mirror.ts'
import { retry } from './recovery/retry.ts'
import { tellAttempt, tellAttempts } from './recovery/tell-attempt.ts'
import { redirect, rewrite, rewriteByEndpoint } from './route/change-url.ts'
import { compileCallTests, compileRetryTests } from './route/header-match.ts'
import { hashing } from './route/hash-policy.ts'
import { isVirtualIp } from './route/names.ts'
import { clusterOfHash, pickCluster } from './route/split.ts'
import { originalPlace } from './original-place.ts'
import { grpcReply } from './refusal.ts'
import type { Shared } from './shared.ts'
import type { LateLayers } from './late-layers.ts'

type Forward = RouteAction & { readonly kind: 'forward' }

/** The configuration that a route belongs to. */
export interface World {
  readonly config: ProxyConfig
  readonly balancerOf: (cluster: Cluster) => Balancer
}

/** What happens once the route is known. `late`: what its listener has to say there. Built once per route and configuration, on first use. */
export function alongRoute(route: Route, late: LateLayers | undefined, snapshot: World, shared: Shared): Service {
  const { action } = route
  const filters = late?.filters(route) ?? []
  const faults = injectFaults(route.faults, {
    concerned: compileCallTests(route.faults?.headers ?? [], []),
    random: shared.random,
    wheel: shared.wheel,
    clock: shared.clock,
  })
  if (action.kind !== 'forward')
    return stack(
      [cors(route.cors), ...filters, faults, editReply(route.responseEdits)],
      action.kind === 'direct' ? direct(action) : redirect(action), // our own answers
    )
  const targets = action.clusters.map((one) => ({
    ...one,
    service: alongCluster(one, { ...route, action, attempt: late?.attempt }, snapshot, shared),
    has: holds(one, snapshot),
  }))
  return stack(
    [
      cors(route.cors), // preflights are answered here
      ...filters, // what is too much costs nobody anything
      streamLimit(action, shared), // the most that it may last, in whatever way
      faults, // made on purpose, and not counted against the deadline, as in Envoy
      hashing(action.hashPolicies), // what the call is known by, as the client sent it; and the cookie for its next ones
      deadline(action, shared), // one budget for the whole call, retries included: the route's, or the caller's own if it is shorter
      idleLimit(action.idleTimeoutMs),
    ],
    (call) => {
      // The split is decided once: a retry stays with the version that it was meant for.
      const { hash, session } = call
      const wanted = session?.wanted
      const target =
        (wanted !== undefined && targets.find(({ has }) => has(wanted))) || // a session stays with its version too
        (action.splitByHash && hash !== undefined ? clusterOfHash(targets, hash) : pickCluster(targets, shared.random))
      return target.service(call)
    },
  )
}

/** Whether an endpoint of the cluster is at an address, and may be called. */
export function holds(
  { cluster: name, subset, weight }: WeightedCluster,
  { config, balancerOf }: World,
): (address: string) => boolean {
  const cluster = config.clusters.get(name)
  if (cluster === undefined || cluster.discovery === 'dynamic-forward' || weight === 0) return () => false
  return (address) => balancerOf(cluster).within(subset).named(address) !== undefined
}

function alongCluster(
  { cluster: name, subset, authority, tellHost, requestEdits, responseEdits }: WeightedCluster,
  { name: routeName, action, attempt }: Route & { readonly action: Forward; readonly attempt: Layer | undefined },
  world: World,
  shared: Shared,
): Service {
  const { retry: policy, path, clusterNotFoundStatus: status = 503, bufferLimitBytes: limitBytes } = action
  const { config, balancerOf } = world
  const known = config.clusters.get(name)
  if (known === undefined) {
    const fault: Fault = { kind: 'no-cluster', side: 'self', retry: 'never', cluster: name, status }
    return () => Promise.resolve(fault)
  }
  const cluster = asCalled(known, action)
  const { budgets, random, wheel, clock } = shared
  const deliver = deliverer(action, shared)
  const budget = budgets.of(cluster)
  const named = rewriteByEndpoint(authority, tellHost)
  return stack(
    [
      dropCalls(known, random), // what the control plane wants refused costs nobody anything
      editRequest(requestEdits),
      editReply(responseEdits),
      action.tellAttempts && tellAttempts, // how often it was tried
      rewrite(authority, path, tellHost), // the upstream's view of the URL; matching is over
      mirror(mirrorTargets(action, world, shared), mirrorParts(shared, limitBytes)), // copies of what goes upstream, and never again for a retry
      retry(policy, {
        budget,
        random,
        wheel,
        clock,
        tests: policy && compileRetryTests(policy),
        limitBytes,
        hedgesCount: action.hedging?.tellsTimeouts,
      }), // above select: each attempt may take another endpoint (gRFC A6)
      action.hedging &&
        hedge(action.hedging, { ...shared.hedges.of(latencyName(routeName, name), name), budget, limitBytes }), // each of which may become several
      tellDeadline({ grpc: action.grpcTimeoutMaxMs !== undefined }, clock), // what is left of it at this attempt
      action.tellAttempt && tellAttempt, // and which one it is
      attempt, // its span; undefined where attempts have none
    ],
    isMadeUp(cluster)
      ? forward(cluster, deliver) // there is nothing to choose from
      : select({
          cluster: name,
          balancer: balancerOf(known).within(subset), // chooses the endpoint, counts it as active until the answer ends
          overrideHeaders: overrideHeadersOf(known, config),
          furtherPicks: policy?.hostSelectionAttempts,
          avoidPrioritiesEvery: policy?.avoidPrioritiesEvery,
          send: (call, { endpoint }, owner) => {
            named?.(call, endpoint)
            return deliver(asCalled(owner, action), endpoint, call)
          },
        }),
  )
}

/** Of a cluster that is made of others: theirs. */
function overrideHeadersOf(cluster: Cluster, { clusters }: ProxyConfig): readonly string[] | undefined {
  if (cluster.members === undefined) return cluster.overrideHeaders
  const all = membersOf(cluster, clusters).flatMap(({ overrideHeaders = [] }) => overrideHeaders)
  return all.length === 0 ? undefined : [...new Set(all)]
}

/** With the limits that hold for the route's calls. */
const asCalled = (cluster: Cluster, { priority }: Forward): Cluster =>
  priority === 'high' ? inHighPriority(cluster) : cluster

/** A copy may take as long as the call may, or so many ms. */
const mirrorTimeoutMs = 15_000

/** Clusters that are not there get no copies. */
function mirrorTargets(
  { mirrors = [], timeoutMs }: Forward,
  { config, balancerOf }: World,
  shared: Shared,
): readonly MirrorTarget[] {
  return mirrors.flatMap(({ cluster: name, share, markHost }) => {
    const cluster = config.clusters.get(name)
    if (cluster === undefined || isMadeUp(cluster)) return []
    const service = stack(
      [deadline({ timeoutMs: timeoutMs || mirrorTimeoutMs }, shared)],
      select({
        cluster: name,
        balancer: balancerOf(cluster),
        send: (call, { endpoint }, owner) => shared.upstream.send(owner, endpoint, call),
      }),
    )
    return [{ service, share, markHost }]
  })
}

const mirrorParts = ({ random, log }: Shared, backlogBytes?: number): MirrorParts => ({
  random,
  backlogBytes,
  failed: (error) => log.error('a mirrored call ended in a bug of this proxy', { error: String(error) }),
})

type Deliver = Upstream['send']

/** To an endpoint by pool and codec, the only layer that owns sockets; where the route ends a CONNECT, its bytes as they are. */
const deliverer =
  ({ endsConnect }: Forward, { upstream }: Shared): Deliver =>
  (cluster, endpoint, call) =>
    endsConnect === true && call.method === 'CONNECT'
      ? endConnect(upstream, cluster, endpoint, call)
      : upstream.send(cluster, endpoint, call)

/** To an endpoint that follows from the call. */
function forward(cluster: Cluster, deliver: Deliver): Service {
  const placeOf =
    cluster.discovery === 'original-destination'
      ? (call: Call) => originalPlace(cluster, call.peer, call.headers)
      : outsidePlace
  const nowhere: Fault = { kind: 'no-endpoint', side: 'upstream', retry: 'safe', cluster: cluster.name }
  return (call) => {
    const address = placeOf(call)
    call.trace.cluster = cluster.name
    if (address === undefined) return Promise.resolve(nowhere)
    call.trace.endpoint = address
    call.trace.attempts++
    return deliver(cluster, dynamicEndpoint(address), call)
  }
}

/** Hosts outside of the mesh: where the connection was for, else where the call says. A virtual IP is no place to go to. */
function outsidePlace({ peer: { destination }, authority }: Call): Address {
  const caught = destination !== undefined && !isVirtualIp(destination.host)
  return caught ? destination : authorityAddress(authority, 80)
}

/** The place that an authority names, with brackets and default port resolved. */
export function authorityAddress(authority: string, defaultPort: number): Address {
  const bare = authority.replace(/^\[(.*)\]$/, '$1')
  const named = /:\d+$/.test(authority) ? parseAddress(authority) : undefined
  return named ?? { host: bare, port: defaultPort }
}

/** An endpoint made up for one host. */
export const dynamicEndpoint = (address: Address): Endpoint => ({
  address,
  weight: 1,
  priority: 0,
  health: 'healthy',
  locality: '',
  transport: '',
  workload: undefined,
})

function direct({ status, body }: RouteAction & { kind: 'direct' }): Service {
  const bytes = Buffer.from(body)
  const headers = bytes.length === 0 ? [] : [headerField('content-type', 'text/plain')]
  const message = body.trim()
  return (call) =>
    Promise.resolve<Reply>(
      isGrpc(call) ? grpcReply(grpcStatusOfHttp(status), message) : { status, headers, body: bytesBody(bytes) },
    )
}
