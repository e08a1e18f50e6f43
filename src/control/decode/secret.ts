import {
  boolean,
  invalid,
  object,
  optional,
  record,
  refine,
  string,
  withDefault,
  type Decoder,
} from '../../base/decode.ts'

/** A core/v1 Secret; its fields stand beside `metadata`. */
export interface SecretSpec {
  readonly type: string
  /** As text: what is kept here are certificates, keys and tokens. */
  readonly data: Readonly<Record<string, string>>
}

/** Fields of the document that are read. */
export const secretBody = ['type', 'data', 'stringData', 'immutable'] as const

interface Written extends SecretSpec {
  readonly stringData: Readonly<Record<string, string>>
  readonly immutable?: boolean
}

/** Never shows the value: it may be the secret, written in the wrong field. */
const hidden =
  (expected: string, read: (text: string) => string | undefined): Decoder<string> =>
  (value, path, issues) => {
    const text = typeof value === 'string' ? read(value) : undefined
    if (text === undefined) issues.push({ path, message: `expected ${expected}; the value is not shown here` })
    return text ?? invalid
  }
const base64 = hidden('base64 (plain text goes under stringData)', (text) =>
  /^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(text) ? Buffer.from(text, 'base64').toString('utf8') : undefined,
)
const plainText = hidden('a string', (text) => text)

/** Keys that a type must have. Source: Kubernetes, "Types of Secret". */
const required: Readonly<Record<string, readonly string[]>> = { 'kubernetes.io/tls': ['tls.crt', 'tls.key'] }

export const secretSpec: Decoder<SecretSpec> = refine(
  object<Written>({
    type: withDefault(string(), 'Opaque'),
    data: withDefault(record(base64), {}),
    stringData: withDefault(record(plainText), {}),
    immutable: optional(boolean),
  }),
  ({ type, data, stringData }, path, issues) => {
    const all = { ...data, ...stringData }
    const missing = (required[type] ?? []).filter((key) => !Object.hasOwn(all, key))
    for (const key of missing) issues.push({ path: `${path}data.${key}`, message: `a Secret of type ${type} needs it` })
    return missing.length > 0 ? invalid : { type, data: all }
  },
)
