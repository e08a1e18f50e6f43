import {
  CustomTag_EnvironmentSchema,
  CustomTag_HeaderSchema,
  CustomTag_LiteralSchema,
  CustomTagSchema,
  type CustomTag,
} from '../../xds/gen/envoy/type/tracing/v3/custom_tag_pb.ts'
import type { SpanTag } from '../config.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const tagFields = fieldNames('tag literal environment request_header')
const literalFields = fieldNames('value')
const environmentFields = fieldNames('name default_value')
const headerFields = fieldNames('name default_value')

/** What a configuration has told besides, by name. Source: envoy.type.tracing.v3.CustomTag. */
export function decodeCustomTags(tags: readonly CustomTag[], path: string, refused: Refusals): readonly SpanTag[] {
  return tags.flatMap((one, index): readonly SpanTag[] => {
    const at = `${path}[${index}]`
    knowOnly(CustomTagSchema, one, tagFields, at, refused)
    if (one.tag === '') refused.add(join(at, 'tag'), 'is empty')
    const { tag, type } = one
    switch (type.case) {
      case 'literal': {
        knowOnly(CustomTag_LiteralSchema, type.value, literalFields, join(at, 'literal'), refused)
        return [{ tag, kind: 'constant', value: type.value.value }]
      }
      case 'environment': {
        knowOnly(CustomTag_EnvironmentSchema, type.value, environmentFields, join(at, 'environment'), refused)
        return [{ tag, kind: 'constant', value: process.env[type.value.name] ?? type.value.defaultValue }]
      }
      case 'requestHeader': {
        knowOnly(CustomTag_HeaderSchema, type.value, headerFields, join(at, 'request_header'), refused)
        const { name, defaultValue: otherwise } = type.value
        if (name === '') refused.add(join(at, 'request_header.name'), 'is empty')
        return [{ tag, kind: 'request-header', name: name.toLowerCase(), otherwise }]
      }
      case undefined:
        refused.add(at, 'expected literal, environment or request_header')
        return []
      default:
        return [] // refused by knowOnly
    }
  })
}
