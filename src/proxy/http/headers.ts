/**
 * One header field. Objects are shared between calls (codecs intern them), so they are never changed; the name and value were
 * checked when the object was made (RFC 9110, section 5), not again per call.
 */
export interface HeaderField {
  /** Lower case. */
  readonly name: string
  /** Bytes as latin1, without surrounding white space. */
  readonly value: string
  /** The name as the peer wrote it; kept where header case is preserved. */
  readonly rawName: string
  /** `rawName: value` with its line end, as HTTP/1.1 writes it; made once, so that a codec need not join it for each call. */
  readonly line?: string
}

/**
 * In the order of the message. Framing and hop-by-hop fields are not among them, nor is Host: the codecs take them off and put on
 * their own. One exception: in replies to HEAD and in 304, `content-length` is no framing but a statement, and stays.
 */
export type Headers = readonly HeaderField[]

/** A field of our own making; `name` must be lower case and both must be valid, as for constants and checked values. */
export const headerField = (name: string, value: string): HeaderField => ({
  name,
  value,
  rawName: name,
  line: `${name}: ${value}\r\n`,
})

/** The first value of `name` (lower case), or undefined. */
export function headerValue(headers: Headers, name: string): string | undefined {
  for (const field of headers) if (field.name === name) return field.value
  return undefined
}

/** All values of `name`, joined with ", " as RFC 9110, section 5.3 allows; what matchers and policies must see. */
export function joinedHeaderValue(headers: Headers, name: string): string | undefined {
  let joined: string | undefined
  for (const field of headers)
    if (field.name === name) joined = joined === undefined ? field.value : `${joined}, ${field.value}`
  return joined
}

/** The list without the fields of this name; itself where there are none. */
export const withoutHeader = (headers: Headers, name: string): Headers =>
  headerValue(headers, name) === undefined ? headers : headers.filter((field) => field.name !== name)

/** The list with this field in the place of all others of its name. */
export const withHeader = (headers: Headers, field: HeaderField): Headers => [
  ...withoutHeader(headers, field.name),
  field,
]

/** Names and values, in bytes. */
export function headersSize(headers: Headers): number {
  let bytes = 0
  for (const { name, value } of headers) bytes += name.length + value.length
  return bytes
}
