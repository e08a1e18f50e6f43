import type { Socket } from 'node:net'
import { inboundPassthroughCluster } from '../xds/names.ts'
import { socketOpening } from './arrival.ts'
import type { Cluster } from './config.ts'
import type { Tracked } from './listener/listener.ts'
import { originalDestination } from './listener/original-destination.ts'
import { shortage } from './overload.ts'
import type { Shared } from './shared.ts'
import type { Snapshot } from './snapshot.ts'
import { serveTcp, tunnelPlan } from './tcp.ts'

/** A port of this machine that nobody declared gets its connections as they are, as if no rule had caught them. Source: Istio's InboundPassthroughCluster. */
const asTheyAre: Cluster = {
  name: inboundPassthroughCluster,
  connectTimeoutMs: 5000,
  loadBalancing: { kind: 'round-robin' },
  discovery: 'dynamic-forward',
  endpoints: [],
  transports: new Map(),
  limits: {
    maxConnections: 0xff_ff_ff_ff,
    maxPendingRequests: 0,
    maxRequests: 0,
    retryBudgetPercent: 0,
    minRetryConcurrency: 0,
  },
  upstreamProtocol: 'http/1.1',
  idleTimeoutMs: 0,
  outlierDetection: undefined,
  panicThresholdPercent: 0,
  origin: undefined,
}

/** Joins the connection to where it was for. One that no rule sent here would only come back, and is cut. */
export function passOn(
  socket: Socket,
  tracked: Tracked,
  { shared, snapshot }: { readonly shared: Shared; readonly snapshot: Snapshot },
): void {
  const destination = originalDestination(socket)
  if (destination === undefined || destination.port === socket.localPort) return void socket.destroy()
  if (shortage(tracked, shared.overload) !== undefined) return void socket.resetAndDestroy()
  tracked.become({ drain() {}, destroy: () => void socket.destroy() })
  const { source, destination: local } = socketOpening(socket)
  const peer = { remote: source, local, principal: undefined, tls: false, destination }
  const plan = { ...tunnelPlan, clusters: [{ cluster: asTheyAre.name, weight: 1 }], accessLog: undefined }
  void serveTcp(socket, { direction: 'inbound', peer, plan, cluster: asTheyAre, target: destination, snapshot, shared })
}
