import { formatAddress } from '../../base/address.ts'
import type { Cluster, Endpoint, HealthStatus } from '../config.ts'
import { isTrusted, type Probe } from './probe.ts'
import { emptyWindow, type Window } from './window.ts'

/** What is known about one endpoint of one cluster beyond its configuration. Outlives configurations. */
export interface EndpointState {
  /** As in the newest configuration that has it. */
  endpoint: Endpoint
  /** "host:port", as in `Trace.tried`. */
  readonly address: string
  /** Since when it has been there, or healthy again, by the monotonic clock: what slow start is reckoned from. */
  healthySinceMs: number
  /** What active checks found out; undefined: nobody asks. */
  probe: Probe | undefined
  /** Calls sent there whose answer has not ended. */
  activeCalls: number
  /** The last that was sent there met nobody, or was cut off: a repeat goes elsewhere while it can. */
  isCut: boolean
  /** Peak EWMA of the time to a reply's head, ms, as of `latencyAtMs` by the monotonic clock; 0 there: none is known yet. */
  latencyMs: number
  latencyAtMs: number
  /** Its first answer, which is not reckoned, has come. */
  hasAnswered: boolean
  /** A call was sent to it although another one seemed faster, to see whether it still is. */
  onTrial: boolean
  /** What it says itself of how much it can take; undefined: nothing. */
  reported: ReportedWeight | undefined
  consecutive5xx: number
  consecutiveGatewayFailures: number
  /** Where they are told apart from failures that were answered. */
  consecutiveLocalFailures: number
  /** What is counted in the interval that is running. */
  readonly window: Window
  /** Share of good answers in the last interval that was judged, percent; -1: there was none. */
  successRate: number
  ejected: boolean
  /** While it is ejected. */
  ejectedFor: EjectionReason | undefined
  /** When the last ejection ends or ended, by the monotonic clock; 0: there was none. */
  ejectedUntilMs: number
  /** How long the next ejection is, in multiples of the base; sinks again while all goes well. */
  ejections: number
}

/** What follows from an endpoint's own reports; times by the monotonic clock. */
export interface ReportedWeight {
  /** Calls a second for each unit of load; > 0. */
  weight: number
  /** Since when there have been reports without a gap. */
  sinceMs: number
  /** Of the last one. */
  atMs: number
}

/** What balancing takes an endpoint for: what discovery says of it, how it has done, and how it answers when it is asked. */
export function healthOf({ endpoint: { health }, ejected, probe }: EndpointState): Endpoint['health'] {
  if (health === 'draining') return health
  if (ejected || (probe !== undefined && !isTrusted(probe))) return 'unhealthy'
  return health === 'healthy' && probe?.degraded === true ? 'degraded' : health
}

/** The same in the words of discovery, with which a cluster says who may be asked for by name. Source: Envoy, `HostImplBase::healthStatus`. */
export function healthStatusOf(state: EndpointState): HealthStatus {
  const { endpoint, ejected, probe } = state
  if (ejected || (probe !== undefined && !isTrusted(probe))) return 'unhealthy'
  const { healthStatus = endpoint.health } = endpoint
  return endpoint.health === 'healthy' && probe?.degraded === true ? 'degraded' : healthStatus
}

/** The rule by which an endpoint was ejected. */
export type EjectionReason =
  | 'consecutive-5xx'
  | 'consecutive-gateway-failure'
  | 'consecutive-local-origin-failure'
  | 'success-rate'
  | 'failure-percentage'
  | 'local-origin-success-rate'
  | 'local-origin-failure-percentage'

/** Hears of ejections. */
export interface EjectionObserver {
  /** A rule has found an endpoint out; `overflow`: too many are out already. */
  judged(
    cluster: string,
    address: string,
    reason: EjectionReason,
    outcome: 'ejected' | 'not-enforced' | 'overflow',
  ): void
  /** So many of the cluster's endpoints are ejected now. */
  ejected(cluster: string, count: number): void
}

/** The endpoints of one cluster. */
export interface ClusterState {
  readonly endpoints: Map<string, EndpointState>
  /** Grows with every ejection and every new configuration: balancers compare it to what they built their tables from. */
  version: number
  /** When the next ejected endpoint comes back, by the monotonic clock; Infinity: none is ejected. */
  nextReturnMs: number
  /** An endpoint has been picked. */
  used: boolean
  /** When the interval of statistics ends; 0: none has begun. */
  windowEndMs: number
  judged(state: EndpointState, reason: EjectionReason, outcome: 'ejected' | 'not-enforced' | 'overflow'): void
  /** Ends an ejection, if there is one. */
  returnNow(state: EndpointState): void
  /** To be called when the number of ejected ones may have changed. */
  counted(): void
}

/** All that balancing remembers, by cluster name and address: one per process, handed to every balancer. */
export interface EndpointStates {
  /** The states of `cluster`'s endpoints, the known ones kept; addresses that it no longer has are forgotten. */
  adopt(cluster: Cluster, nowMs: number): ClusterState
  /** Forgets every cluster but these. Called when a configuration has been replaced. */
  retain(clusters: Pick<ReadonlySet<string>, 'has'>): void
  /** By cluster name; for records and dumps. */
  readonly clusters: ReadonlyMap<string, ClusterState>
}

/** Empty at first. */
export function createEndpointStates(observer: EjectionObserver = nobody): EndpointStates {
  const clusters = new Map<string, ClusterState>()
  return {
    clusters,
    adopt({ name, endpoints }, nowMs) {
      let state = clusters.get(name)
      if (state === undefined) {
        clusters.set(name, (state = newCluster(name, observer)))
      }
      const left = new Set(state.endpoints.keys())
      for (const endpoint of endpoints) {
        const address = formatAddress(endpoint.address)
        left.delete(address)
        const known = state.endpoints.get(address)
        if (known) {
          if (known.endpoint.health !== 'healthy' && endpoint.health === 'healthy') beginAgain(known, nowMs)
          known.endpoint = endpoint
        } else state.endpoints.set(address, fresh(endpoint, address, nowMs))
      }
      for (const address of left) state.endpoints.delete(address)
      state.version++
      state.counted()
      return state
    },
    retain(names) {
      for (const [name, state] of clusters)
        if (!names.has(name)) {
          clusters.delete(name)
          state.endpoints.clear()
          state.counted()
        }
    },
  }
}

/** It is in service again, its rows of failures forgotten. */
export function welcomeBack(state: EndpointState): void {
  state.ejected = false
  state.ejectedFor = undefined
  state.isCut = false
  state.consecutive5xx = state.consecutiveGatewayFailures = state.consecutiveLocalFailures = 0
}

/** Discovery says that it is well again: what is known of the time before, of a program that is gone, holds back no call. */
function beginAgain(state: EndpointState, nowMs: number): void {
  welcomeBack(state)
  state.healthySinceMs = nowMs
  state.latencyMs = state.latencyAtMs = 0
  state.hasAnswered = state.onTrial = false
  state.reported = undefined
}

const nobody: EjectionObserver = { judged() {}, ejected() {} }

function newCluster(name: string, observer: EjectionObserver): ClusterState {
  let known = 0
  return {
    endpoints: new Map(),
    version: 0,
    nextReturnMs: Infinity,
    used: false,
    windowEndMs: 0,
    judged({ address }, reason, outcome) {
      observer.judged(name, address, reason, outcome)
      if (outcome === 'ejected') this.counted()
    },
    returnNow(state) {
      if (!state.ejected) return
      welcomeBack(state)
      this.version++
      this.counted()
    },
    counted() {
      let count = 0
      for (const { ejected } of this.endpoints.values()) if (ejected) count++
      if (count !== known) observer.ejected(name, (known = count))
    },
  }
}

function fresh(endpoint: Endpoint, address: string, nowMs: number): EndpointState {
  return {
    endpoint,
    address,
    healthySinceMs: nowMs,
    probe: undefined,
    activeCalls: 0,
    isCut: false,
    latencyMs: 0,
    latencyAtMs: 0,
    hasAnswered: false,
    onTrial: false,
    reported: undefined,
    consecutive5xx: 0,
    consecutiveGatewayFailures: 0,
    consecutiveLocalFailures: 0,
    window: emptyWindow(),
    successRate: -1,
    ejected: false,
    ejectedFor: undefined,
    ejectedUntilMs: 0,
    ejections: 0,
  }
}
