import type { Cluster, Endpoint } from './config.ts'
import { emptyBody } from './http/body.ts'
import type { Fault } from './http/fault.ts'
import type { Call, Reply } from './http/service.ts'
import { socketTunnel } from './upstream/socket-tunnel.ts'
import { tellConnection } from './upstream/tell-connection.ts'
import type { Upstream } from './upstream/upstream.ts'

/** Ends a CONNECT here: what goes through it is raw bytes to an endpoint. Source: Envoy, `connect_config`. */
export async function endConnect(
  upstream: Pick<Upstream, 'connectTcp'>,
  cluster: Cluster,
  endpoint: Endpoint,
  call: Call,
): Promise<Reply | Fault> {
  const reached = await upstream.connectTcp(cluster, endpoint, call.peer)
  if ('kind' in reached) return reached
  const { socket, principal } = reached
  call.trace.upstreamPrincipal = principal
  tellConnection(call, socket)
  call.onCancel(() => socket.destroy())
  return { status: 200, headers: [], body: emptyBody, tunnel: socketTunnel(socket, endpoint.address) }
}
