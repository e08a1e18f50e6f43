import type { JsonObject } from '@bufbuild/protobuf'
import type { Duration } from '@bufbuild/protobuf/wkt'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import type { Address } from '../../base/address.ts'
import {
  PipeSchema,
  type Address as XdsAddress,
  type SocketAddress,
} from '../../xds/gen/envoy/config/core/v3/address_pb.ts'
import type { Metadata } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import type { ConfigSource } from '../../xds/gen/envoy/config/core/v3/config_source_pb.ts'
import type { HeaderMatcher } from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { StringMatcher } from '../../xds/gen/envoy/type/matcher/v3/string_pb.ts'
import {
  FractionalPercent_DenominatorType as PercentOf,
  type FractionalPercent,
} from '../../xds/gen/envoy/type/v3/percent_pb.ts'
import { weftMetadata } from '../../xds/names.ts'
import { numberIn, stringIn } from '../../xds/structs.ts'
import type { HeaderMatch, Origin, SettingOrigins, SharedBudget, StringMatch } from '../config.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

/** Milliseconds, fractions kept; `absentMs` when the field is not there. Negative ones are refused. */
export function durationMs(duration: Duration | undefined, absentMs: number, path: string, refused: Refusals): number {
  if (duration === undefined) return absentMs
  const ms = Number(duration.seconds) * 1000 + duration.nanos / 1e6
  if (ms < 0) refused.add(path, `expected a duration of at least 0, got ${ms} ms`)
  return ms
}

const whole: Readonly<Record<number, number>> = {
  [PercentOf.HUNDRED]: 100,
  [PercentOf.TEN_THOUSAND]: 10_000,
  [PercentOf.MILLION]: 1_000_000,
}

/** In [0, 1]; `absent` when the field is not there. Source: envoy FractionalPercent. */
export const shareOf = (part: FractionalPercent | undefined, absent: number): number =>
  part === undefined ? absent : Math.min(1, part.numerator / (whole[part.denominator] ?? 100))

/** The same as it was written. */
export const fractionOf = ({
  numerator,
  denominator,
}: FractionalPercent): { readonly numerator: number; readonly denominator: number } => ({
  numerator,
  denominator: whole[denominator] ?? 100,
})

/** An IP address and port. Pipes, named ports and host names are refused. */
export function socketAddress(address: XdsAddress | undefined, path: string, refused: Refusals): Address {
  if (address?.address.case !== 'socketAddress') {
    refused.add(path, `${address?.address.case ?? 'no address'} is not supported, expected socket_address`)
    return nowhere
  }
  const at = join(path, 'socket_address')
  if (address.address.value.protocol !== 0) refused.add(join(at, 'protocol'), 'only TCP is supported')
  return ipAddress(address.address.value, at, refused)
}

const pipeFields = fieldNames('path')

/** The same for an endpoint, which may be a Unix socket as well. */
export function endpointAddress(address: XdsAddress | undefined, path: string, refused: Refusals): Address {
  if (address?.address.case !== 'pipe') return socketAddress(address, path, refused)
  const pipe = address.address.value
  const at = join(path, 'pipe')
  knowOnly(PipeSchema, pipe, pipeFields, at, refused)
  if (pipe.path === '' || pipe.path === '@') refused.add(join(at, 'path'), `expected a path, got "${pipe.path}"`)
  return { host: pipe.path.startsWith('@') ? pipe.path : resolve(pipe.path), port: 0 }
}

/** The same where the host may be a name, which is asked for later. */
export function namedAddress(address: XdsAddress | undefined, path: string, refused: Refusals): Address {
  const named = address?.address.case === 'socketAddress' ? address.address.value : undefined
  if (named === undefined || isIP(named.address) !== 0 || named.protocol !== 0) {
    return socketAddress(address, path, refused)
  }
  const at = join(path, 'socket_address')
  if (!/^[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_.])?$/i.test(named.address))
    refused.add(join(at, 'address'), `expected an IP address or a host name, got ${JSON.stringify(named.address)}`)
  if (named.resolverName !== '') refused.add(join(at, 'resolver_name'), 'is not supported')
  return { host: named.address.toLowerCase(), port: portOf(named, at, refused) }
}

const nowhere: Address = { host: '127.0.0.1', port: 0 }

/** The same, of whichever protocol. */
export function ipAddress({ address: host, portSpecifier }: SocketAddress, at: string, refused: Refusals): Address {
  if (isIP(host) === 0) refused.add(join(at, 'address'), `expected an IP address, got ${JSON.stringify(host)}`)
  return { host, port: portOf({ portSpecifier }, at, refused) }
}

function portOf({ portSpecifier }: Pick<SocketAddress, 'portSpecifier'>, at: string, refused: Refusals): number {
  if (portSpecifier.case === 'portValue' && portSpecifier.value <= 65_535) return portSpecifier.value
  refused.add(join(at, 'port_value'), 'expected a port number')
  return 0
}

/** Our own part of a resource's metadata; undefined when there is none. */
export const weftPart = (metadata: Metadata | undefined): JsonObject | undefined =>
  metadata?.filterMetadata[weftMetadata]

/** Which resource of the user made this. */
export const originOf = (metadata: Metadata | undefined): Origin | undefined => originFrom(weftPart(metadata))

/** The same from the JSON itself. */
export function originFrom(json: JsonObject | undefined): Origin | undefined {
  const resource = stringIn(json, 'resource')
  if (resource === undefined) return undefined
  return { resource, field: stringIn(json, 'field') ?? '', revision: stringIn(json, 'revision') ?? '' }
}

/** `weft.dev` metadata `settings`: which policies gave which parts; absent where none did. */
export function settingsOf(metadata: Metadata | undefined): { readonly settings?: SettingOrigins } {
  const settings = weftPart(metadata)?.['settings']
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) return {}
  const origins = Object.entries(settings).flatMap(([name, json]) => {
    const origin = originFrom(typeof json === 'object' && !Array.isArray(json) ? (json ?? undefined) : undefined)
    return origin === undefined ? [] : [[name, origin] as const]
  })
  return origins.length === 0 ? {} : { settings: new Map(origins) }
}

/** `weft.dev` metadata `policies`: an RBAC policy or a limit has no room for its own. */
export function policyOrigins(weft: JsonObject | undefined): ReadonlyMap<string, PolicyOrigin> {
  const policies = weft?.['policies']
  if (typeof policies !== 'object' || policies === null || Array.isArray(policies)) return new Map()
  return new Map(
    Object.entries(policies).flatMap(([name, json]) => {
      const origin = typeof json === 'object' && json !== null && !Array.isArray(json) ? originFrom(json) : undefined
      const budget = typeof json === 'object' && json !== null && !Array.isArray(json) ? budgetIn(json) : undefined
      return origin === undefined ? [] : [[name, { ...origin, ...(budget && { budget }) }] as const]
    }),
  )
}

/** Where a policy comes from, and the budget that a limit shares with others. */
export type PolicyOrigin = Origin & { readonly budget?: SharedBudget }

function budgetIn({ budget }: JsonObject): SharedBudget | undefined {
  if (typeof budget !== 'object' || budget === null || Array.isArray(budget)) return undefined
  const [perSecond, burst, instances] = ['per_second', 'burst', 'instances'].map((key) => numberIn(budget, key))
  return perSecond && burst && instances ? { perSecond, burst, instances } : undefined
}

/** "Over the stream on which you got this": the only source of names that we follow. */
export function mustBeAds(source: ConfigSource | undefined, path: string, refused: Refusals): void {
  const kind = source?.configSourceSpecifier.case
  if (kind !== 'ads' && kind !== 'self') refused.add(path, `${kind ?? 'no source'} is not supported, expected ads`)
}

const never: StringMatch = { kind: 'exact', value: '', ignoreCase: false }

/** How a string is compared. Source: envoy.type.matcher.v3.StringMatcher. */
export function stringMatch(matcher: StringMatcher | undefined, path: string, refused: Refusals): StringMatch {
  if (matcher === undefined) {
    refused.add(path, 'is missing')
    return never
  }
  const { matchPattern, ignoreCase } = matcher
  switch (matchPattern.case) {
    case 'exact':
    case 'prefix':
    case 'suffix':
    case 'contains':
      return { kind: matchPattern.case, value: matchPattern.value, ignoreCase }
    case 'safeRegex':
      // Envoy: "ignore_case has no effect for safe_regex".
      return { kind: 'regex', value: matchPattern.value.regex, ignoreCase: false }
    default:
      refused.add(path, `${matchPattern.case ?? 'an empty matcher'} is not supported`)
      return never
  }
}

/** Source: envoy.config.route.v3.HeaderMatcher; without a specifier the header must be there. */
export function headerMatch(matcher: HeaderMatcher, path: string, refused: Refusals): HeaderMatch {
  const { headerMatchSpecifier: by, invertMatch: invert } = matcher
  const name = matcher.name.toLowerCase()
  if (name === '') refused.add(join(path, 'name'), 'is empty')
  const match = headerValueMatch(matcher, path, refused)
  if (match === undefined && matcher.treatMissingHeaderAsEmpty)
    refused.add(join(path, 'treat_missing_header_as_empty'), 'is not supported where only presence is asked')
  return {
    name,
    match,
    invert: by.case === 'presentMatch' && !by.value ? !invert : invert,
    ...(matcher.treatMissingHeaderAsEmpty ? { missingIsEmpty: true } : {}),
  }
}

function headerValueMatch(
  { headerMatchSpecifier: by }: HeaderMatcher,
  path: string,
  refused: Refusals,
): HeaderMatch['match'] {
  switch (by.case) {
    case undefined:
    case 'presentMatch':
      return undefined
    case 'stringMatch':
      return stringMatch(by.value, join(path, 'string_match'), refused)
    case 'exactMatch':
      return { kind: 'exact', value: by.value, ignoreCase: false }
    case 'prefixMatch':
      return { kind: 'prefix', value: by.value, ignoreCase: false }
    case 'suffixMatch':
      return { kind: 'suffix', value: by.value, ignoreCase: false }
    case 'containsMatch':
      return { kind: 'contains', value: by.value, ignoreCase: false }
    case 'safeRegexMatch':
      return { kind: 'regex', value: by.value.regex, ignoreCase: false }
    case 'rangeMatch':
      return { kind: 'range', start: Number(by.value.start), end: Number(by.value.end) }
  }
}
