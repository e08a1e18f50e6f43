import type { JsonFormat, LogFormat, ValuePart } from '../config.ts'
import type { Known } from '../format/known.ts'
import { compileCommand, compileText, type Value } from '../format/value-of.ts'

/** Compiles a format: what it writes of one call or connection, line end included if there is one. Done once per configuration. */
export function compileFormat(format: LogFormat): (known: Known) => string {
  const { omitEmpty } = format
  if (format.kind === 'text') return compileText(format.parts, { absent: omitEmpty ? '' : '-', wire: false })
  const whole = compileJson({ kind: 'object', fields: format.fields }, omitEmpty)
  return (known) => `${JSON.stringify(whole(known) ?? {})}\n`
}

type Json = Value | boolean | null | readonly Json[] | { readonly [name: string]: Json }

/** Undefined: it is left out. Source: Envoy, `json_format`, `omit_empty_values`. */
function compileJson(format: JsonFormat, omitEmpty: boolean): (known: Known) => Json {
  switch (format.kind) {
    case 'constant': {
      const value = format.value === null && omitEmpty ? undefined : format.value
      return () => value
    }
    case 'value':
      return compileValue(format.parts, omitEmpty)
    case 'list': {
      const items = format.items.map((item) => compileJson(item, omitEmpty))
      // An empty list stays, as in Envoy.
      return (known) => items.flatMap((item) => orNothing(item(known)))
    }
    case 'object': {
      const fields = format.fields.map(([name, value]) => [name, compileJson(value, omitEmpty)] as const)
      return (known) => {
        const entries = fields.flatMap(([name, value]) => orNothing(value(known)).map((one) => [name, one] as const))
        return omitEmpty && entries.length === 0 ? undefined : Object.fromEntries(entries)
      }
    }
  }
}

const orNothing = (value: Json): readonly Json[] => (value === undefined ? [] : [value])

/** A single command keeps its type, and null for what is not there. */
function compileValue(parts: readonly ValuePart[], omitEmpty: boolean): (known: Known) => Json {
  const [first, ...more] = parts
  if (first === undefined) return () => ''
  if (more.length > 0 || typeof first === 'string')
    return compileText(parts, { absent: omitEmpty ? '' : '-', wire: false })
  const find = compileCommand(first, false)
  const nothing = omitEmpty ? undefined : null
  return (known) => find(known) ?? nothing
}
