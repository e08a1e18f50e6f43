import type { Socket } from 'node:net'
import type { Call, CallDetail } from '../http/service.ts'

/** Notes which connection an attempt goes on, if anybody wants to know. */
export function tellConnection(
  { trace: { detail } }: Pick<Call, 'trace'>,
  socket: Socket,
  protocol?: CallDetail['upstreamProtocol'],
): void {
  if (detail === undefined) return
  if (detail.nowMs !== undefined) detail.sentMs = detail.nowMs()
  const { localAddress: host, localPort: port } = socket
  if (host !== undefined && port !== undefined) detail.upstreamLocal = { host, port }
  if (protocol !== undefined) detail.upstreamProtocol = protocol
}
