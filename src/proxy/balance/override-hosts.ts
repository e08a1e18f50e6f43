import { headerValue } from '../http/headers.ts'
import type { Call } from '../http/service.ts'
import type { Balancer } from './balancer.ts'
import type { EndpointState } from './endpoint-state.ts'

/**
 * The first endpoint that the call's own headers ask for ("host:port", separated by commas), that is there, may be called and has not
 * failed this call already; undefined: balancing decides. Of several lines of a header the first counts. Source: Envoy,
 * `envoy.load_balancing_policies.override_host`; unlike there, what is not well is passed over.
 */
export function askedFor(
  { headers, trace }: Pick<Call, 'headers' | 'trace'>,
  names: readonly string[],
  balancer: Pick<Balancer, 'named'>,
): EndpointState | undefined {
  for (const name of names) {
    const list = headerValue(headers, name)
    if (list === undefined) continue
    for (const one of list.split(',')) {
      const address = one.trim()
      if (address === '' || trace.tried.includes(address)) continue
      const state = balancer.named(address)
      if (state !== undefined) return state
    }
  }
  return undefined
}
