import { formatAddress } from '../../base/address.ts'
import type { Cluster, Endpoint } from '../config.ts'

/** What is known about one endpoint of one cluster beyond its configuration. Outlives configurations. */
export interface EndpointState {
  /** As in the newest configuration that has it. */
  endpoint: Endpoint
  /** "host:port", as in `Trace.tried`. */
  readonly address: string
  /** Since when it has been there, by the monotonic clock: what slow start is reckoned from. */
  healthySinceMs: number
  /** Calls sent there whose answer has not ended. */
  activeCalls: number
  /** Peak EWMA of the time to a reply's head, ms, as of `latencyAtMs` by the monotonic clock; 0 there: no answer yet. */
  latencyMs: number
  latencyAtMs: number
  consecutive5xx: number
  consecutiveGatewayFailures: number
  ejected: boolean
  /** When the last ejection ends or ended, by the monotonic clock; 0: there was none. */
  ejectedUntilMs: number
  /** How long the next ejection is, in multiples of the base; sinks again while all goes well. */
  ejections: number
}

/** What balancing takes an endpoint for: what discovery says of it, and how it has done. */
export function healthOf({ endpoint, ejected }: EndpointState): Endpoint['health'] {
  return ejected && endpoint.health !== 'draining' ? 'unhealthy' : endpoint.health
}

/** The endpoints of one cluster. */
export interface ClusterState {
  readonly endpoints: Map<string, EndpointState>
  /** Grows with every ejection and every new configuration: balancers compare it to what they built their tables from. */
  version: number
  /** When the next ejected endpoint comes back, by the monotonic clock; Infinity: none is ejected. */
  nextReturnMs: number
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
export function createEndpointStates(): EndpointStates {
  const clusters = new Map<string, ClusterState>()
  return {
    clusters,
    adopt({ name, endpoints }, nowMs) {
      let state = clusters.get(name)
      if (state === undefined) {
        state = { endpoints: new Map(), version: 0, nextReturnMs: Infinity }
        clusters.set(name, state)
      }
      const left = new Set(state.endpoints.keys())
      for (const endpoint of endpoints) {
        const address = formatAddress(endpoint.address)
        left.delete(address)
        const known = state.endpoints.get(address)
        if (known) known.endpoint = endpoint
        else state.endpoints.set(address, fresh(endpoint, address, nowMs))
      }
      for (const address of left) state.endpoints.delete(address)
      state.version++
      return state
    },
    retain(names) {
      for (const name of clusters.keys()) if (!names.has(name)) clusters.delete(name)
    },
  }
}

function fresh(endpoint: Endpoint, address: string, nowMs: number): EndpointState {
  return {
    endpoint,
    address,
    healthySinceMs: nowMs,
    activeCalls: 0,
    latencyMs: 0,
    latencyAtMs: 0,
    consecutive5xx: 0,
    consecutiveGatewayFailures: 0,
    ejected: false,
    ejectedUntilMs: 0,
    ejections: 0,
  }
}
