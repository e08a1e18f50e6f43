import { create, toBinary, type DescMessage, type MessageShape } from '@bufbuild/protobuf'
import { AnySchema, type Any } from '@bufbuild/protobuf/wkt'

const prefix = 'type.googleapis.com/'

/** "type.googleapis.com/envoy.config.cluster.v3.Cluster" for a message's schema. */
export const typeUrlOf = (schema: DescMessage): string => prefix + schema.typeName

/**
 * Bytes that are the same for equal messages: fields in order of their numbers, maps (and Struct fields) in order of their keys.
 * Sorts the maps of `message` in place, which no reader can tell.
 */
export function encodeStable<S extends DescMessage>(schema: S, message: MessageShape<S>): Uint8Array {
  sortMaps(schema, message)
  return toBinary(schema, message)
}

/** Wraps a message by its stable encoding. */
export function packAny<S extends DescMessage>(schema: S, message: MessageShape<S>): Any {
  return create(AnySchema, { typeUrl: typeUrlOf(schema), value: encodeStable(schema, message) })
}

function sortMaps(schema: DescMessage, message: object): void {
  const values = message as Record<string, unknown>
  for (const field of schema.fields) {
    const value =
      field.oneof === undefined ? values[field.localName] : chosen(values[field.oneof.localName], field.localName)
    if (value === undefined || value === null) continue
    if (field.fieldKind === 'map') {
      const map = value as Record<string, unknown>
      sortKeys(map)
      if (field.mapKind === 'message') for (const one of Object.values(map)) sortValue(field.message, one)
    } else if (field.fieldKind === 'list' && field.listKind === 'message') {
      for (const one of value as unknown[]) sortValue(field.message, one)
    } else if (field.fieldKind === 'message') sortValue(field.message, value)
  }
}

function sortValue(schema: DescMessage, value: unknown): void {
  if (schema.typeName === 'google.protobuf.Struct') sortJson(value)
  else if (typeof value === 'object' && value !== null) sortMaps(schema, value)
}

const chosen = (oneof: unknown, name: string): unknown => {
  const { case: present, value } = oneof as { case: string | undefined; value?: unknown }
  return present === name ? value : undefined
}

function sortJson(value: unknown): void {
  if (Array.isArray(value)) return value.forEach(sortJson)
  if (typeof value !== 'object' || value === null) return
  sortKeys(value as Record<string, unknown>)
  Object.values(value).forEach(sortJson)
}

function sortKeys(map: Record<string, unknown>): void {
  const keys = Object.keys(map)
  const sorted = keys.toSorted()
  if (sorted.every((key, index) => key === keys[index])) return
  for (const key of sorted) {
    const value = map[key]
    delete map[key]
    map[key] = value
  }
}
