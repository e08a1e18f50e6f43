import type { Clock } from '../base/clock.ts'
import type { Listener } from './config.ts'
import type { ListenerService } from './serve.ts'
import type { UdpService } from './udp.ts'

/** How often it is looked whether calls are over, ms. What has arrived in a socket meanwhile has been read by then. */
const lookMs = 10

/**
 * Every connection of the inbound ones of these listeners, later ones too, is told that it takes no more calls (GOAWAY in two steps,
 * `connection: close`); resolves once those that were sent before that was heard are answered, or when `signal` says so. Raw connections
 * and tunnels do not count: they have no end to wait for. The listeners go on: whoever has not heard that the program stops must not be
 * refused.
 */
export async function drainInbound(
  open: readonly { readonly listener: Listener; readonly service: ListenerService | UdpService }[],
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const services = open.flatMap(({ listener, service }) =>
    listener.direction === 'inbound' && 'drained' in service ? service : [],
  )
  for (const service of services) service.drain()
  do await clock.sleep(lookMs)
  while (!signal.aborted && !services.every(({ drained }) => drained))
}
