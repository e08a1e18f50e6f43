import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'

// Sockets as Node's own handles, which go from process to process without being read on the way. Of Node's insides, nothing else here.

/** Binds a TCP socket that nobody listens on yet, on IPv6 and, where the machine has only that, on IPv4. */
export function boundTcp(port: number): object {
  // Not in Node's typings; what `node:cluster` uses for the same purpose.
  const { _createServerHandle: create } = net as unknown as {
    _createServerHandle: (host: string, port: number, family: 4 | 6) => object | number
  }
  const dual = create('::', port, 6)
  const handle = typeof dual === 'number' ? create('0.0.0.0', port, 4) : dual
  if (typeof handle === 'number') throw new Error(`port ${port}: error ${handle}`)
  return handle
}

/** A UDP socket bound to one address, so that answers come from where they are expected: its handle, or why there is none ("EADDRINUSE"). */
export async function boundUdp(
  host: string,
  port: number,
): Promise<{ readonly handle: object } | { readonly error: string }> {
  const socket = dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4')
  try {
    socket.bind({ address: host, port, exclusive: true })
    await once(socket, 'listening')
  } catch (error) {
    socket.close()
    return { error: error instanceof Error && 'code' in error ? String(error.code) : String(error) }
  }
  const state = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol')
  const inner = state && (socket as unknown as Record<symbol, { handle?: { recvStop(): void } }>)[state]
  inner?.handle?.recvStop()
  return inner?.handle === undefined ? { error: 'this Node keeps its sockets elsewhere' } : { handle: inner.handle }
}

/** Opens a connection that nothing is read from here; its handle, or why there is none. The connection ends when `done` is called. */
export async function openTcp(
  port: number,
): Promise<{ readonly handle: object; done(): void } | { readonly error: string }> {
  const socket = net.connect({ host: '127.0.0.1', port, noDelay: true })
  // Before it is open: else the first bytes of a server that speaks first would be read here.
  socket.pause()
  try {
    await once(socket, 'connect')
  } catch (error) {
    return { error: error instanceof Error && 'code' in error ? String(error.code) : String(error) }
  }
  socket.on('error', () => {})
  const { _handle: handle } = socket as unknown as { readonly _handle?: object | null }
  if (handle === undefined || handle === null) return { error: 'ECONNRESET' }
  return { handle, done: () => void socket.destroy() }
}
