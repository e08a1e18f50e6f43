import type { VirtualHost } from '../config.ts'

/** The index of the virtual host for a host name (lower case), or undefined. */
export type DomainIndex = (host: string) => number | undefined

/** Values by length, longest first. */
type ByLength = readonly (readonly [length: number, values: ReadonlyMap<string, number>])[]

/**
 * Exact names first, then `*.suffix` (longest first), `prefix.*` (longest first), `*`. A wildcard stands for at least one
 * character. A domain that appears twice belongs to the first. Source: Envoy `config.route.v3.VirtualHost.domains`.
 */
export function compileDomains(virtualHosts: readonly VirtualHost[]): DomainIndex {
  const exact = new Map<string, number>()
  const suffixes = new Map<string, number>()
  const prefixes = new Map<string, number>()
  for (const [index, { domains }] of virtualHosts.entries())
    for (const written of domains) {
      const domain = written.toLowerCase()
      if (domain !== '*' && domain.startsWith('*')) setFirst(suffixes, domain.slice(1), index)
      else if (domain !== '*' && domain.endsWith('*')) setFirst(prefixes, domain.slice(0, -1), index)
      else setFirst(exact, domain, index)
    }
  const all = exact.get('*')
  const suffixesByLength = byLength(suffixes)
  const prefixesByLength = byLength(prefixes)
  return (host) =>
    exact.get(host) ??
    longest(suffixesByLength, host, (length) => host.slice(-length)) ??
    longest(prefixesByLength, host, (length) => host.slice(0, length)) ??
    all
}

function setFirst(map: Map<string, number>, domain: string, index: number): void {
  if (!map.has(domain)) map.set(domain, index)
}

function byLength(values: ReadonlyMap<string, number>): ByLength {
  const groups = Map.groupBy(values, ([text]) => text.length)
  return [...groups].map(([length, entries]) => [length, new Map(entries)] as const).toSorted(([a], [b]) => b - a)
}

function longest(groups: ByLength, host: string, part: (length: number) => string): number | undefined {
  for (const [length, values] of groups) {
    if (length >= host.length) continue
    const index = values.get(part(length))
    if (index !== undefined) return index
  }
  return undefined
}

/** `example.test:8080` → `example.test`, `[::1]:80` → `[::1]`; also with nothing after the colon. */
export function withoutPort(authority: string): string {
  const colon = authority.lastIndexOf(':')
  if (colon < 0 || authority.indexOf(']', colon) > 0) return authority
  for (let at = colon + 1; at < authority.length; at++) {
    const code = authority.charCodeAt(at)
    if (code < 0x30 || code > 0x39) return authority
  }
  return authority.slice(0, colon)
}
