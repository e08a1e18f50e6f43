/**
 * Decoders: unknown → typed, every problem at once, each with its path. A decoder never throws; it reports to `issues` and
 * returns `invalid` where no value can be given.
 */
export const invalid: unique symbol = Symbol('invalid')
export type Invalid = typeof invalid

/** One problem of a decoded value. `path` is relative to the value handed to `decode`. */
export interface Issue {
  readonly path: string
  readonly message: string
}

/** Reads `value`, found at `path`; on trouble adds to `issues` and returns `invalid`. */
export type Decoder<T> = (value: unknown, path: string, issues: Issue[]) => T | Invalid

/** A field that may be left out; `object` leaves the key out too (exactOptionalPropertyTypes). */
export interface OptionalField<T> {
  readonly optional: Decoder<T>
}
/** A field with a value of its own when it is absent. */
export interface DefaultedField<T> {
  readonly decoder: Decoder<T>
  readonly fallback: T
}
/** A field known to the standard that we refuse aloud, with a reason. */
export interface UnsupportedField {
  readonly unsupported: string
}

type Field<T> = Decoder<T> | OptionalField<T> | DefaultedField<T>
type FieldsOf<T> = { [K in keyof T]-?: Field<NonNullable<T[K]>> }

/** All that is wrong, or the value. */
export function decode<T>(decoder: Decoder<T>, value: unknown): { value: T } | { issues: readonly Issue[] } {
  const issues: Issue[] = []
  const decoded = decoder(value, '', issues)
  return decoded === invalid || issues.length > 0 ? { issues } : { value: decoded }
}

/** `expected WHAT, got THIS`. */
export function mismatch(issues: Issue[], path: string, expected: string, value: unknown, remedy?: string): Invalid {
  const hint = remedy === undefined ? '' : ` (${remedy})`
  issues.push({ path, message: `expected ${expected}, got ${describe(value)}${hint}` })
  return invalid
}

/** A short, safe picture of any value for an error message. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object') return 'an object'
  const text = JSON.stringify(value) ?? typeof value
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`)

/** An object with exactly these fields; an unknown one is an issue, with the nearest known name as the remedy. */
export function object<T extends object>(
  fields: FieldsOf<T>,
  unsupported: Readonly<Record<string, UnsupportedField>> = {},
): Decoder<T> {
  const names = Object.keys(fields)
  return (value, path, issues) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return mismatch(issues, path, 'an object', value)
    }
    const source = value as Record<string, unknown>
    const result: Record<string, unknown> = {}
    let ok = true
    for (const name of Object.keys(source)) {
      if (names.includes(name)) continue
      ok = false
      const refused = Object.hasOwn(unsupported, name) ? unsupported[name] : undefined
      issues.push({ path: join(path, name), message: refused?.unsupported ?? unknownField(name, names) })
    }
    for (const name of names) {
      const field = fields[name as keyof T] as Field<unknown>
      const present = Object.hasOwn(source, name) && source[name] !== undefined && source[name] !== null
      if (typeof field === 'object' && !present) {
        if ('fallback' in field) result[name] = field.fallback
        continue
      }
      const read = typeof field === 'function' ? field : 'optional' in field ? field.optional : field.decoder
      const decoded = read(present ? source[name] : undefined, join(path, name), issues)
      if (decoded === invalid) ok = false
      else result[name] = decoded
    }
    return ok ? (result as T) : invalid
  }
}

const unknownField = (name: string, known: readonly string[]): string => {
  const near = nearest(name, known)
  return near === undefined ? `unknown field; known are ${known.join(', ')}` : `unknown field; did you mean "${near}"?`
}

/** May be absent. */
export const optional = <T>(decoder: Decoder<T>): OptionalField<T> => ({ optional: decoder })
/** May be absent, and is `fallback` then. */
export const withDefault = <T>(decoder: Decoder<T>, fallback: T): DefaultedField<T> => ({ decoder, fallback })
/** Known to the standard, refused by us for now. */
export const unsupported = (why: string): UnsupportedField => ({ unsupported: why })

/** Any string, or one that has `form`, described by `expected`. */
export function string({ form, expected = 'a string' }: { form?: RegExp; expected?: string } = {}): Decoder<string> {
  return (value, path, issues) =>
    typeof value === 'string' && (form === undefined || form.test(value))
      ? value
      : mismatch(issues, path, expected, value)
}

export const boolean: Decoder<boolean> = (value, path, issues) =>
  typeof value === 'boolean' ? value : mismatch(issues, path, 'true or false', value)

/** A whole number from `min` to `max`. */
export function integer({ min, max }: { min: number; max: number }): Decoder<number> {
  return (value, path, issues) =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
      ? value
      : mismatch(issues, path, `a whole number from ${min} to ${max}`, value)
}

/** One of these strings; a near miss is named. */
export function oneOf<const T extends string>(...values: readonly T[]): Decoder<T> {
  return (value, path, issues) => {
    if (typeof value === 'string' && (values as readonly string[]).includes(value)) return value as T
    const near = typeof value === 'string' ? nearest(value, values) : undefined
    const remedy = near === undefined ? undefined : `did you mean "${near}"?`
    return mismatch(issues, path, `one of ${values.map((one) => JSON.stringify(one)).join(', ')}`, value, remedy)
  }
}

/** A list; `min` and `max` bound its length. */
export function list<T>(
  item: Decoder<T>,
  { min = 0, max = 1024 }: { min?: number; max?: number } = {},
): Decoder<readonly T[]> {
  return (value, path, issues) => {
    if (!Array.isArray(value)) return mismatch(issues, path, 'a list', value)
    if (value.length < min || value.length > max) {
      return mismatch(issues, path, min === 0 ? `at most ${max} items` : `from ${min} to ${max} items`, value)
    }
    const items = value.map((one, index) => item(one, `${path}[${index}]`, issues))
    return items.includes(invalid as never) ? invalid : (items as T[])
  }
}

/** An object whose keys are free. Own keys only: "__proto__" is a key like any other and never reaches a prototype. */
export function record<T>(item: Decoder<T>): Decoder<Readonly<Record<string, T>>> {
  return (value, path, issues) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return mismatch(issues, path, 'an object', value)
    }
    const entries = Object.entries(value).map(([key, one]) => [key, item(one, join(path, key), issues)] as const)
    if (entries.some(([, one]) => one === invalid)) return invalid
    return Object.fromEntries(entries) as Record<string, T>
  }
}

/** Checks or changes an already decoded value; `then` reports by itself. */
export function refine<A, B>(
  decoder: Decoder<A>,
  then: (value: A, path: string, issues: Issue[]) => B | Invalid,
): Decoder<B> {
  return (value, path, issues) => {
    const decoded = decoder(value, path, issues)
    return decoded === invalid ? invalid : then(decoded, path, issues)
  }
}

/** Taken as it is; as a field never null, since `object` takes null for absent. */
export const anything: Decoder<NonNullable<unknown>> = (value, path, issues) =>
  value ?? mismatch(issues, path, 'a value', value)

/** The known name within two edits of `name` (a third of its length for short ones), or undefined. For "did you mean". */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const limit = Math.min(2, Math.max(1, Math.floor(name.length / 3)))
  let best: string | undefined
  let bestDistance = limit + 1
  for (const one of known) {
    if (Math.abs(one.length - name.length) > limit || one.length > 256) continue
    const distance = editDistance(name.toLowerCase(), one.toLowerCase())
    if (distance < bestDistance) [best, bestDistance] = [one, distance]
  }
  return best
}

/** Levenshtein distance with neighbouring transpositions (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (before[j - 2] ?? 0) + 1)
      row.push(best)
    }
    before = last
    last = row
  }
  return last[b.length] ?? 0
}
