import fs from 'node:fs'
import net from 'node:net'
import tls from 'node:tls'
import { Server, ServerCredentials, type ServerOptions } from '@grpc/grpc-js'
import type { Address } from '../../base/address.ts'
import type { Log } from '../../base/log.ts'
import type { Watchable } from '../../base/watchable.ts'
import { peerIdentity, serverContext } from './endpoint-tls.ts'
import type { Caller, HostedService } from './service.ts'

/** The key and certificate that the control plane shows; leaf first. */
export interface ServerCertificate {
  readonly keyPem: string
  readonly chainPem: string
}

export interface GrpcEndpointOptions {
  /** Where to listen over TLS; port 0 picks a free one. */
  readonly address?: Address
  /** A Unix socket for the same user (0600), plain HTTP/2. An old file of that name is replaced. */
  readonly unixPath?: string
  /** A new value serves the next connection; existing ones go on. */
  readonly serverCertificate: Watchable<ServerCertificate>
  /** Roots that vouch for client certificates. */
  readonly clientTrustPem: Watchable<string>
  readonly services: readonly HostedService[]
  readonly log: Log
}

/** The gRPC door of the control plane. */
export interface GrpcEndpoint {
  /** The bound TLS address; undefined without one. */
  readonly address: Address | undefined
  /** Ends every connection and stops listening. */
  close(): Promise<void>
}

/** A client that vanished is noticed after 15 s of silence and 10 s without an answer to the ping. */
const serverOptions: ServerOptions = {
  'grpc.keepalive_time_ms': 15_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.enable_channelz': 0,
  'grpc.max_connection_idle_ms': 300_000,
}
const handshakeTimeoutMs = 10_000

/**
 * Serves the services over TLS with an optional client certificate (a workload that joins has none yet), over a Unix socket, or both.
 * grpc-js knows no optional client certificates, so TLS is ended here and the plain streams are handed to it (its connection
 * injector). Rejects when an address cannot be bound.
 */
export async function startGrpcEndpoint(options: GrpcEndpointOptions): Promise<GrpcEndpoint> {
  const doors: Door[] = []
  try {
    if (options.unixPath !== undefined) doors.push(await openUnixDoor(options.unixPath, options))
    if (options.address !== undefined) doors.push(await openTlsDoor(options.address, options))
  } catch (error) {
    await Promise.all(doors.map((door) => door.close()))
    throw error
  }
  return {
    address: doors.find((door) => door.address !== undefined)?.address,
    close: async () => void (await Promise.all(doors.map((door) => door.close()))),
  }
}

interface Door {
  readonly address: Address | undefined
  close(): Promise<void>
}

async function openTlsDoor(address: Address, options: GrpcEndpointOptions): Promise<Door> {
  const { serverCertificate, clientTrustPem, log } = options
  /** By `host:port` of the peer, as `call.getPeer()` gives it: unique among the connections of one listening socket. */
  const callers = new Map<string, Caller>()
  const server = hostingServer(options, (call) => callers.get(call.getPeer()))
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  const context = (): tls.SecureContextOptions => serverContext(serverCertificate.value, clientTrustPem.value)

  const listening = tls.createServer({
    ...context(),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    handshakeTimeout: handshakeTimeoutMs,
  })
  const renew = (): void => {
    try {
      listening.setSecureContext(context())
    } catch (error) {
      log.error('the new server certificate cannot be used, the old one stays', { reason: String(error) })
    }
  }
  const stopWatching = [serverCertificate.watch(renew), clientTrustPem.watch(renew)]
  const sockets = trackSockets(listening)
  listening.on('tlsClientError', (error) => log.debug('TLS handshake failed', { reason: error.message }))
  listening.on('secureConnection', (socket) => {
    socket.on('error', (error) => log.debug('connection broke', { reason: error.message }))
    const identity = peerIdentity(socket)
    const peer = `${socket.remoteAddress}:${socket.remotePort}`
    if ('refused' in identity) {
      log.warn('client certificate refused', { peer, reason: identity.refused })
      socket.destroy()
      return
    }
    if (socket.remoteAddress === undefined) return void socket.destroy()
    const caller: Caller = { ...identity, local: false, disconnect: () => void socket.destroy() }
    callers.set(peer, caller)
    socket.once('close', () => {
      if (callers.get(peer) === caller) callers.delete(peer)
    })
    socket.setNoDelay(true)
    injector.injectConnection(socket)
  })
  await listen(listening, { host: address.host, port: address.port })
  return {
    address: { host: address.host, port: (listening.address() as net.AddressInfo).port },
    async close() {
      for (const stop of stopWatching) stop()
      injector.destroy()
      await closeDoor(listening, server, sockets)
    },
  }
}

async function openUnixDoor(path: string, options: GrpcEndpointOptions): Promise<Door> {
  const local: Caller = { local: true, disconnect() {} }
  const server = hostingServer(options, () => local)
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  const listening = net.createServer((socket) => {
    socket.on('error', (error) => options.log.debug('local connection broke', { reason: error.message }))
    injector.injectConnection(socket)
  })
  const sockets = trackSockets(listening)
  fs.rmSync(path, { force: true })
  // No moment in which others could connect: the folder is private too, but the socket is born private.
  const umask = process.umask(0o177)
  try {
    await listen(listening, { path })
  } finally {
    process.umask(umask)
  }
  fs.chmodSync(path, 0o600)
  return {
    address: undefined,
    async close() {
      injector.destroy()
      await closeDoor(listening, server, sockets)
      fs.rmSync(path, { force: true })
    },
  }
}

/** One grpc-js server a door: what a door knows about its callers holds for every call that comes through it. */
function hostingServer(
  { services, log }: GrpcEndpointOptions,
  callerOf: (call: { getPeer(): string }) => Caller | undefined,
): Server {
  const server = new Server(serverOptions)
  const onBug = (error: unknown): void =>
    log.error('a handler failed', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  for (const service of services) server.addService(service.definition, service.implement(callerOf, onBug))
  return server
}

function trackSockets(listening: net.Server): ReadonlySet<net.Socket> {
  const sockets = new Set<net.Socket>()
  listening.on('connection', (socket: net.Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  })
  return sockets
}

function listen(listening: net.Server, where: net.ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    listening.once('error', reject)
    listening.listen(where, () => {
      listening.off('error', reject)
      listening.on('error', () => {})
      resolve()
    })
  })
}

async function closeDoor(listening: net.Server, server: Server, sockets: ReadonlySet<net.Socket>): Promise<void> {
  server.forceShutdown()
  const closed = new Promise<void>((resolve) => listening.close(() => resolve()))
  for (const socket of sockets) socket.destroy()
  await closed
}
