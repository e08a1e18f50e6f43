import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import { DataSourceSchema, type DataSource } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import {
  JsonFormatOptionsSchema,
  SubstitutionFormatStringSchema,
  type SubstitutionFormatString,
} from '../../xds/gen/envoy/config/core/v3/substitution_format_string_pb.ts'
import type { FileAccessLog } from '../../xds/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts'
import type { StdoutAccessLog } from '../../xds/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.ts'
import type { FileLog, JsonFields, JsonFormat, LogFormat, ValuePart } from '../config.ts'
import { decodeValueFormat } from './decode-value-format.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'
import type { ValuePlace } from './value-commands.ts'

const formatFields = fieldNames('text_format text_format_source json_format omit_empty_values json_format_options')
// Fields are always in the order of their names.
const jsonOptionFields = fieldNames('sort_properties')
const sourceFields = fieldNames('inline_string inline_bytes')

/** How a logger writes its lines; nothing said: in our own words. Commands that are not known there are refused by name. */
export function decodeLogFormat(
  { case: kind, value }: FileAccessLog['accessLogFormat'] | StdoutAccessLog['accessLogFormat'],
  place: ValuePlace,
  path: string,
  refused: Refusals,
): Pick<FileLog, 'format'> {
  switch (kind) {
    case undefined:
      return {}
    case 'logFormat':
      return decodeSubstitution(value, place, join(path, 'log_format'), refused)
    case 'format':
      // Source: FileAccessLog, format: the empty text stands for the usual one.
      return value === '' ? {} : { format: text(value, place, join(path, 'format'), refused) }
    case 'jsonFormat':
      return { format: json(value, place, join(path, 'json_format'), refused) }
    case 'typedJsonFormat':
      return { format: json(value, place, join(path, 'typed_json_format'), refused) }
  }
}

function decodeSubstitution(
  substitution: SubstitutionFormatString,
  place: ValuePlace,
  path: string,
  refused: Refusals,
): Pick<FileLog, 'format'> {
  knowOnly(SubstitutionFormatStringSchema, substitution, formatFields, path, refused)
  const { format: by, omitEmptyValues: omitEmpty, jsonFormatOptions: options } = substitution
  if (options !== undefined)
    knowOnly(JsonFormatOptionsSchema, options, jsonOptionFields, join(path, 'json_format_options'), refused)
  switch (by.case) {
    case 'textFormat':
      return { format: { ...text(by.value, place, join(path, 'text_format'), refused), omitEmpty } }
    case 'textFormatSource': {
      const at = join(path, 'text_format_source')
      return { format: { ...text(textIn(by.value, at, refused), place, at, refused), omitEmpty } }
    }
    case 'jsonFormat':
      return { format: { ...json(by.value, place, join(path, 'json_format'), refused), omitEmpty } }
    case undefined:
      refused.add(path, 'expected text_format_source or json_format')
      return {}
  }
}

function textIn(source: DataSource, path: string, refused: Refusals): string {
  knowOnly(DataSourceSchema, source, sourceFields, path, refused)
  const { case: kind, value } = source.specifier
  if (kind === 'inlineString') return value
  return kind === 'inlineBytes' ? Buffer.from(value).toString('utf8') : ''
}

function text(written: string, place: ValuePlace, path: string, refused: Refusals): LogFormat {
  return { kind: 'text', parts: partsOf(written, place, path, refused), omitEmpty: false }
}

/** A text with commands, in parts. */
export function partsOf(written: string, place: ValuePlace, path: string, refused: Refusals): readonly ValuePart[] {
  const parts = decodeValueFormat(written, place, path, refused)
  return typeof parts === 'string' ? (parts === '' ? [] : [parts]) : parts
}

function json(struct: JsonObject, place: ValuePlace, path: string, refused: Refusals): LogFormat {
  return { kind: 'json', fields: fieldsOf(struct, place, path, refused), omitEmpty: false }
}

/** In the order of their names, as Envoy writes them. */
function fieldsOf(struct: JsonObject, place: ValuePlace, path: string, refused: Refusals): JsonFields {
  return Object.entries(struct)
    .toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([name, value]) => [name, jsonOf(value, place, join(path, name), refused)] as const)
}

function jsonOf(value: JsonValue, place: ValuePlace, path: string, refused: Refusals): JsonFormat {
  if (typeof value === 'string') return { kind: 'value', parts: partsOf(value, place, path, refused) }
  if (value === null || typeof value !== 'object') return { kind: 'constant', value }
  if (Array.isArray(value))
    return {
      kind: 'list',
      items: value.map((item, index) => jsonOf(item, place, `${path}[${index}]`, refused)),
    }
  return { kind: 'object', fields: fieldsOf(value, place, path, refused) }
}
