import dgram from 'node:dgram'
import net from 'node:net'
import tls from 'node:tls'

// All that we know of Node's own handles, which its types do not tell: the only place of the proxy.

/** The descriptor of an open socket. */
export function fileDescriptor(socket: net.Socket): number | undefined {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } | null }
  return handle?.fd === undefined || handle.fd < 0 ? undefined : handle.fd
}

/** The descriptor of a TCP connection whose bytes are what its programs say: undefined for TLS, for Unix sockets, and when it is closed. */
export function plainDescriptor(socket: net.Socket): number | undefined {
  return socket instanceof tls.TLSSocket || socket.remoteFamily === undefined ? undefined : fileDescriptor(socket)
}

/**
 * A bound UDP socket that another process handed over; it receives from now on, until `stop`: answers may leave still. Undefined when the
 * handle is none.
 */
export function datagramsFrom(
  handle: unknown,
  family: 4 | 6,
): { readonly socket: dgram.Socket; readonly stop: () => void } | undefined {
  if (typeof handle !== 'object' || handle === null || !('recvStart' in handle)) return undefined
  const socket = dgram.createSocket(family === 6 ? 'udp6' : 'udp4')
  socket.on('error', () => {})
  // A handle instead of a port is what Node itself does between processes; its types do not say so.
  socket.bind(handle as never)
  const { recvStop } = handle as { recvStop?: () => void }
  let closed = false
  socket.once('close', () => (closed = true))
  return { socket, stop: () => void (closed || recvStop?.call(handle)) }
}

/** A TCP connection that another process opened and handed over: nothing is read yet, each way has its own end; undefined when the handle is none. */
export function socketFrom(handle: unknown): net.Socket | undefined {
  if (typeof handle !== 'object' || handle === null || !('readStart' in handle)) return undefined
  // The types know handles of another kind only.
  const options: object = { handle, allowHalfOpen: true, manualStart: true, readable: true, writable: true }
  const socket = new net.Socket(options as net.SocketConstructorOpts)
  socket.on('error', () => {})
  socket.setNoDelay(true)
  return socket
}

/** The handle of a connection that nobody has read from, to be sent to another process. The socket is to be destroyed once it is there. */
export function detachHandle(socket: net.Socket): unknown {
  const { _handle: handle } = socket as unknown as { readonly _handle?: object | null }
  return handle ?? undefined
}
