import { isDeepStrictEqual } from 'node:util'
import type { Random } from '../base/random.ts'
import type { TimerWheel } from '../base/timer-wheel.ts'
import type { Balancer } from './balance/balancer.ts'
import type { EndpointState, EndpointStates } from './balance/endpoint-state.ts'
import { isTrusted, nextCheckMs, noteProbe, type ProbeResult } from './balance/probe.ts'
import type { Cluster, Endpoint, HealthCheck } from './config.ts'
import { isMadeUp } from './config/made-up.ts'
import { probeGrpc, probeHttp } from './health/probe-http.ts'
import { probeTcp } from './health/probe-tcp.ts'
import type { Fault } from './http/fault.ts'
import type { Call } from './http/service.ts'
import { rawAlpn } from './tcp.ts'
import type { Upstream } from './upstream/upstream.ts'

/** What checking needs from outside. */
export interface HealthCheckParts {
  /** Connections of their own: made when the first cluster wants checks. */
  readonly createUpstream: () => Upstream
  readonly states: EndpointStates
  readonly wheel: TimerWheel
  readonly random: Random
  readonly nowMs: () => number
  /** Told of every result, and whether the endpoint is seen otherwise since. */
  readonly checked: (cluster: string, state: EndpointState, result: ProbeResult, changed: boolean) => void
}

/** Asks the endpoints of those clusters that want it, again and again, how they are. */
export interface HealthChecks {
  /** Follows a new configuration: what goes on being checked alike is not begun anew. `prepare` makes the endpoints known. */
  adopt(clusters: ReadonlyMap<string, Cluster>, prepare: (cluster: Cluster) => Balancer): void
  close(): void
}

/** The checks of one endpoint. */
interface Session {
  readonly state: EndpointState
  readonly check: HealthCheck
  cluster: Cluster
  stop(): void
}

/** Nothing runs, and nothing is made, before a cluster wants it. */
export function createHealthChecks(parts: HealthCheckParts): HealthChecks {
  const sessions = new Map<string, Map<string, Session>>()
  let upstream: Upstream | undefined
  const probed = new Map<string, Cluster>()

  const follow = (cluster: Cluster, check: HealthCheck, endpoints: readonly EndpointState[]): void => {
    const known = sessions.get(cluster.name)
    const next = new Map<string, Session>()
    const asProbed = probeCluster(cluster, check)
    probed.set(cluster.name, asProbed)
    for (const state of endpoints) {
      if (state.endpoint.healthCheck?.disabled === true) {
        state.probe = undefined
        continue
      }
      let session = known?.get(state.address)
      known?.delete(state.address)
      if (session?.state !== state || !isDeepStrictEqual(session.check, check)) {
        session?.stop()
        // Those that were there when checking began are believed in until the first result: switching it on refuses no call.
        state.probe ??= { status: known === undefined ? 'unchecked' : 'new', degraded: false, contrary: 0, why: '' }
        session = startSession(state, check, asProbed)
      }
      session.cluster = asProbed
      next.set(state.address, session)
    }
    for (const session of known?.values() ?? []) session.stop()
    sessions.set(cluster.name, next)
    seenOtherwise(cluster.name)
  }
  const end = (name: string): void => {
    for (const session of sessions.get(name)?.values() ?? []) {
      session.stop()
      session.state.probe = undefined
    }
    sessions.delete(name)
    probed.delete(name)
    seenOtherwise(name)
  }
  const seenOtherwise = (name: string): void => {
    const shared = parts.states.clusters.get(name)
    if (shared !== undefined) shared.version++
  }

  const startSession = (state: EndpointState, check: HealthCheck, cluster: Cluster): Session => {
    let stopped = false
    let abandon: (fault: Fault) => void = () => {}
    const run = (): void => {
      const own = { ...parts, upstream: (upstream ??= parts.createUpstream()) }
      const abandoned = (stop: (fault: Fault) => void): void => void (abandon = stop)
      probeOnce(session, own, abandoned).then(
        (result) => void (stopped || note(result)),
        (bug: unknown) => void (stopped || note({ kind: 'failed', wrong: false, why: String(bug) })),
      )
    }
    const note = (result: ProbeResult): void => {
      const { probe } = state
      const shared = parts.states.clusters.get(cluster.name)
      if (probe === undefined || shared === undefined) return
      const wasTrusted = isTrusted(probe)
      const changed = noteProbe(probe, result, check)
      const healthy = isTrusted(probe)
      if (healthy && !wasTrusted) state.healthySinceMs = parts.nowMs()
      if (changed) shared.version++
      if (result.kind === 'passed' && session.cluster.outlierDetection?.passedCheckReturns === true)
        shared.returnNow(state)
      parts.checked(cluster.name, state, result, changed)
      timer.start(nextCheckMs(check, { healthy, changed: healthy !== wasTrusted, used: shared.used }, parts.random))
    }
    const timer = parts.wheel.timer(run)
    const session: Session = {
      state,
      check,
      cluster,
      stop() {
        stopped = true
        timer.cancel()
        abandon(over)
      },
    }
    timer.start(parts.random.below(check.initialJitterMs))
    return session
  }

  return {
    adopt(clusters, prepare) {
      for (const name of sessions.keys()) if (clusters.get(name)?.healthCheck === undefined) end(name)
      for (const cluster of clusters.values())
        if (cluster.healthCheck !== undefined && !isMadeUp(cluster))
          follow(cluster, cluster.healthCheck, prepare(cluster).all)
      upstream?.adopt(probed)
    },
    close() {
      for (const name of sessions.keys()) end(name)
      upstream?.close()
    },
  }
}

const over: Fault = { kind: 'draining', side: 'self', retry: 'safe' }
const unlimited = Number.MAX_SAFE_INTEGER

/** The same endpoints with connections that are for checks: in their protocol, without limits. */
function probeCluster({ protocolBy: _by, ...cluster }: Cluster, { probe, reuseConnection }: HealthCheck): Cluster {
  const upstreamProtocol =
    probe.kind === 'grpc' || (probe.kind === 'http' && probe.protocol === 'h2') ? 'h2' : 'http/1.1'
  const other = upstreamProtocol === 'h2' ? 'http/1.1' : 'h2'
  const transports = new Map(
    Array.from(cluster.transports, ([name, secure]) => [
      name,
      secure && { ...secure, alpn: secure.alpn.filter((one) => one !== other) },
    ]),
  )
  return {
    ...cluster,
    upstreamProtocol,
    transports,
    connections: reuseConnection ? {} : { maxCalls: 1 },
    limits: { ...cluster.limits, maxConnections: unlimited, maxPendingRequests: unlimited, maxRequests: unlimited },
  }
}

/** One check, of which the result comes within its time in any case. */
async function probeOnce(
  { state, check, cluster }: Session,
  { upstream, wheel, nowMs }: Pick<HealthCheckParts, 'wheel' | 'nowMs'> & { readonly upstream: Upstream },
  abandoned: (stop: (fault: Fault) => void) => void,
): Promise<ProbeResult> {
  const { probe, timeoutMs } = check
  const endpoint = probedEndpoint(state.endpoint)
  let stop: (fault: Fault) => void = () => {}
  const onStop = (next: (fault: Fault) => void): void => void (stop = next)
  abandoned((fault) => stop(fault))
  const host = state.endpoint.healthCheck?.host ?? cluster.name
  const send = { send: (call: Call) => upstream.send(cluster, endpoint, call), host, nowMs, onStop }
  const running =
    probe.kind === 'http'
      ? probeHttp(probe, send)
      : probe.kind === 'grpc'
        ? probeGrpc(probe, send)
        : probeTcp(probe, {
            connect: () => upstream.connectTcp(cluster, endpoint, ourselves, rawAlpn(cluster, endpoint)),
            onStop,
          })
  const late = Promise.withResolvers<ProbeResult>()
  const timer = wheel.after(timeoutMs, () => {
    late.resolve({ kind: 'failed', wrong: false, why: `no answer within ${timeoutMs} ms` })
    stop({ kind: 'timeout', side: 'upstream', retry: 'if-idempotent', what: 'request', timeoutMs })
  })
  const result = await Promise.race([running, late.promise])
  timer.cancel()
  return result
}

const ourselves = { remote: { host: '127.0.0.1', port: 0 }, local: { host: '127.0.0.1', port: 0 } }

/** Where the endpoint wants to be asked how it is. One object for each, by which pools are found again. */
function probedEndpoint(endpoint: Endpoint): Endpoint {
  const port = endpoint.healthCheck?.port
  if (port === undefined) return endpoint
  let moved = elsewhere.get(endpoint)
  if (moved === undefined)
    elsewhere.set(endpoint, (moved = { ...endpoint, address: { host: endpoint.address.host, port } }))
  return moved
}
const elsewhere = new WeakMap<Endpoint, Endpoint>()
