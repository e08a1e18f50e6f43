import { boolean, object, optional, record, string, unsupported, withDefault, type Decoder } from '../../base/decode.ts'

/** A core/v1 ConfigMap; its fields stand beside `metadata`. */
export interface ConfigMapSpec {
  readonly data: Readonly<Record<string, string>>
  readonly immutable?: boolean
}

/** Fields of the document that are read. */
export const configMapBody = ['data', 'binaryData', 'immutable'] as const

export const configMapSpec: Decoder<ConfigMapSpec> = object<ConfigMapSpec>(
  { data: withDefault(record(string()), {}), immutable: optional(boolean) },
  { binaryData: unsupported('nothing here reads binary data; write text under data') },
)
