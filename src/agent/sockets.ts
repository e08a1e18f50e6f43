import net from 'node:net'
import { getSystemErrorMap } from 'node:util'
import type { ChildProcess } from 'node:child_process'
import { formatAddress, type Address } from '../base/address.ts'
import type { ToSidecar } from '../proxy/sidecar-messages.ts'
import { boundUdp } from './capture/namespace/inside-sockets.ts'
import { refused, type Refused } from './options.ts'

/**
 * A bound socket that this process owns and never accepts on. Whoever it is lent to listens; when that process dies the socket stays,
 * connections wait in its queue, and the next process takes them.
 */
export interface HeldSocket {
  readonly address: Address
  /** Hands a duplicate to a child, along with its `listener` message. */
  lend(child: ChildProcess): void
  close(): void
}

/** Node's own handle of a bound socket: what `net.Server` has inside. The only place where we touch it. */
interface BoundHandle {
  getsockname(into: { address?: string; port?: number }): number
  close(): void
}

/** How a socket is lent. */
export interface BindOptions {
  /** What comes here is served by the listener of this address, which is lent before. */
  readonly also?: Address
  /** What was caught on its way to one of these ports is served by the listener of that address; what was for others goes on to them. */
  readonly caught?: readonly { readonly port: number; readonly address: Address }[]
  /** Another program of ours binds and listens there too, by SO_REUSEPORT (Linux): the address stays ours while that one is away. */
  readonly shared?: boolean
  /** How whoever asked for it calls it; absent: by its address, which is another one than was asked for when the port was 0. */
  readonly calledAs?: Address
}

/** `UV_TCP_REUSEPORT` of libuv. */
const reusePort = 2

/** Binds; port 0 takes a free one. Refused with the reason (in use, not an address of this machine, not permitted). */
export function bindSocket(address: Address, what: string, options: BindOptions = {}): HeldSocket | Refused {
  const handle = createHandle(address, options.shared === true ? reusePort : 0)
  if (typeof handle === 'number') return refused(`${what} ${formatAddress(address)}: ${reasonOf(handle)}`)
  const bound: { address?: string; port?: number } = {}
  // libuv reports "in use" only when listening; a failed bind shows as another port. Source: Node's own check in lib/net.js.
  const failed =
    handle.getsockname(bound) !== 0 || bound.port === 0 || (address.port !== 0 && bound.port !== address.port)
  if (failed) {
    handle.close()
    return refused(`${what} ${formatAddress(address)}: the port is in use`)
  }
  return hold(handle, { host: address.host, port: bound.port ?? address.port }, options)
}

/** A bound TCP socket that another process handed over, as Node's own handle; undefined when that is none. `address` is its name. */
export function heldSocket(handle: unknown, address: Address): HeldSocket | undefined {
  return isHandle(handle) ? hold(handle, address, {}) : undefined
}

/** The same for UDP: for DNS, or, with `relay`, for frames that come from that port. */
export function heldDatagrams(handle: unknown, family: 4 | 6, relay?: number): HeldSocket | undefined {
  return isHandle(handle) ? holdDatagrams(handle, family, relay === undefined ? {} : { relay }) : undefined
}

/** Binds UDP; refused as TCP is. `captured`: it is for DNS, whatever the address; else it is known by its address. */
export async function bindDatagrams(
  address: Address,
  what: string,
  use: 'captured' | 'listener',
): Promise<HeldSocket | Refused> {
  const bound = await boundUdp(address.host, address.port)
  if ('handle' in bound && isHandle(bound.handle))
    return holdDatagrams(bound.handle, net.isIPv6(address.host) ? 6 : 4, use === 'captured' ? {} : { address })
  const code = 'error' in bound ? bound.error : ''
  return refused(`${what} ${formatAddress(address)}/udp: ${reasons[code] ?? code}`)
}

function holdDatagrams(
  handle: { close(): void },
  family: 4 | 6,
  known: { readonly address?: Address; readonly relay?: number },
): HeldSocket {
  const message: ToSidecar = { kind: 'datagrams', family, ...known }
  const address = known.address ?? { host: family === 4 ? '127.0.0.1' : '::1', port: 0 }
  // A handle goes as it is; the types know only sockets, which would be read here.
  return { address, lend: (child) => void child.send(message, handle as never, () => {}), close: () => handle.close() }
}

/** Passes on a handle that came from another process, and lets go of it here. False: the child is gone, and the handle still ours. */
export function passHandle(child: ChildProcess, message: ToSidecar, handle: unknown): boolean {
  if (!child.connected) return false
  // A handle goes as it is; the types know only sockets, which would be read here.
  child.send(message, handle as never, {}, () => isHandle(handle) && handle.close())
  return true
}

const isHandle = (handle: unknown): handle is { close(): void } =>
  typeof handle === 'object' && handle !== null && 'close' in handle

function hold(handle: { close(): void }, held: Address, { also, caught, calledAs = held }: BindOptions): HeldSocket {
  const server = new net.Server()
  // Gives the socket the type that Node's IPC hands over, without listening here: two that accept would share the connections.
  Object.assign(server, { _handle: handle })
  return {
    address: held,
    lend(child) {
      const address = calledAs
      const message: ToSidecar = { kind: 'listener', address, ...(also && { also }), ...(caught && { caught }) }
      child.send(message, server, () => {})
    },
    close: () => handle.close(),
  }
}

function createHandle({ host, port }: Address, flags: number): BoundHandle | number {
  // Not in Node's typings; what `node:cluster` uses for the same purpose.
  const { _createServerHandle: create } = net as unknown as {
    _createServerHandle: (
      host: string,
      port: number,
      family: 4 | 6,
      fd: undefined,
      flags: number,
    ) => BoundHandle | number
  }
  return create(host, port, net.isIPv6(host) ? 6 : 4, undefined, flags)
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'not an address of this machine',
  EACCES: 'not permitted (ports below 1024 need a privilege)',
  EINVAL: 'not an IP address',
}
const reasonOf = (code: number): string => {
  const name = getSystemErrorMap().get(code)?.[0] ?? `error ${code}`
  return reasons[name] ?? name
}
