import type { Gateway } from './gateway.ts'
import type { RateLimit } from './rate-limit.ts'
import type { Workload } from './workload.ts'

/** Every limit that an instance holds: of its ports, of routes that lead to them, of the Gateway that it serves. */
export function heldLimits(
  { inbound, gateway }: Workload,
  gateways: ReadonlyMap<string, Pick<Gateway, 'listeners'>>,
): readonly RateLimit[] {
  const listeners = gateway === undefined ? [] : (gateways.get(gateway.gateway)?.listeners ?? [])
  const rules = listeners.flatMap(({ hosts }) => hosts.flatMap((host) => host.rules))
  return [
    ...inbound.flatMap((port) => [
      ...(port.rateLimits ?? []),
      ...(port.rules ?? []).flatMap(({ rateLimits }) => rateLimits),
    ]),
    ...rules.flatMap(({ action }) => (action.kind === 'forward' ? (action.rateLimits ?? []) : [])),
  ]
}
