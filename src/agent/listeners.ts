import net from 'node:net'
import { isUdp } from '../base/app-protocol.ts'
import { formatAddress, type Address } from '../base/address.ts'
import type { CaptureSockets } from './capture/host/host-capture.ts'
import { capturePorts } from './capture/namespace/messages.ts'
import type { Namespace } from './capture/namespace/namespace.ts'
import { refused, type AgentOptions, type ProgramPort, type Refused } from './options.ts'
import { bindSocket, type HeldSocket } from './sockets.ts'

/** Every socket of one workload: the agent holds them, the sidecar accepts on them. */
export interface Listeners {
  /** In the order of the declared ports, without those of UDP. */
  readonly inbound: readonly { readonly port: ProgramPort; readonly socket: HeldSocket }[]
  /** Ports of UDP, where the program itself is reached. */
  readonly datagrams: readonly { readonly port: ProgramPort; readonly address: Address }[]
  /** Takes the program's outbound calls. */
  readonly outbound: HeldSocket
  /** Takes the program's DNS over TCP; undefined: it asks elsewhere. */
  readonly dns: HeldSocket | undefined
  /** Only somebody inside of the program's namespace reaches its ports. */
  readonly isolated: boolean
  /** Ports of the program that could not be bound on this machine's loopback as well: somebody else has them. */
  readonly taken: readonly number[]
  readonly admin: HeldSocket
  readonly all: readonly HeldSocket[]
  close(): void
}

const loopback = '127.0.0.1'

/**
 * Binds them all or none. `inboundHost`: where inbound ports go that no `--inbound` speaks of. With a namespace the outbound ones are
 * its own, and the program's ports are bound on loopback too, so that whoever called it there still reaches it. `host`: the sockets of
 * rules in our own namespace. An Envoy binds the same addresses once more, since no socket can be handed to it.
 */
export function bindListeners(
  { ports, inbound, admin, envoy }: Pick<AgentOptions, 'ports' | 'inbound' | 'admin' | 'envoy'>,
  inboundHost: string,
  namespace?: Pick<Namespace, 'outbound' | 'dns' | 'datagrams' | 'carrier'>,
  host?: CaptureSockets,
): Listeners | Refused {
  // The sidecar has no part in datagrams.
  const chosen = chooseInbound(
    ports.filter(({ protocol }) => !isUdp(protocol)),
    inbound,
    inboundHost,
  )
  if ('refused' in chosen) return chosen
  const held: HeldSocket[] = []
  const close = (): void => held.forEach((socket) => socket.close())
  const bind = (address: Address, what: string): HeldSocket | Refused => {
    const socket = bindSocket(address, what, { shared: envoy !== undefined })
    if ('refused' in socket) close()
    else held.push(socket)
    return socket
  }
  const pairs: { port: ProgramPort; socket: HeldSocket }[] = []
  for (const { port, address } of chosen) {
    const socket = bind(address, `inbound address of port ${port.servicePort}`)
    if ('refused' in socket) return socket
    pairs.push({ port, socket })
  }
  const taken = namespace === undefined ? [] : bindProgramPorts(pairs, held)
  const caught = namespace ?? host
  const outboundSocket = caught?.outbound ?? bind({ host: loopback, port: 0 }, 'outbound address')
  if ('refused' in outboundSocket) return outboundSocket
  const adminSocket = bind(admin ?? { host: loopback, port: 0 }, 'admin address')
  if ('refused' in adminSocket) return adminSocket
  const carrier = namespace === undefined || 'missing' in namespace.carrier ? [] : [namespace.carrier]
  const inboundSocket = host?.inbound === true ? bindCaughtInbound(pairs) : undefined
  if (inboundSocket !== undefined) {
    if ('refused' in inboundSocket) {
      close()
      return refused(`${inboundSocket.refused}: one sidecar serves a network namespace`)
    }
    held.push(inboundSocket)
  }
  const captured =
    caught === undefined ? [] : [caught.outbound, caught.dns, ...(host?.also ?? []), ...caught.datagrams, ...carrier]
  return {
    inbound: pairs,
    datagrams: ports
      .filter(({ protocol }) => isUdp(protocol))
      .map((port) => ({ port, address: { host: inboundHost, port: port.targetPort } })),
    outbound: outboundSocket,
    dns: caught?.dns,
    isolated: namespace !== undefined,
    taken,
    admin: adminSocket,
    all: [...held, ...captured],
    close,
  }
}

/** Where the rules of a whole machine send what is for its ports: each is served as its inbound listener is, and that one's own port too. */
function bindCaughtInbound(pairs: Listeners['inbound']): HeldSocket | Refused {
  const caught = pairs.flatMap(({ port, socket: { address } }) => [
    { port: port.targetPort, address },
    { port: address.port, address },
  ])
  const bind = (host: string): HeldSocket | Refused =>
    bindSocket({ host, port: capturePorts.inbound }, 'capture socket', { caught })
  // Of both families, where there are two.
  const both = bind('::')
  return 'refused' in both ? bind('0.0.0.0') : both
}

/** Binds each of the program's own ports on loopback, for its inbound listener. Gives those that somebody else has. */
function bindProgramPorts(pairs: Listeners['inbound'], held: HeldSocket[]): number[] {
  const bound = new Set<number>(
    pairs.filter(({ socket }) => socket.address.host === loopback).map(({ socket }) => socket.address.port),
  )
  const taken: number[] = []
  for (const { port, socket } of pairs) {
    const address = { host: loopback, port: port.targetPort }
    if (bound.has(address.port)) continue
    bound.add(address.port)
    const also = bindSocket(address, 'port of the program', { also: socket.address })
    if ('refused' in also) taken.push(address.port)
    else held.push(also)
  }
  return taken
}

/** Pairs each `--inbound` with its port; what cannot be meant is wrong usage. */
export function chooseInbound(
  ports: AgentOptions['ports'],
  inbound: AgentOptions['inbound'],
  host: string,
): readonly { readonly port: ProgramPort; readonly address: Address }[] | Refused {
  const chosen = new Map<ProgramPort, Address>()
  for (const { port: wanted, address } of inbound) {
    const where = formatAddress(address)
    if (wanted === undefined && ports.length !== 1) {
      return refused(`--inbound ${where}: say which port is meant, as NAME=${where}`, 2)
    }
    const port = ports.find((one) => wanted === undefined || one.name === wanted || String(one.servicePort) === wanted)
    if (port === undefined) return refused(`--inbound ${wanted}=${where}: no --port has that name`, 2)
    if (chosen.has(port)) return refused(`--inbound is given twice for port ${port.servicePort}`, 2)
    if (net.isIP(address.host) === 0) return refused(`--inbound ${where}: give an IP address`, 2)
    chosen.set(port, address)
  }
  return ports.map((port) => ({ port, address: chosen.get(port) ?? { host, port: 0 } }))
}
