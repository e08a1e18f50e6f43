import {
  fromJson,
  ScalarType,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  type Registry,
} from '@bufbuild/protobuf'
import { join, type Refusals } from './refusals.ts'

/** What is needed to read a message that somebody wrote by hand. */
export interface ReadJsonParts {
  /** Types that may stand in an Any. */
  readonly types: Registry
  /** The bytes of a file that a DataSource names; a sentence when it cannot be read. */
  readonly readFile: (path: string) => Uint8Array | string
  /** A variable of the environment that a DataSource names. */
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * A message from JSON (or YAML that was parsed), with every problem by the path of its field. Files and variables that a DataSource
 * names are read now and stand in the message as text. Undefined when something was refused.
 */
export function readJson<S extends DescMessage>(
  schema: S,
  json: unknown,
  parts: ReadJsonParts,
  refused: Refusals,
): MessageShape<S> | undefined {
  const before = refused.list.length
  const value = checkMessage(schema, json, '', { parts, refused, depth: 0 })
  if (refused.list.length > before || value === undefined) return undefined
  try {
    return fromJson(schema, value, { registry: parts.types })
  } catch (error) {
    refused.add('', reasonOf(error))
    return undefined
  }
}

interface Context {
  readonly parts: ReadJsonParts
  readonly refused: Refusals
  /** Messages around this one. */
  readonly depth: number
}

/** Messages within messages; protobuf's own readers stop there too. */
const maxDepth = 100

const anyType = 'google.protobuf.Any'
const dataSource = 'envoy.config.core.v3.DataSource'

function checkMessage(schema: DescMessage, json: unknown, path: string, context: Context): JsonValue | undefined {
  if (context.depth > maxDepth) {
    context.refused.add(path, `is more than ${maxDepth} messages deep`)
    return undefined
  }
  if (schema.typeName === anyType) return checkAny(json, path, context)
  if (schema.typeName.startsWith('google.protobuf.')) return checkWhole(schema, json, path, context)
  if (!isObject(json)) {
    context.refused.add(path, `expected ${schema.typeName}, got ${shapeOf(json)}`)
    return undefined
  }
  if (schema.typeName === dataSource) return checkSource(json, path, context)
  return checkFields(schema, json, path, context)
}

function checkFields(schema: DescMessage, json: JsonObject, path: string, around: Context): JsonObject {
  const context = { ...around, depth: around.depth + 1 }
  const checked: JsonObject = {}
  for (const [key, value] of Object.entries(json)) {
    const field = schema.fields.find(({ name, jsonName }) => name === key || jsonName === key)
    const at = join(path, key)
    if (field === undefined) context.refused.add(at, `is no field of ${schema.typeName}`)
    else if (value !== null && value !== undefined) {
      const known = checkField(field, value, at, context)
      if (known !== undefined) checked[key] = known
    }
  }
  return checked
}

function checkField(field: DescField, json: JsonValue, path: string, context: Context): JsonValue | undefined {
  switch (field.fieldKind) {
    case 'message':
      return checkMessage(field.message, json, path, context)
    case 'list': {
      if (!Array.isArray(json)) return refuse(`expected a list, got ${shapeOf(json)}`)
      if (field.listKind !== 'message') return checkScalars(field, json, path, context)
      const { message } = field
      return json.flatMap((one, index) => checkMessage(message, one, `${path}[${index}]`, context) ?? [])
    }
    case 'map': {
      if (!isObject(json)) return refuse(`expected a map, got ${shapeOf(json)}`)
      if (field.mapKind !== 'message') return checkScalars(field, json, path, context)
      const { message } = field
      const entries = Object.entries(json).map(([key, one]) => [
        key,
        checkMessage(message, one, `${path}[${key}]`, context) ?? null,
      ])
      return Object.fromEntries(entries) as JsonObject
    }
    default:
      return checkScalars(field, json, path, context)
  }
  function refuse(why: string): undefined {
    context.refused.add(path, why)
  }
}

/** Whatever has no messages in it is read by itself, so that a problem has its place. */
function checkScalars(field: DescField, json: JsonValue, path: string, context: Context): JsonValue | undefined {
  try {
    fromJson(field.parent, { [field.name]: json })
    return json
  } catch (error) {
    const wanted = field.enum?.values.map(({ name }) => name).join(', ')
    const scalar = field.scalar === undefined ? undefined : ScalarType[field.scalar].toLowerCase()
    context.refused.add(path, `${JSON.stringify(json)} is not ${wanted ?? scalar ?? reasonOf(error)}`)
    return undefined
  }
}

/** Duration, wrappers, Struct and the like have JSON of their own. */
function checkWhole(schema: DescMessage, json: unknown, path: string, { refused }: Context): JsonValue | undefined {
  try {
    // What JSON.parse and the YAML parser give is JSON.
    fromJson(schema, json as JsonValue)
    return json as JsonValue
  } catch {
    refused.add(path, `${JSON.stringify(json)} is no ${schema.typeName.slice('google.protobuf.'.length)}`)
    return undefined
  }
}

function checkAny(json: unknown, path: string, context: Context): JsonValue | undefined {
  const { refused, parts } = context
  if (!isObject(json) || typeof json['@type'] !== 'string') {
    refused.add(path, 'expected an object with @type')
    return undefined
  }
  const { '@type': typeUrl, ...rest } = json
  const schema = parts.types.getMessage(typeUrl.slice(typeUrl.lastIndexOf('/') + 1))
  if (schema === undefined) {
    refused.add(path, `${typeUrl} is not supported`)
    return undefined
  }
  return { '@type': typeUrl, ...checkFields(schema, rest, path, context) }
}

function checkSource(json: JsonObject, path: string, context: Context): JsonObject | undefined {
  const { refused, parts } = context
  const { filename, environment_variable: snake, environmentVariable: variable = snake } = json
  if (typeof filename === 'string') {
    const bytes = parts.readFile(filename)
    if (typeof bytes !== 'string') return { inline_bytes: Buffer.from(bytes).toString('base64') }
    refused.add(join(path, 'filename'), bytes)
    return undefined
  }
  if (typeof variable === 'string') {
    const text = parts.env[variable]
    if (text !== undefined) return { inline_string: text }
    refused.add(join(path, 'environment_variable'), `${variable} is not set`)
    return undefined
  }
  return json
}

const isObject = (json: unknown): json is JsonObject =>
  typeof json === 'object' && json !== null && !Array.isArray(json)

const shapeOf = (json: unknown): string =>
  Array.isArray(json) ? 'a list' : isObject(json) ? 'an object' : (JSON.stringify(json) ?? 'nothing')

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
