import type { Socket } from 'node:net'
import { unmapped, type Address } from '../base/address.ts'
import type { Listener } from './config.ts'
import type { Opening } from './detect/choose-chain.ts'
import type { ConnectionListenerHandle, ListenerHandle, Tracked } from './listener/listener.ts'
import type { ListenerService } from './serve.ts'

/** A listener at work; those for datagrams have no `serve`. */
export interface Target {
  readonly listener: Listener
  readonly service: ListenerService | object
  readonly handle: ListenerHandle | ConnectionListenerHandle | undefined
}

const anywhere: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** The listener at an address, else that for all addresses at its port; undefined: there is none. Source: Envoy, `getBalancedHandlerByAddress`. */
export function listenerAt<T extends Pick<Target, 'listener'>>(
  { host, port }: Address,
  open: Iterable<T>,
): T | undefined {
  const wanted = unmapped(host)
  let wide: T | undefined
  for (const one of open) {
    const { address, udp } = one.listener
    if (address.port !== port || udp !== undefined) continue
    if (unmapped(address.host) === wanted) return one
    if (anywhere.has(address.host)) wide = one
  }
  return wide
}

/** Gives a connection to the listener that it was for; false: there is none. */
export function handOn(socket: Socket, tracked: Tracked, opening: Opening, open: Iterable<Target>): boolean {
  if (opening.restored === undefined) return false
  const target = listenerAt(opening.restored, open)
  if (target?.handle === undefined || !('take' in target.handle) || !('serve' in target.service)) return false
  const { service } = target
  target.handle.take(socket, tracked, (one, connection) => service.serve(one, connection, opening))
  return true
}
