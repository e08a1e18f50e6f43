import { fromBinary, isFieldSet, type DescMessage, type MessageShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { typeUrlOf } from '../../xds/any.ts'

/** Why a resource cannot be taken, each with the path of the field. Collected: one NACK names everything. */
export interface Refusals {
  add(path: string, why: string): void
  readonly list: readonly string[]
  /** What its sender says can be done without. */
  leave(path: string, why: string): void
  readonly left: readonly string[]
}

/** Empty to begin with. */
export function refusals(): Refusals {
  const list: string[] = []
  const left: string[] = []
  const into = (which: string[]) => (path: string, why: string) =>
    void which.push(path === '' ? why : `${path}: ${why}`)
  return { add: into(list), list, leave: into(left), left }
}

/** The same list, for a part at `path`. */
export function within(refused: Refusals, path: string): Refusals {
  const at = (inner: string): string => (inner === '' ? path : join(path, inner))
  return {
    ...refused,
    add: (inner, why) => refused.add(at(inner), why),
    leave: (inner, why) => refused.leave(at(inner), why),
  }
}

/**
 * Refuses every field of `message` that is set and not among `known` (names as in the .proto), and those that are younger than our .proto:
 * what we cannot do is said, never skipped.
 */
export function knowOnly<S extends DescMessage>(
  schema: S,
  message: MessageShape<S>,
  known: ReadonlySet<string>,
  path: string,
  refused: Refusals,
): void {
  for (const field of schema.fields)
    if (!known.has(field.name) && isFieldSet(message, field)) refused.add(join(path, field.name), 'is not supported')
  for (const { no } of message.$unknown ?? [])
    refused.add(join(path, `#${no}`), `is no field that this version knows (${schema.typeName})`)
}

/** A set of field names, written as in the .proto, separated by spaces. */
export const fieldNames = (names: string): ReadonlySet<string> => new Set(names.trim().split(/\s+/))

/** "filter_chains[0]" + "name" → "filter_chains[0].name". */
export const join = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`)

/** The message in an Any; undefined, and refused, if it is of another type or its bytes make no sense. */
export function open<S extends DescMessage>(
  any: Any,
  schema: S,
  path: string,
  refused: Refusals,
): MessageShape<S> | undefined {
  if (any.typeUrl !== typeUrlOf(schema)) {
    refused.add(path, `is a ${any.typeUrl || 'nameless type'}, expected ${typeUrlOf(schema)}`)
    return undefined
  }
  try {
    return fromBinary(schema, any.value)
  } catch {
    refused.add(path, `the bytes are no ${schema.typeName}`)
    return undefined
  }
}
