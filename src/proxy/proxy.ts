import dns from 'node:dns/promises'
import type { Server } from 'node:net'
import { formatAddress, type Address } from '../base/address.ts'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { thisMachine, type Machine } from '../base/machine.ts'
import { createSweeper } from '../base/sweeper.ts'
import { createTimerWheel } from '../base/timer-wheel.ts'
import type { Watchable } from '../base/watchable.ts'
import type { AdsNode } from '../xds/ads-client.ts'
import { mostQuotaKeys, programClusters, upstreamFaultHeader } from '../xds/names.ts'
import { createEndpointStates } from './balance/endpoint-state.ts'
import type { Listener, NamedService, ProxyConfig } from './config.ts'
import { serveCapturedTraffic, type CapturedParts } from './captured-traffic.ts'
import { describeClusters } from './describe-clusters.ts'
import { resolveNames } from './dns-clusters.ts'
import { lookupHost, lookupTtlMs } from './dns/lookup-host.ts'
import { drainInbound } from './drain-inbound.ts'
import { explain, type Explanation } from './explain/explain.ts'
import type { ExplainRequest } from './explain/request.ts'
import { probe, type ProbeRequest, type ProbeResult } from './probe.ts'
import { http1Client } from './http/http1/client.ts'
import { http2Client } from './http/http2/client.ts'
import { handOn } from './hand-on.ts'
import { bindDatagrams, type Datagrams } from './listener/datagrams.ts'
import { createHealthChecks } from './health-checks.ts'
import { listenOn, type ConnectionListenerHandle, type ListenerHandle } from './listener/listener.ts'
import { untilOpen } from './listener/until-open.ts'
import { createUnregisteredLog, datagramsSentence, unregisteredSentence } from './outside.ts'
import { createOverload } from './overload.ts'
import { createGradients } from './filter/gradient.ts'
import { createQuotas, type Quotas } from './filter/quota.ts'
import { createRateCounts } from './filter/rate-limit.ts'
import { createRetryBudgets } from './recovery/budget.ts'
import { createSecrets } from './secrets.ts'
import { serveListener, type ListenerService, type ServeParts } from './serve.ts'
import type { Shared } from './shared.ts'
import type { IdentityMaterial } from './sidecar-messages.ts'
import { createHedgeState } from './hedge-state.ts'
import { exportKeys } from './export/export-keys.ts'
import { createExports } from './export/exports.ts'
import { createSnapshots } from './snapshot.ts'
import { retainCounts } from './retain-counts.ts'
import type { Metrics } from './telemetry/metrics.ts'
import { createLimitMetrics } from './telemetry/record-limits.ts'
import { recordEventLoop } from './telemetry/record-event-loop.ts'
import { createHealthMetrics } from './telemetry/record-health.ts'
import { createOutlierMetrics } from './telemetry/record-outliers.ts'
import { createTcpMetrics } from './telemetry/record-tcp.ts'
import { createUdpMetrics } from './telemetry/record-udp.ts'
import { createCallMetrics } from './telemetry/record.ts'
import type { Dialed } from './upstream/connect.ts'
import { serveUdp, type UdpService } from './udp.ts'
import { createUpstream, type UpstreamParts } from './upstream/upstream.ts'

/** What a proxy needs from outside. */
export interface ProxyParts extends CapturedParts {
  readonly config: Watchable<ProxyConfig>
  /** Asks for a route configuration that is known by name but not here yet; resolves true when it is in `config`, false when it does not exist or did not come in time. */
  readonly demand: (routeName: string) => Promise<boolean>
  /** The workload's own certificate; undefined: it has none, and all come with the configuration. */
  readonly identity: Pick<Watchable<IdentityMaterial>, 'value'> | undefined
  /** A listening socket for this address: handed over, or newly bound. An abort says that it is not wanted any more. */
  readonly listen: (address: Address, signal: AbortSignal) => Promise<Server>
  /** The same for datagrams. Absent: newly bound. */
  readonly listenUdp?: (address: Address, signal: AbortSignal) => Promise<Datagrams>
  readonly self: {
    /** `<namespace>/<name>`. */
    readonly workload: string
    readonly namespace: string
    /** Its name, without the namespace. */
    readonly service: string
    /** Where it is; absent: nobody has said so. */
    readonly zone?: string | undefined
    /** Undefined: it is nobody in a mesh. */
    readonly spiffeId: string | undefined
  }
  /** Reaches the program where the network does not: it has a network namespace of its own. Absent: by loopback. */
  readonly connectInside?: (port: number, timeoutMs: number) => Promise<Dialed>
  /** Of this program, where others are told of it. */
  readonly version?: string
  /** As servers of logs are told who this is; absent: by `self`. */
  readonly node?: AdsNode
  /** Absent: the one that this process runs on. */
  readonly machine?: Machine
  readonly metrics: Metrics
  /** What takes the lines of the log with this path. */
  readonly accessLog: (path: string) => (line: string) => void
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** A running data plane. */
export interface Proxy {
  /** All listeners of the first configuration that has any are open. */
  readonly ready: Promise<void>
  /**
   * Stops accepting and resolves when nothing is in flight any more; what is left after `deadlineMs` is cut. `patient`: another process
   * accepts from now on; what goes on here still follows the configuration.
   */
  drain(deadlineMs: number, patient?: boolean): Promise<void>
  /** Before the program hears that it has to stop: resolves once no call to it is under way, or can still come from who knows of it. */
  drainInbound(): Promise<void>
  /** Cuts everything. */
  close(): void
  /** What would happen to a request, and why: nothing is sent. */
  explain(request: ExplainRequest): Promise<Explanation>
  /** Really sends something, and says how far it came. */
  probe(request: ProbeRequest): Promise<ProbeResult>
  /** Endpoints with their health, ejections and counts, and the connections to them, by cluster. */
  describeClusters(): unknown
  /** What was called since it was last asked: service ports by name. */
  takeUsed(): ReadonlySet<string>
  /** Something is under way to one of these clusters: a call, or a raw connection. */
  isBusy(clusters: readonly string[]): boolean
  /** Its shares of budgets, and what it used of them: for whoever deals them. */
  readonly quotas: Pick<Quotas, 'assign' | 'takeUsage'>
  /** The service that a host names in the newest configuration. */
  findService(host: string): NamedService | undefined
  /** Of a headless service, those that have addresses now. */
  instancesOf(service: NamedService): readonly NamedService[]
}

/** Idle and header deadlines are looked at this often, ms. */
const sweepMs = 250
/** At the end collectors may take so long with what is left, ms. */
const lastExportsMs = 2000
/** Connections of a listener that was removed or moved may go on for so long, ms. */
const removedListenerMs = 30_000

interface Open {
  listener: Listener
  readonly service: ListenerService | UdpService
  /** Undefined while the socket is being opened. */
  handle: ListenerHandle | ConnectionListenerHandle | undefined
  /** Ends the wait for the socket. */
  readonly unwanted: AbortController
}

/** Starts at once with the configuration that there is, and follows it. */
export function createProxy(parts: ProxyParts): Proxy {
  const { identity, clock, random, log, self } = parts
  const names = resolveNames(parts.config, {
    lookup: lookupHost,
    ttlMs: (name) => lookupTtlMs(name, dns),
    clock,
    random,
    log,
  })
  const { config } = names
  const sweeper = createSweeper(clock, sweepMs)
  recordEventLoop(parts.metrics, sweeper)
  const secrets = createSecrets(config, identity)
  const overload = createOverload({ machine: parts.machine ?? thisMachine(), sweeper, metrics: parts.metrics, log })
  const upstreamParts: UpstreamParts = {
    room: overload,
    codec: http1Client,
    multiplexed: http2Client,
    secrets,
    upstreamFaultHeader,
    dial: (cluster, { port }, timeoutMs) =>
      cluster.startsWith(programClusters) ? parts.connectInside?.(port, timeoutMs) : undefined,
    clock,
    sweeper,
    random,
  }
  const upstream = createUpstream(upstreamParts)
  const policyMatches = parts.metrics.counter(
    'weft_policy_matches_total',
    'Authorization rules that matched; with action "allow" and no policy: calls that none allowed.',
    ['action', 'policy'],
  )
  const revisions = parts.metrics.gauge(
    'weft_config_revision',
    'Newest revision of the control plane’s store that changed something here.',
    [],
    'least',
  )
  const outliers = createOutlierMetrics(parts.metrics)
  const principal = self.spiffeId ?? self.workload
  const wheel = createTimerWheel(clock)
  const limits = createLimitMetrics(parts.metrics)
  const shared: Shared = {
    policyMatched: (action, rule) => policyMatches.of(action, rule?.name ?? '').add(1),
    upstream,
    overload,
    states: createEndpointStates({
      judged(cluster, address, reason, outcome) {
        outliers.judged(cluster, reason, outcome)
        if (outcome === 'ejected') log.info('an endpoint was ejected', { cluster, address, reason })
      },
      ejected: (cluster, count) => outliers.ejected(cluster, count),
    }),
    budgets: createRetryBudgets(() => clock.nowMs()),
    hedges: createHedgeState(clock, parts.metrics),
    rateCounts: createRateCounts(),
    quotas: createQuotas(() => clock.nowMs(), mostQuotaKeys),
    gradients: createGradients(random, () => clock.nowMs(), limits.concurrency),
    ...limits,
    calls: createCallMetrics(parts.metrics, clock),
    tcp: createTcpMetrics(parts.metrics),
    udp: createUdpMetrics(parts.metrics),
    self: {
      principal: self.spiffeId,
      workload: self.workload,
      service: `${self.namespace}/${self.service}`,
    },
    used: new Set(),
    unregistered: createUnregisteredLog(log, clock, { principal, sentence: unregisteredSentence }),
    refusedDatagrams: createUnregisteredLog(log, clock, { principal, sentence: datagramsSentence }),
    ownNamespace: self.namespace,
    ...createExports({
      ...parts,
      ask: { upstream, wheel, clock },
      current: () => snapshot,
    }),
    clock,
    random,
    wheel,
    sweeper,
    log,
  }
  const captured = serveCapturedTraffic(parts, { shared, current: () => snapshot })
  const healthMetrics = createHealthMetrics(parts.metrics)
  const healthChecks = createHealthChecks({
    ...shared,
    createUpstream: () => createUpstream(upstreamParts),
    nowMs: () => clock.nowMs(),
    checked(cluster, { address }, result, changed) {
      healthMetrics(cluster, result.kind === 'passed' && result.degraded ? 'degraded' : result.kind)
      if (changed) log.info('the health of an endpoint has changed', { cluster, address, ...result })
    },
  })
  const refusals = parts.metrics.counter(
    'weft_refused_total',
    'Connections and requests that were refused before they became calls.',
    ['listener', 'reason'],
  )
  const snapshotOf = createSnapshots(shared)
  let snapshot = snapshotOf(config.value)
  const serveParts: ServeParts = {
    shared,
    secrets,
    current: () => snapshot,
    demand: parts.demand,
    handOn: (socket, tracked, opening) => handOn(socket, tracked, opening, open.values()),
    refused: (listener, reason) => refusals.of(listener, reason).add(1),
  }

  const open = new Map<string, Open>()
  const leaving = new Set<Promise<void>>()
  const stopping = new AbortController()
  let leavingPatiently = false
  let becomeReady = (): void => {}
  const ready = new Promise<void>((resolve) => {
    becomeReady = resolve
  })

  const apply = (next: ProxyConfig): void => {
    if (next !== snapshot.config) snapshot = snapshotOf(next)
    const number = Number(next.revision) // other control planes have names for it
    if (Number.isSafeInteger(number)) revisions.of().set(number)
    upstream.adopt(next.clusters)
    shared.states.retain(next.clusters)
    shared.budgets.retain(next.clusters)
    shared.hedges.retain(next)
    retainCounts(next, shared)
    shared.exporters.retain(() => exportKeys(next))
    captured.adopt(next)
    if (stopping.signal.aborted) return
    healthChecks.adopt(next.clusters, (cluster) => snapshot.balancerOf(cluster))
    for (const [name, one] of leavingPatiently ? [] : open) {
      const wanted = next.listeners.get(name)
      if (wanted === undefined || socketOf(wanted) !== socketOf(one.listener)) remove(name, one)
    }
    for (const [name, listener] of next.listeners) {
      const known = open.get(name)
      if (known === undefined) {
        if (!leavingPatiently) void add(name, listener)
      } else if (known.listener !== listener) {
        known.listener = listener
        known.service.update(listener)
      }
    }
    checkReady()
  }
  const remove = (name: string, one: Open): void => {
    open.delete(name)
    one.unwanted.abort()
    if (one.handle === undefined) return
    const gone = one.handle.drain(removedListenerMs).finally(() => leaving.delete(gone))
    leaving.add(gone)
  }
  const add = async (name: string, listener: Listener): Promise<void> => {
    const service = listener.udp === undefined ? serveListener(listener, serveParts) : serveUdp(listener, serveParts)
    const unwanted = new AbortController()
    const one: Open = { listener, service, handle: undefined, unwanted }
    open.set(name, one)
    const failed = (error: Error): void => log.error('a listener failed', { listener: name, error: error.message })
    if (listener.unbound === true) {
      one.handle = listenOn(undefined, { accepted() {}, failed, clock })
      return checkReady()
    }
    const opening =
      'serve' in service
        ? () => parts.listen(listener.address, unwanted.signal)
        : () => (parts.listenUdp ?? bindDatagrams)(listener.address, unwanted.signal)
    const socket = await untilOpen<Server | Datagrams>(opening, {
      clock,
      signal: AbortSignal.any([unwanted.signal, stopping.signal]),
      failed: (error) =>
        log.error('cannot listen, tries again', { listener: name, address: formatAddress(listener.address), error }),
    })
    if (socket === undefined) return
    if (open.get(name) !== one || stopping.signal.aborted)
      return void ('socket' in socket ? socket.socket : socket).close()
    one.handle = handleOf(name, service, socket, failed)
    checkReady()
  }
  const handleOf = (
    name: string,
    service: ListenerService | UdpService,
    socket: Server | Datagrams,
    failed: (error: Error) => void,
  ): Open['handle'] => {
    if (!('serve' in service)) return 'socket' in socket ? service.attach(socket, failed) : undefined
    if ('socket' in socket) return undefined
    return listenOn(socket, {
      accepted: (one, tracked) => service.serve(one, tracked),
      room: { admit: overload.admit, left: overload.left, refused: () => serveParts.refused(name, 'overload') },
      failed,
      clock,
    })
  }
  const checkReady = (): void => {
    const { size } = config.value.listeners
    if (size > 0 && open.size === size && [...open.values()].every(({ handle }) => handle !== undefined)) becomeReady()
  }

  const unwatch = config.watch(apply)
  apply(config.value)

  const stop = (): void => {
    stopping.abort()
    unwatch()
  }
  const close = (): void => {
    stop()
    for (const { handle } of open.values()) handle?.close()
    captured.close()
    names.close()
    healthChecks.close()
    shared.exporters.close()
    upstream.close()
    sweeper.close()
  }
  return {
    ready,
    async drain(deadlineMs, patient = false) {
      if (patient) leavingPatiently = true
      else stop()
      for (const { handle } of open.values()) if (handle !== undefined) leaving.add(handle.drain(deadlineMs, patient))
      await Promise.all([...leaving, captured.drain(deadlineMs, patient)])
      await shared.exporters.flush(lastExportsMs)
      close()
    },
    drainInbound: () => drainInbound([...open.values()], { clock, signal: stopping.signal }),
    close,
    explain: (request) =>
      explain(request, {
        current: () => snapshot,
        demand: parts.demand,
        ownNamespace: self.namespace,
        workload: self.workload,
        service: shared.self.service,
        rateCounts: shared.rateCounts,
        quotas: shared.quotas,
        hedges: shared.hedges,
        gradients: shared.gradients,
        nowMs: () => clock.nowMs(),
      }),
    probe: (request) => probe(request, { current: () => snapshot, demand: parts.demand, shared }),
    describeClusters: () => describeClusters(shared, snapshot.config),
    takeUsed() {
      const used = new Set(shared.used)
      shared.used.clear()
      return used
    },
    quotas: shared.quotas,
    isBusy: (clusters) => clusters.some((name) => upstream.isBusy(name)),
    findService: (host) => snapshot.findService(host, self.namespace),
    instancesOf: (service) => snapshot.instancesOf(service),
  }
}

/** What changes only with another socket. */
const socketOf = ({ address, udp, unbound }: Listener): string =>
  `${unbound === true ? 'no' : udp === undefined ? 'tcp' : 'udp'} ${formatAddress(address)}`
