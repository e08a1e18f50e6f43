const sequence = 0x30
const boolean = 0x01
const octetString = 0x04
const extensionsTag = 0xa3
const uriTag = 0x86
/** 2.5.29.17, subjectAltName. */
const subjectAltName = Buffer.from([0x06, 0x03, 0x55, 0x1d, 0x11])

interface Value {
  readonly tag: number
  /** First byte of the tag. */
  readonly at: number
  /** First byte of the content. */
  readonly from: number
  /** First byte after it. */
  readonly to: number
}

/**
 * The URI names in a certificate's subjectAltName, as they stand in its bytes (DER). Never read from a text form, where a comma or
 * a NUL inside a name looks like another name. Undefined when the bytes are no certificate, or a URI is not printable ASCII.
 * Source: RFC 5280, sections 4.1 and 4.2.1.6.
 */
export function uriSubjectAltNames(certificate: Buffer): readonly string[] | undefined {
  const [outer] = values(certificate, 0, certificate.length) ?? []
  const [toBeSigned] = (outer?.tag === sequence && values(certificate, outer.from, outer.to)) || []
  if (toBeSigned?.tag !== sequence) return undefined
  const fields = values(certificate, toBeSigned.from, toBeSigned.to)
  if (fields === undefined) return undefined
  const wrapper = fields.find((field) => field.tag === extensionsTag)
  if (wrapper === undefined) return []
  const [list] = values(certificate, wrapper.from, wrapper.to) ?? []
  const extensions = list && values(certificate, list.from, list.to)
  if (extensions === undefined) return undefined
  const found: string[] = []
  for (const extension of extensions) {
    const parts = values(certificate, extension.from, extension.to)
    const [id, second, third] = parts ?? []
    if (id === undefined || second === undefined) return undefined
    if (!certificate.subarray(id.at, id.to).equals(subjectAltName)) continue
    const wrapped = second.tag === boolean ? third : second
    const names = wrapped?.tag === octetString ? generalNames(certificate, wrapped) : undefined
    if (names === undefined) return undefined
    found.push(...names)
  }
  return found
}

function generalNames(bytes: Buffer, wrapped: Value): string[] | undefined {
  const [list] = values(bytes, wrapped.from, wrapped.to) ?? []
  const names = list?.tag === sequence ? values(bytes, list.from, list.to) : undefined
  if (names === undefined) return undefined
  const uris = names.filter((name) => name.tag === uriTag).map((name) => bytes.toString('latin1', name.from, name.to))
  return uris.every((uri) => /^[\x21-\x7e]+$/.test(uri)) ? uris : undefined
}

/** The values from `at` to `end`, side by side; undefined when lengths do not add up. Definite lengths below 16 MiB only. */
function values(bytes: Buffer, start: number, end: number): Value[] | undefined {
  const found: Value[] = []
  let at = start
  while (at < end) {
    const tag = bytes[at]
    const first = bytes[at + 1]
    if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined
    let from = at + 2
    let length = first
    if (first >= 0x80) {
      const count = first & 0x7f
      if (count < 1 || count > 3 || from + count > end) return undefined
      length = bytes.readUIntBE(from, count)
      from += count
    }
    const to = from + length
    if (to > end) return undefined
    found.push({ tag, at, from, to })
    at = to
  }
  return found
}
