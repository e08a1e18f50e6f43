import {
  RateLimitSchema,
  RateLimit_ActionSchema,
  RateLimit_Action_GenericKeySchema,
  RateLimit_Action_HeaderValueMatchSchema,
  RateLimit_Action_MetaDataSchema,
  RateLimit_Action_MetaData_Source as Source,
  RateLimit_Action_RequestHeadersSchema,
  type RateLimit,
  type RateLimit_Action,
  type RateLimit_Action_MetaData,
} from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { Metadata } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import type { Descriptor, DescriptorEntry } from '../config.ts'
import { headerMatch } from './decode-parts.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const known = fieldNames('stage actions')
const actionFields = fieldNames(
  'source_cluster destination_cluster request_headers remote_address generic_key header_value_match metadata',
)
const headerFields = fieldNames('header_name descriptor_key skip_if_absent')
const keyFields = fieldNames('descriptor_value descriptor_key')
const matchFields = fieldNames('descriptor_value descriptor_key expect_match headers')
const metadataFields = fieldNames('descriptor_key metadata_key default_value source skip_if_absent')

/** What external limiters are asked, as a route, a virtual host or the filter says. `metadata`: of the route. Source: envoy.config.route.v3.RateLimit. */
export const decodeDescriptors = (
  limits: readonly RateLimit[],
  metadata: Metadata | undefined,
  path: string,
  refused: Refusals,
): readonly Descriptor[] =>
  limits.map((limit, index) => {
    const at = `${path}[${index}]`
    knowOnly(RateLimitSchema, limit, known, at, refused)
    if (limit.actions.length === 0) refused.add(join(at, 'actions'), 'expected at least one')
    return {
      stage: limit.stage ?? 0,
      entries: limit.actions.flatMap(
        (action, nth) => decodeAction(action, metadata, join(at, `actions[${nth}]`), refused) ?? [],
      ),
    }
  })

function decodeAction(
  action: RateLimit_Action,
  metadata: Metadata | undefined,
  path: string,
  refused: Refusals,
): DescriptorEntry | undefined {
  knowOnly(RateLimit_ActionSchema, action, actionFields, path, refused)
  const { actionSpecifier: by } = action
  switch (by.case) {
    case 'sourceCluster':
      return { kind: 'source-cluster' }
    case 'destinationCluster':
      return { kind: 'destination-cluster' }
    case 'remoteAddress':
      return { kind: 'remote-address' }
    case 'requestHeaders': {
      const { headerName, descriptorKey: key, skipIfAbsent: optional } = by.value
      knowOnly(RateLimit_Action_RequestHeadersSchema, by.value, headerFields, join(path, 'request_headers'), refused)
      if (key === '') refused.add(join(path, 'request_headers.descriptor_key'), 'is empty')
      return { kind: 'header', key, name: headerName.toLowerCase(), optional }
    }
    case 'genericKey':
      knowOnly(RateLimit_Action_GenericKeySchema, by.value, keyFields, join(path, 'generic_key'), refused)
      return { kind: 'text', key: by.value.descriptorKey || 'generic_key', value: by.value.descriptorValue }
    case 'headerValueMatch': {
      const at = join(path, 'header_value_match')
      knowOnly(RateLimit_Action_HeaderValueMatchSchema, by.value, matchFields, at, refused)
      return {
        kind: 'if-headers',
        key: by.value.descriptorKey || 'header_match',
        value: by.value.descriptorValue,
        headers: by.value.headers.map((one, index) => headerMatch(one, join(at, `headers[${index}]`), refused)),
        expect: by.value.expectMatch ?? true,
      }
    }
    case 'metadata':
      return decodeMetadata(by.value, metadata, join(path, 'metadata'), refused)
    case undefined:
      refused.add(path, 'expected an action')
      return undefined
    default:
      return undefined // refused by knowOnly
  }
}

/** Only the route's own metadata, which is known once the route is. */
function decodeMetadata(
  action: RateLimit_Action_MetaData,
  metadata: Metadata | undefined,
  path: string,
  refused: Refusals,
): DescriptorEntry | undefined {
  knowOnly(RateLimit_Action_MetaDataSchema, action, metadataFields, path, refused)
  const { descriptorKey, metadataKey, defaultValue, source, skipIfAbsent } = action
  if (source !== Source.ROUTE_ENTRY) refused.add(join(path, 'source'), 'only ROUTE_ENTRY is supported')
  let value: unknown = metadata?.filterMetadata[metadataKey?.key ?? '']
  for (const { segment } of metadataKey?.path ?? [])
    value =
      typeof value === 'object' && value !== null
        ? (value as Record<string, unknown>)[String(segment.value)]
        : undefined
  const text = typeof value === 'string' && value !== '' ? value : defaultValue
  if (text === '') {
    if (!skipIfAbsent) refused.add(path, 'the route has no such metadata, and there is no default_value')
    return undefined
  }
  return { kind: 'text', key: descriptorKey, value: text }
}
