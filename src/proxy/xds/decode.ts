import type { Resource } from '../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { mayLeaveOut } from '../../xds/names.ts'
import { typeUrls, type XdsType } from '../../xds/type-urls.ts'
import type { Listener, NamedService, RouteTable } from '../config.ts'
import { decodeCds, type ClusterShape } from './decode-cds.ts'
import { decodeEds, type NamedAssignment } from './decode-eds.ts'
import { decodeLds } from './decode-lds.ts'
import { decodeNds } from './decode-nds.ts'
import { decodeRds } from './decode-rds.ts'
import { weftPart } from './decode-parts.ts'
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

/** A resource that was taken. */
export interface Taken<T extends XdsType> {
  readonly value: Decoded[T]
  /** What it says besides and is not known here, where its sender allows that. Path and reason each. */
  readonly leftOut: readonly string[]
}

/** A resource with a body, decoded, or everything that speaks against it in one sentence. Never throws, whatever the bytes are. */
export function decodeResource<T extends XdsType>(
  type: T,
  { name, resource, metadata }: Pick<Resource, 'name' | 'resource' | 'metadata'>,
): Taken<T> | { readonly problem: string } {
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
  const optional = weftPart(metadata)?.[mayLeaveOut]
  const names = new Set(Array.isArray(optional) ? optional : [])
  const problems = refused.list.filter((one) => !isWithin(names, one))
  if (problems.length > 0) return { problem: `${name}: ${problems.join('; ')}` }
  return { value, leftOut: [...refused.left, ...refused.list] }
}

/** Whether a refusal ("a[0].b.c: why") is of a field with one of these names, or of something in one. */
function isWithin(names: ReadonlySet<unknown>, refusal: string): boolean {
  if (names.size === 0) return false
  const path = refusal.slice(0, refusal.indexOf(': ')).replaceAll(/\[[^\]]*\]/g, '')
  return path.split('.').some((step) => names.has(step))
}
