import { isConnectionField } from '../../base/connection-fields.ts'
import { invalid, list, object, refine, string, withDefault, type Decoder, type Issue } from '../../base/decode.ts'

/** Gateway API HTTPHeaderFilter; names keep their case. Order of effect: remove, set, add. */
export interface HeaderModifier {
  /** Takes the place of all values that there are. */
  readonly set: readonly HeaderPair[]
  /** Comes behind the values that there are. */
  readonly add: readonly HeaderPair[]
  readonly remove: readonly string[]
}
export interface HeaderPair {
  readonly name: string
  readonly value: string
}

/** A field name. Source: RFC 9110, section 5.1; its length is Gateway API's. */
export const headerName: Decoder<string> = string({
  form: /^[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}$/,
  expected: 'a header name',
})

const editableName: Decoder<string> = refine(headerName, (name, path, issues) => {
  const lower = name.toLowerCase()
  if (lower === 'host')
    issues.push({ path, message: 'Host is no header to edit; use a URLRewrite filter with hostname' })
  else if (isConnectionField(lower))
    issues.push({ path, message: `${name} belongs to the connection and cannot be edited` })
  else return name
  return invalid
})

const pair: Decoder<HeaderPair> = object<HeaderPair>({
  name: editableName,
  value: string({
    form: /^(?:\P{Cc}|\t){1,4096}$/u,
    expected: 'from 1 to 4096 characters, none of them control',
  }),
})

/** Once each, in whatever case: of two the standard would follow the first and ignore the other. */
function eachOnce(names: readonly string[], pathOf: (index: number) => string, issues: Issue[]): boolean {
  const lower = names.map((name) => name.toLowerCase())
  const twice = lower.findIndex((name, index) => lower.indexOf(name) !== index)
  if (twice >= 0) issues.push({ path: pathOf(twice), message: `${JSON.stringify(names[twice])} is there twice` })
  return twice < 0
}
const pairs: Decoder<readonly HeaderPair[]> = refine(list(pair, { max: 16 }), (all, path, issues) =>
  eachOnce(
    all.map(({ name }) => name),
    (index) => `${path}[${index}].name`,
    issues,
  )
    ? all
    : invalid,
)
const names: Decoder<readonly string[]> = refine(list(editableName, { max: 16 }), (all, path, issues) =>
  eachOnce(all, (index) => `${path}[${index}]`, issues) ? all : invalid,
)

export const headerModifier: Decoder<HeaderModifier> = object<HeaderModifier>({
  set: withDefault(pairs, []),
  add: withDefault(pairs, []),
  remove: withDefault(names, []),
})
