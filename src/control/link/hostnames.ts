/** Every host. */
export const everyHost = '*'

/** Whether every host of `narrow` is one of `wide`: "*", "*.shop.example" (any labels for "*"), "shop.example". */
export function coversHost(wide: string, narrow: string): boolean {
  if (wide === everyHost || wide === narrow) return true
  return wide.startsWith('*.') && narrow !== everyHost && narrow.endsWith(wide.slice(1))
}

/** What two hostnames have in common; undefined: nothing. Source: Gateway API, Listener.hostname and HTTPRouteSpec.hostnames. */
export function commonHost(a: string, b: string): string | undefined {
  if (coversHost(a, b)) return b
  return coversHost(b, a) ? a : undefined
}
