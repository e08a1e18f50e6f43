import type { JsonObject } from '@bufbuild/protobuf'

// Inside other messages (Metadata, Node) a google.protobuf.Struct is a plain JSON object.

/** A string field of a Struct given as JSON; undefined when it is absent or something else. */
export function stringIn(json: JsonObject | undefined, key: string): string | undefined {
  const value = json !== undefined && Object.hasOwn(json, key) ? json[key] : undefined
  return typeof value === 'string' ? value : undefined
}

/** The same for a number that is at least 0. */
export function numberIn(json: JsonObject | undefined, key: string): number | undefined {
  const value = json !== undefined && Object.hasOwn(json, key) ? json[key] : undefined
  return typeof value === 'number' && value >= 0 ? value : undefined
}
