import type { Resource } from '../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { typeUrls, type XdsType } from '../../xds/type-urls.ts'
import type { Listener, NamedService, RouteTable } from '../config.ts'
import { decodeCds, type ClusterShape } from './decode-cds.ts'
import { decodeEds, type NamedAssignment } from './decode-eds.ts'
import { decodeLds } from './decode-lds.ts'
import { decodeNds } from './decode-nds.ts'
import { decodeRds } from './decode-rds.ts'
import { decodeSds, type Secret } from './decode-sds.ts'
import { refusals, type Refusals } from './refusals.ts'

/** What a resource of each type becomes. */
export interface Decoded {
  readonly LDS: Listener
  readonly RDS: RouteTable
  readonly CDS: ClusterShape
  readonly EDS: NamedAssignment
  readonly SDS: Secret
  readonly NDS: NamedService
}

const decoders: { readonly [T in XdsType]: (bytes: Uint8Array, refused: Refusals) => Decoded[T] } = {
  LDS: decodeLds,
  RDS: decodeRds,
  CDS: decodeCds,
  EDS: decodeEds,
  SDS: decodeSds,
  NDS: decodeNds,
}

/** A resource with a body, decoded, or everything that speaks against it in one sentence. Never throws, whatever the bytes are. */
export function decodeResource<T extends XdsType>(
  type: T,
  { name, resource }: Pick<Resource, 'name' | 'resource'>,
): { readonly value: Decoded[T] } | { readonly problem: string } {
  if (resource?.typeUrl !== typeUrls[type])
    return { problem: `${name}: is a ${resource?.typeUrl || 'nameless type'}, expected ${typeUrls[type]}` }
  const refused = refusals()
  let value: Decoded[T]
  try {
    value = decoders[type](resource.value, refused)
  } catch {
    return { problem: `${name}: the bytes are no ${typeUrls[type]}` }
  }
  const ownName = 'namespace' in value ? `${value.namespace}/${value.name}` : value.name
  if (ownName !== name) refused.add('name', `is ${ownName}, not the name of the resource`)
  return refused.list.length === 0 ? { value } : { problem: `${name}: ${refused.list.join('; ')}` }
}
