import {
  invalid,
  list,
  mismatch,
  object,
  oneOf,
  optional,
  refine,
  withDefault,
  type Decoder,
} from '../../base/decode.ts'
import { headerName } from './header-modifier.ts'
import { shortText } from './short-text.ts'
import { backendObjectRef, type BackendObjectRef } from './service-ref.ts'

/** Spans of all calls of the mesh, by OTLP. */
export interface TracingSpec {
  readonly collector: {
    readonly backendRef: BackendObjectRef & { readonly namespace: string }
    /** Absent: as the port speaks. */
    readonly protocol?: 'grpc' | 'http'
  }
  readonly samplingPercent: number
  readonly customTags: readonly TracingTagSpec[]
}

/** A text, or what a request's header says. */
export type TracingTagSpec =
  | { readonly tag: string; readonly value: string }
  | { readonly tag: string; readonly header: string; readonly default: string }

interface WrittenTag {
  readonly tag: string
  readonly value?: string
  readonly header?: string
  readonly default?: string
}

const customTag: Decoder<TracingTagSpec> = refine(
  object<WrittenTag>({
    tag: shortText,
    value: optional(shortText),
    header: optional(headerName),
    default: optional(shortText),
  }),
  ({ tag, value, header, default: otherwise }, path, issues) => {
    if (value !== undefined && header === undefined && otherwise === undefined) return { tag, value }
    if (header !== undefined && value === undefined)
      return { tag, header: header.toLowerCase(), default: otherwise ?? '' }
    issues.push({ path, message: 'expected { tag, value }, or { tag, header } with or without default' })
    return invalid
  },
)

const customTags: Decoder<readonly TracingTagSpec[]> = refine(list(customTag, { max: 32 }), (tags, path, issues) => {
  const twice = tags.findIndex(({ tag }, index) => tags.findIndex((other) => other.tag === tag) < index)
  if (twice < 0) return tags
  issues.push({ path: `${path}[${twice}].tag`, message: `${JSON.stringify(tags[twice]?.tag)} is there already` })
  return invalid
})

const percent: Decoder<number> = (value, path, issues) =>
  typeof value === 'number' && value >= 0 && value <= 100
    ? value
    : mismatch(issues, path, 'a number from 0 to 100', value)

const collectorRef: Decoder<TracingSpec['collector']['backendRef']> = refine(
  backendObjectRef,
  ({ namespace, ...ref }, path, issues) => {
    if (namespace !== undefined) return { ...ref, namespace }
    issues.push({ path: `${path}.namespace`, message: 'is missing: a MeshConfig is in no namespace' })
    return invalid
  },
)

export const tracingSpec: Decoder<TracingSpec> = object<TracingSpec>({
  collector: object<TracingSpec['collector']>({
    backendRef: collectorRef,
    protocol: optional(oneOf('grpc', 'http')),
  }),
  samplingPercent: withDefault(percent, 1),
  customTags: withDefault(customTags, []),
})
