import type { FilterChain, FilterChainMatch, Listener } from '../config.ts'

/** What is known of a connection before a chain is chosen. */
export interface Opening {
  readonly destinationPort: number
  readonly serverName: string | undefined
  readonly transportProtocol: 'tls' | 'raw_buffer'
  readonly applicationProtocols: readonly string[]
}

/**
 * The filter chain for a connection: criterion after criterion, only those with the most particular match stay, and there is no way
 * back to one that was left behind. None: the listener's default; undefined: the connection is to be closed.
 * Source: Envoy, FilterChainMatch ("the filter chain is chosen by…", steps 1, 3, 4 and 5).
 */
export function chooseChain(
  { filterChains, defaultFilterChain }: Pick<Listener, 'filterChains' | 'defaultFilterChain'>,
  opening: Opening,
): FilterChain | undefined {
  const criteria: readonly ((match: FilterChainMatch) => number)[] = [
    (match) => particular(match.destinationPort, opening.destinationPort),
    (match) => serverNameRank(match.serverNames, opening.serverName),
    (match) => particular(match.transportProtocol, opening.transportProtocol),
    (match) => protocolRank(match.applicationProtocols, opening.applicationProtocols),
  ]
  let left = filterChains
  for (const rank of criteria) {
    const best = left.reduce((most, { match }) => Math.max(most, rank(match)), -1)
    left = best < 0 ? [] : left.filter(({ match }) => rank(match) === best)
  }
  return left[0] ?? defaultFilterChain
}

/** −1: no match; 0: matches anything; higher: says more exactly what it wants. */
const particular = <T>(wanted: T | undefined, actual: T): number =>
  wanted === undefined ? 0 : wanted === actual ? 1 : -1

function serverNameRank(wanted: readonly string[], actual: string | undefined): number {
  if (wanted.length === 0) return 0
  if (actual === undefined) return -1
  if (wanted.includes(actual)) return Infinity
  const suffixes = wanted.filter((name) => name.startsWith('*.') && actual.endsWith(name.slice(1)))
  return suffixes.reduce((longest, name) => Math.max(longest, name.length), -1)
}

const protocolRank = (wanted: readonly string[], offered: readonly string[]): number =>
  wanted.length === 0 ? 0 : wanted.some((name) => offered.includes(name)) ? 1 : -1
