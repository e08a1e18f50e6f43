import { isIP } from 'node:net'
import { prefixTest } from '../base/ip-prefix.ts'
import type { IpRange } from './config.ts'

/** Only we say it: the call comes from within, as the configuration draws that line. */
export const internalHeader = 'x-envoy-internal'

/**
 * The address in `x-forwarded-for` that is left when the last `skipped` entries, which proxies in front have written, are taken off;
 * undefined when there are too few, or it is no address. Source: Envoy, `xff_num_trusted_hops`.
 */
export function forwardedHost(list: string | undefined, skipped: number): string | undefined {
  if (list === undefined) return undefined
  let end = list.length
  for (let left = skipped; left > 0; left--) {
    end = list.lastIndexOf(',', end - 1)
    if (end <= 0) return undefined
  }
  const host = list.slice(list.lastIndexOf(',', end - 1) + 1, end).trim()
  return isIP(host) === 0 ? undefined : host
}

/** Whether an address is in one of these ranges. */
export function within(ranges: readonly IpRange[] = []): (host: string) => boolean {
  const tests = ranges.flatMap(({ prefix, bits }) => prefixTest(prefix, bits) ?? [])
  return (host) => tests.some((test) => test(host))
}
