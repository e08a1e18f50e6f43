import type { DeltaDiscoveryResponse } from '../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import type { XdsType } from '../../xds/type-urls.ts'
import { contentVersion } from '../../xds/version.ts'
import { decodeResource, type Decoded } from './decode.ts'

/** The last good resources, as the server named them. */
export interface Resources {
  held<T extends XdsType>(type: T): ReadonlyMap<string, Decoded[T]>
  /** Asked for, and the server says that it does not exist; nothing is held under this name. */
  isAbsent(type: XdsType, name: string): boolean
  /** What the server calls the state of its last response that it gave a name; undefined: none yet. xDS: system_version_info. */
  revision(): string | undefined
  /** A response of this type has come, on any stream. */
  seen(type: XdsType): boolean
  /** Name → version of what is held: `initial_resource_versions` of the next stream. */
  versions(type: XdsType): Record<string, string>
  /**
   * Takes what is good in a response; what is not is named in `problems`, and its last good state stays; what could be left out, in `leftOut`. Resources outside of `wanted`
   * (undefined: all) come too late and are passed over.
   */
  apply(
    type: XdsType,
    response: DeltaDiscoveryResponse,
    wanted: ReadonlySet<string> | undefined,
  ): { readonly problems: readonly string[]; readonly accepted: readonly string[]; readonly leftOut: readonly string[] }
  /** What was left out of the resources that are held, because it is not known here and its sender allowed that. */
  leftOut(): readonly string[]
  /** Forgets everything but these. True if there was something to forget. */
  retain(type: XdsType, names: ReadonlySet<string>): boolean
}

interface Held<T extends XdsType> {
  version: string
  readonly digest: string
  readonly value: Decoded[T]
  /** Each with the name of the resource. */
  readonly leftOut: readonly string[]
}
interface Shelf<T extends XdsType> {
  readonly entries: Map<string, Held<T>>
  readonly values: Map<string, Decoded[T]>
  readonly given: ReadonlySet<string>
  readonly absent: Set<string>
  seen: boolean
}

/** Removal means deletion for these; for the others the last good stays while it is in use. Source: Envoy, tried (1.40). */
const deletes: Readonly<Record<XdsType, boolean>> = {
  LDS: true,
  CDS: true,
  NDS: true,
  RDS: false,
  EDS: false,
  SDS: false,
}

/** Resources that the proxy was started with: no server may change or remove them. */
export type GivenResources = { readonly [T in 'LDS' | 'CDS' | 'SDS']: ReadonlyMap<string, Decoded[T]> }

/** What is given at the start. `alone`: there is no server, so that what is not held does not exist. */
export function createResources(
  given?: GivenResources,
  { alone = false }: { readonly alone?: boolean } = {},
): Resources {
  const shelf = <T extends XdsType>(values?: ReadonlyMap<string, Decoded[T]>): Shelf<T> => ({
    entries: new Map(),
    given: new Set(values?.keys()),
    values: new Map(values),
    absent: new Set(),
    seen: alone,
  })
  const shelves: { readonly [T in XdsType]: Shelf<T> } = {
    LDS: shelf(given?.LDS),
    RDS: shelf(),
    CDS: shelf(given?.CDS),
    EDS: shelf(),
    SDS: shelf(given?.SDS),
    NDS: shelf(),
  }
  let revision: string | undefined
  return {
    held: <T extends XdsType>(type: T): ReadonlyMap<string, Decoded[T]> => (shelves[type] as Shelf<T>).values,
    isAbsent: (type, name) => (alone ? !shelves[type].given.has(name) : shelves[type].absent.has(name)),
    revision: () => revision,
    seen: (type) => shelves[type].seen,
    versions(type) {
      const entries: ReadonlyMap<string, { readonly version: string }> = shelves[type].entries
      return Object.fromEntries(Array.from(entries, ([name, { version }]) => [name, version]))
    },
    apply(type, response, wanted) {
      revision = response.systemVersionInfo || revision
      return apply(type, shelves[type], response, wanted)
    },
    leftOut: () => Object.values(shelves).flatMap(leftOutOf),
    retain(type, names) {
      const { entries, values, absent } = shelves[type]
      let forgot = false
      for (const name of absent) if (!names.has(name)) absent.delete(name)
      for (const name of entries.keys()) {
        if (names.has(name)) continue
        entries.delete(name)
        values.delete(name)
        forgot = true
      }
      return forgot
    },
  }
}

const leftOutOf = ({
  entries,
}: {
  readonly entries: ReadonlyMap<string, { readonly leftOut: readonly string[] }>
}): readonly string[] => [...entries.values()].flatMap(({ leftOut }) => leftOut)

function apply<T extends XdsType>(
  type: T,
  shelf: Shelf<T>,
  response: DeltaDiscoveryResponse,
  wanted: ReadonlySet<string> | undefined,
): { problems: readonly string[]; accepted: readonly string[]; leftOut: readonly string[] } {
  const problems: string[] = []
  const allLeftOut: string[] = []
  const accepted: string[] = []
  const named = new Set<string>()
  shelf.seen = true
  for (const resource of response.resources) {
    const { name, version } = resource
    if (named.has(name)) problems.push(`${name}: is there twice`)
    else if (shelf.given.has(name)) problems.push(`${name}: stands in the bootstrap, which no server can change`)
    if (named.has(name) || shelf.given.has(name) || (wanted !== undefined && !wanted.has(name))) continue
    named.add(name)
    // A name and version without a body only says that it lives on.
    if (resource.resource === undefined) continue
    const digest = contentVersion(resource.resource.value)
    const before = shelf.entries.get(name)
    if (before?.digest === digest) before.version = version
    else {
      const decoded = decodeResource(type, resource)
      if ('problem' in decoded) {
        problems.push(decoded.problem)
        continue
      }
      const leftOut = decoded.leftOut.map((one) => `${name}: ${one}`)
      allLeftOut.push(...leftOut)
      shelf.entries.set(name, { version, digest, value: decoded.value, leftOut })
      shelf.values.set(name, decoded.value)
      shelf.absent.delete(name)
    }
    accepted.push(name)
  }
  for (const name of response.removedResources) remove(type, shelf, name)
  return { problems, accepted, leftOut: allLeftOut }
}

function remove<T extends XdsType>(type: T, { entries, values, absent, given }: Shelf<T>, name: string): void {
  if (given.has(name)) return
  if (deletes[type]) {
    entries.delete(name)
    values.delete(name)
  }
  if (!entries.has(name)) absent.add(name)
}
