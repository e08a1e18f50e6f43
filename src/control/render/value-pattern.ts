import type { MessageInitShape } from '@bufbuild/protobuf'
import type { StringMatcherSchema } from '../../xds/gen/envoy/type/matcher/v3/string_pb.ts'

/** A value of an AuthorizationPolicy, taken apart: `exact`, `prefix*`, `*suffix`, `*` (anything that is there). */
export type ValuePattern =
  | { readonly kind: 'exact' | 'prefix' | 'suffix'; readonly value: string }
  | { readonly kind: 'present' }

/** Source: Istio AuthorizationPolicy, "Matching": one `*` at either end; elsewhere it is a character like any other. */
export function parseValuePattern(text: string): ValuePattern {
  if (text === '*') return { kind: 'present' }
  if (text.startsWith('*')) return { kind: 'suffix', value: text.slice(1) }
  if (text.endsWith('*')) return { kind: 'prefix', value: text.slice(0, -1) }
  return { kind: 'exact', value: text }
}

export type StringMatch = MessageInitShape<typeof StringMatcherSchema>

/** How Envoy says it; undefined for `*`, which each place says in its own way. */
export function stringMatch(pattern: ValuePattern): StringMatch | undefined {
  return pattern.kind === 'present' ? undefined : { matchPattern: { case: pattern.kind, value: pattern.value } }
}

/** The whole value must match this RE2 expression. */
export const regexMatch = (regex: string): StringMatch => ({ matchPattern: { case: 'safeRegex', value: { regex } } })

/** `text` as an RE2 expression that matches it alone: a "." in a name is a dot. */
export const quoteRegex = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, (char) => `\\${char}`)

/** The pattern as an RE2 expression in which what `*` stands for is `anything`, e.g. `[^/]+`. */
export function patternRegex(pattern: ValuePattern, anything: string): string {
  switch (pattern.kind) {
    case 'exact':
      return quoteRegex(pattern.value)
    case 'prefix':
      return quoteRegex(pattern.value) + anything
    case 'suffix':
      return anything + quoteRegex(pattern.value)
    case 'present':
      return anything
  }
}
