import type { Socket } from 'node:net'
import type { Address } from '../base/address.ts'
import type { Clock } from '../base/clock.ts'
import type { Listener } from './config.ts'
import type { Opening } from './detect/choose-chain.ts'
import { readClientHello } from './detect/client-hello.ts'
import { readHttpOpening } from './detect/http-opening.ts'
import { peek } from './detect/peek.ts'
import { readProxyHeader } from './detect/proxy-header.ts'
import { originalDestination } from './listener/original-destination.ts'

/** A connection whose opening has been seen, or why it is not taken; "closed": it went away. */
export type Arrival = Opening | 'closed' | { readonly refused: string; readonly detail: string }

/** The first bytes of a plain-text connection say nothing. */
export const plain = { serverName: undefined, transportProtocol: 'raw_buffer', applicationProtocols: [] } as const

/** The addresses of a socket as its own ends have them. */
export const socketOpening = (socket: Socket): Pick<Opening, 'source' | 'destination' | 'directSource'> => {
  const source: Address = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }
  return {
    source,
    destination: { host: socket.localAddress ?? '', port: socket.localPort ?? 0 },
    directSource: source.host,
  }
}

/**
 * What is to be known of a connection before a chain is chosen, in the order of the wire: PROXY header, then TLS's ClientHello or HTTP's
 * first line. `known`: what another listener has found out that it came to first.
 */
export function arrive(
  socket: Socket,
  listener: Listener,
  clock: Clock,
  then: (arrival: Arrival) => void,
  known?: Opening,
): void {
  const { proxyProtocol } = listener
  const own: Opening = known ?? {
    ...socketOpening(socket),
    ...plain,
    ...(listener.restoresDestination && restored(originalDestination(socket), socket)),
  }
  if (proxyProtocol === undefined) return inspect(socket, listener, own, clock, then)
  const look = (bytes: Buffer): ReturnType<typeof readProxyHeader> => readProxyHeader(bytes)
  const taken = (seen: Exclude<ReturnType<typeof look>, 'more'>): number => ('length' in seen ? seen.length : 0)
  void peek(socket, look, listener.inspectTimeoutMs, clock, taken).then((peeked) => {
    if (peeked.kind === 'closed') return then('closed')
    if (peeked.kind === 'silent')
      return proxyProtocol.optional && listener.continueOnInspectTimeout === true
        ? then(own)
        : then(refused(`no PROXY header within ${listener.inspectTimeoutMs} ms`))
    const { seen } = peeked
    if (seen.kind === 'bad') return then(refused(`a bad PROXY header: ${seen.why}`))
    if (seen.kind === 'none' && !proxyProtocol.optional) return then(refused('no PROXY header'))
    if (seen.kind === 'header' && !proxyProtocol.versions.includes(seen.version))
      return then(refused(`a PROXY header of version ${seen.version}`))
    const told = seen.kind === 'header' ? seen.addresses : undefined
    inspect(socket, listener, { ...own, ...told, ...restored(told?.destination, socket) }, clock, then)
  })
}

/** Of a connection that was for another end than the socket's. */
const restored = (
  destination: Address | undefined,
  socket: Socket,
): Pick<Opening, 'destination' | 'restored'> | undefined =>
  destination === undefined || (destination.host === socket.localAddress && destination.port === socket.localPort)
    ? undefined
    : { destination, restored: destination }

const refused = (detail: string): Arrival => ({ refused: 'proxy-protocol', detail })

function inspect(
  socket: Socket,
  listener: Listener,
  opening: Opening,
  clock: Clock,
  then: (arrival: Arrival) => void,
): void {
  if (!listener.inspectTls || opening.transportProtocol === 'tls')
    return inspectHttp(socket, listener, opening, clock, then)
  void peek(socket, readClientHello, listener.inspectTimeoutMs, clock).then((peeked) => {
    if (peeked.kind === 'closed') return then('closed')
    if (peeked.kind === 'silent') return then(silence(listener) ?? opening)
    if (peeked.seen === 'other') return inspectHttp(socket, listener, opening, clock, then)
    then({ ...opening, transportProtocol: 'tls', ...peeked.seen })
  })
}

function inspectHttp(
  socket: Socket,
  listener: Listener,
  opening: Opening,
  clock: Clock,
  then: (arrival: Arrival) => void,
): void {
  if (listener.inspectHttp !== true || opening.transportProtocol === 'tls') return then(opening)
  void peek(socket, readHttpOpening, listener.inspectTimeoutMs, clock).then((peeked) => {
    if (peeked.kind === 'closed') return then('closed')
    if (peeked.kind === 'silent') return then(silence(listener) ?? opening)
    then(peeked.seen === 'other' ? opening : { ...opening, applicationProtocols: [peeked.seen] })
  })
}

/** What becomes of those that say nothing; undefined: they are taken as they are. */
const silence = ({ continueOnInspectTimeout, inspectTimeoutMs }: Listener): Arrival | undefined =>
  continueOnInspectTimeout === true
    ? undefined
    : { refused: 'silent', detail: `nothing came within ${inspectTimeoutMs} ms` }
