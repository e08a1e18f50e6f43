import { prefixTest } from '../../base/ip-prefix.ts'
import type { CidrRange } from '../../xds/gen/envoy/config/core/v3/address_pb.ts'
import {
  FilterChainMatchSchema,
  FilterChainMatch_ConnectionSourceType as SourceType,
  type FilterChainMatch as XdsFilterChainMatch,
} from '../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { AddressMatch, FilterChainMatch, IpRange } from '../config.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const fields = fieldNames(`destination_port server_names transport_protocol application_protocols prefix_ranges
  direct_source_prefix_ranges source_type source_prefix_ranges source_ports`)

const anything: FilterChainMatch = {
  destinationPort: undefined,
  serverNames: [],
  transportProtocol: undefined,
  applicationProtocols: [],
}

/** Which connections a filter chain is for. Source: envoy.config.listener.v3.FilterChainMatch. */
export function decodeChainMatch(
  match: XdsFilterChainMatch | undefined,
  path: string,
  refused: Refusals,
): FilterChainMatch {
  if (match === undefined) return anything
  knowOnly(FilterChainMatchSchema, match, fields, path, refused)
  const transport = match.transportProtocol
  if (transport !== '' && transport !== 'tls' && transport !== 'raw_buffer')
    refused.add(join(path, 'transport_protocol'), `"${transport}" is not supported`)
  for (const [index, name] of match.serverNames.entries())
    if (name.replace(/^\*\./, '').includes('*'))
      refused.add(
        join(path, `server_names[${index}]`),
        `"${name}": a wildcard stands for whole labels in front, as in *.example.com`,
      )
  const addresses = decodeAddresses(match, path, refused)
  return {
    destinationPort: match.destinationPort,
    serverNames: match.serverNames.map((name) => name.toLowerCase()),
    transportProtocol: transport === 'tls' || transport === 'raw_buffer' ? transport : undefined,
    applicationProtocols: match.applicationProtocols,
    ...(addresses === undefined ? {} : { addresses }),
  }
}

const sourceTypes: Readonly<Record<number, AddressMatch['sourceType']>> = {
  [SourceType.ANY]: 'any',
  [SourceType.SAME_IP_OR_LOOPBACK]: 'local',
  [SourceType.EXTERNAL]: 'external',
}

function decodeAddresses(match: XdsFilterChainMatch, path: string, refused: Refusals): AddressMatch | undefined {
  const { prefixRanges, directSourcePrefixRanges, sourcePrefixRanges, sourcePorts, sourceType } = match
  const lists = [prefixRanges, directSourcePrefixRanges, sourcePrefixRanges, sourcePorts]
  if (lists.every((list) => list.length === 0) && sourceType === SourceType.ANY) return undefined
  if (sourceTypes[sourceType] === undefined) refused.add(join(path, 'source_type'), `${sourceType} is not supported`)
  return {
    destinations: decodeRanges(prefixRanges, join(path, 'prefix_ranges'), refused),
    directSources: decodeRanges(directSourcePrefixRanges, join(path, 'direct_source_prefix_ranges'), refused),
    sourceType: sourceTypes[sourceType] ?? 'any',
    sources: decodeRanges(sourcePrefixRanges, join(path, 'source_prefix_ranges'), refused),
    sourcePorts,
  }
}

/** An absent length is 0: every address of that family. Source: CidrRange.prefix_len. */
export const decodeRanges = (ranges: readonly CidrRange[], path: string, refused: Refusals): IpRange[] =>
  ranges.map(({ addressPrefix: prefix, prefixLen: bits = 0 }, index) => {
    if (prefixTest(prefix, bits) === undefined)
      refused.add(`${path}[${index}]`, `expected an IP prefix, got "${prefix}/${bits}"`)
    return { prefix, bits }
  })
