import { parseIp, prefixTest } from '../../base/ip-prefix.ts'
import type { Address } from '../../base/address.ts'
import type { AddressMatch, FilterChain, FilterChainMatch, IpRange, Listener } from '../config.ts'

/** What is known of a connection before a chain is chosen. */
export interface Opening {
  /** Where it was for. */
  readonly destination: Address
  /** That, where it is not the socket's own end. */
  readonly restored?: Address | undefined
  /** Who asks. */
  readonly source: Address
  /** Who is at the other end of the wire: another one than `source` behind a proxy that says so. */
  readonly directSource: string
  readonly serverName: string | undefined
  readonly transportProtocol: 'tls' | 'raw_buffer'
  readonly applicationProtocols: readonly string[]
}

/** −1: no match; 0: matches anything; higher: says more exactly what it wants. */
type Rank = (opening: Opening) => number

/** The ranks of one chain, in the order of the criteria. */
type Ranks = readonly Rank[]

/**
 * Makes the choice of a filter chain: criterion after criterion, only those with the most particular match stay, and there is no way
 * back to one that was left behind. None: the listener's default; undefined: the connection is to be closed.
 * Source: Envoy, FilterChainMatch ("the filter chain is chosen by…", steps 1 to 9).
 */
export function chainChooser({
  filterChains,
  defaultFilterChain,
}: Pick<Listener, 'filterChains' | 'defaultFilterChain'>): (opening: Opening) => FilterChain | undefined {
  const ranked = filterChains.map((chain) => ({ chain, ranks: ranksOf(chain.match) }))
  return (opening) => {
    let left: readonly { chain: FilterChain; ranks: Ranks }[] = ranked
    for (let criterion = 0; criterion < criteria && left.length > 0; criterion++) left = best(left, criterion, opening)
    return left[0]?.chain ?? defaultFilterChain
  }
}

const criteria = 9

function best<T extends { readonly ranks: Ranks }>(left: readonly T[], criterion: number, opening: Opening): T[] {
  let most = 0
  let found: T[] = []
  for (const one of left) {
    const rank = one.ranks[criterion]?.(opening) ?? 0
    if (rank > most) [most, found] = [rank, [one]]
    else if (rank === most) found.push(one)
  }
  return found
}

function ranksOf(match: FilterChainMatch): Ranks {
  const { destinationPort, transportProtocol, addresses } = match
  return [
    destinationPort === undefined ? anything : ({ destination }) => (destination.port === destinationPort ? 1 : -1),
    rangeRank(addresses?.destinations, ({ destination }) => destination.host),
    match.serverNames.length === 0 ? anything : ({ serverName }) => serverNameRank(match.serverNames, serverName),
    transportProtocol === undefined
      ? anything
      : (opening) => (opening.transportProtocol === transportProtocol ? 1 : -1),
    protocolRank(match.applicationProtocols),
    rangeRank(addresses?.directSources, ({ directSource }) => directSource),
    sourceTypeRank(addresses?.sourceType ?? 'any'),
    rangeRank(addresses?.sources, ({ source }) => source.host),
    sourcePortRank(addresses?.sourcePorts ?? []),
  ]
}

const anything: Rank = () => 0

function serverNameRank(wanted: readonly string[], actual: string | undefined): number {
  if (actual === undefined) return -1
  if (wanted.includes(actual)) return Infinity
  const suffixes = wanted.filter((name) => name.startsWith('*.') && actual.endsWith(name.slice(1)))
  return suffixes.reduce((longest, name) => Math.max(longest, name.length), -1)
}

const protocolRank = (wanted: readonly string[]): Rank =>
  wanted.length === 0
    ? anything
    : ({ applicationProtocols }) => (wanted.some((name) => applicationProtocols.includes(name)) ? 1 : -1)

/** The longest prefix is the most particular; one of length 0 says more than nothing. */
function rangeRank(ranges: readonly IpRange[] | undefined, hostOf: (opening: Opening) => string): Rank {
  if (ranges === undefined || ranges.length === 0) return anything
  const tests = ranges.flatMap(({ prefix, bits }) => {
    const holds = prefixTest(prefix, bits)
    return holds === undefined ? [] : [{ holds, rank: bits + 1 }]
  })
  return (opening) => {
    const host = hostOf(opening)
    let most = -1
    for (const { holds, rank } of tests) if (rank > most && holds(host)) most = rank
    return most
  }
}

function sourceTypeRank(wanted: AddressMatch['sourceType']): Rank {
  if (wanted === 'any') return anything
  return ({ source, destination }) => {
    const local = isLoopback(source.host) || source.host === destination.host
    return local === (wanted === 'local') ? 1 : -1
  }
}

function isLoopback(host: string): boolean {
  const bytes = parseIp(host)
  if (bytes?.length === 4) return bytes[0] === 127
  return bytes !== undefined && bytes.every((byte, at) => byte === (at === 15 ? 1 : 0))
}

const sourcePortRank = (wanted: readonly number[]): Rank =>
  wanted.length === 0 ? anything : ({ source }) => (wanted.includes(source.port) ? 1 : -1)
