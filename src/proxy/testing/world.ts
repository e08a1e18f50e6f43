import { execFile } from 'node:child_process'
import { Socket as Datagrams } from 'node:dgram'
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type { Address } from '../../base/address.ts'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import type { Machine } from '../../base/machine.ts'
import { seeded } from '../../base/random.ts'
import { settable, type Settable } from '../../base/watchable.ts'
import type { ProxyConfig } from '../config.ts'
import { bindDatagrams } from '../listener/datagrams.ts'
import { createProxy, type Proxy } from '../proxy.ts'
import type { CapturedParts } from '../captured-traffic.ts'
import type { IdentityMaterial } from '../sidecar-messages.ts'
import { createMetrics, type Metrics } from '../telemetry/metrics.ts'

export const nobody: IdentityMaterial = {
  spiffeId: '',
  keyPem: '',
  chainPem: '',
  trustBundlePem: '',
  notAfterMs: Infinity,
}

/** A listening socket on a free port, and a program behind it; closed with the test. */
export async function program(t: TestContext, accept: (socket: Socket) => void): Promise<Address> {
  const sockets = new Set<Socket>()
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    accept(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

/** Sockets that are bound already, by their address, for the proxy that will serve there. */
const held = new Map<string, net.Server | Datagrams>()

/** An address for a proxy's listener. It is bound from now on, so that nobody else can be given it, and handed to the proxy as it asks. */
export async function ownAddress(t: TestContext): Promise<Address> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return hold({ host: '127.0.0.1', port: (server.address() as AddressInfo).port }, server)
}

/** The same for datagrams. */
export async function ownDatagramAddress(t: TestContext): Promise<Address> {
  const { socket } = await bindDatagrams({ host: '127.0.0.1', port: 0 })
  const address = hold({ host: '127.0.0.1', port: socket.address().port }, socket)
  // As long as no proxy has taken it.
  t.after(() => held.delete(keyOf(address)) && socket.close())
  return address
}

/** An address that refuses connections, all through the test: its port is that of a connection's own end, so that nobody can listen there. */
export async function refusingAddress(t: TestContext): Promise<Address> {
  const socket = net.connect(await program(t, () => {}))
  await once(socket, 'connect')
  t.after(() => socket.destroy())
  return { host: '127.0.0.1', port: socket.localPort ?? 0 }
}

const keyOf = ({ host, port }: Address): string => `${host}:${port}`

function hold(address: Address, socket: net.Server | Datagrams): Address {
  held.set(keyOf(address), socket)
  return address
}

/** What is held for this address, once; otherwise a socket that is bound now. */
async function listenOn(address: Address): Promise<net.Server> {
  const there = held.get(keyOf(address))
  held.delete(keyOf(address))
  if (there instanceof net.Server) return there
  const server = net.createServer().listen(address.port, address.host)
  await once(server, 'listening')
  return server
}

async function receiveOn(address: Address): ReturnType<typeof bindDatagrams> {
  const there = held.get(keyOf(address))
  held.delete(keyOf(address))
  return there instanceof Datagrams ? { socket: there, stop() {} } : bindDatagrams(address)
}

export interface TestProxy {
  readonly proxy: Proxy
  readonly config: Settable<ProxyConfig>
  readonly identity: Settable<IdentityMaterial>
  readonly metrics: Metrics
  readonly demanded: string[]
  /** Lines of the access log. */
  readonly logged: string[]
}

/** A whole proxy in this process; ready when returned, closed with the test. */
export async function startProxy(
  t: TestContext,
  initial: ProxyConfig,
  {
    identity = nobody,
    machine,
    demand = () => Promise.resolve(false),
    captured = {},
  }: {
    identity?: IdentityMaterial
    machine?: Machine
    demand?: (name: string, config: Settable<ProxyConfig>) => Promise<boolean>
    captured?: CapturedParts
  } = {},
): Promise<TestProxy> {
  const config = settable(initial)
  const identities = settable(identity)
  const metrics = createMetrics({ clock: systemClock })
  const demanded: string[] = []
  const logged: string[] = []
  const failed = Promise.withResolvers<never>()
  const orFail = <T>(opening: Promise<T>): Promise<T> => {
    opening.catch(failed.reject)
    return opening
  }
  const proxy = createProxy({
    config,
    identity: identities,
    demand: (name) => {
      demanded.push(name)
      return demand(name, config)
    },
    listen: (address) => orFail(listenOn(address)),
    listenUdp: (address) => orFail(receiveOn(address)),
    self: { workload: 'default/test-1', namespace: 'default', service: 'test', spiffeId: identity.spiffeId },
    ...(machine && { machine }),
    ...captured,
    metrics,
    accessLog: () => (line) => void logged.push(line),
    clock: systemClock,
    random: seeded(1),
    log: silentLog,
  })
  t.after(() => {
    proxy.close()
    metrics.close()
  })
  await Promise.race([proxy.ready, failed.promise])
  return { proxy, config, identity: identities, metrics, demanded, logged }
}

/** What `curl` makes of it: status, head and body. */
export function curl(...args: readonly string[]): Promise<{ exit: number; status: number; text: string }> {
  return new Promise((resolve) => {
    execFile('curl', ['-s', '-i', '-m', '10', ...args], { maxBuffer: 64_000_000 }, (error, stdout) => {
      const exit = error === null ? 0 : Number(error.code)
      const final = stdout.replace(/^(HTTP\/1\.1 200 OK\r\n\r\n|HTTP\/1\.1 100 Continue\r\n\r\n)+/, '')
      resolve({ exit, status: Number(final.slice(9, 12)), text: final })
    })
  })
}

/** Waits until `holds`, looking again each turn of the event loop. */
export async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise<void>((resolve) => setTimeout(resolve, 1))
}
