const sequence = 0x30
const boolean = 0x01
const octetString = 0x04
const extensionsTag = 0xa3
/** 2.5.29.17, subjectAltName. */
const subjectAltName = Buffer.from([0x06, 0x03, 0x55, 0x1d, 0x11])

/** The kinds of names that are read, by the tag of GeneralName. */
const kinds: Readonly<Record<number, SubjectName['kind']>> = { 0x81: 'email', 0x82: 'dns', 0x86: 'uri', 0x87: 'ip' }

/** One entry of a certificate's subjectAltName. Names are printable ASCII; an IP address is written as usual. */
export interface SubjectName {
  readonly kind: 'uri' | 'dns' | 'email' | 'ip'
  readonly value: string
}

interface Value {
  readonly tag: number
  /** First byte of the tag. */
  readonly at: number
  /** First byte of the content. */
  readonly from: number
  /** First byte after it. */
  readonly to: number
}

/** The URIs among the `subjectNames`; undefined under the same conditions. */
export const uriSubjectAltNames = (certificate: Buffer): readonly string[] | undefined =>
  subjectNames(certificate)?.flatMap(({ kind, value }) => (kind === 'uri' ? [value] : []))

/**
 * The URI, DNS, e-mail and IP names in a certificate's subjectAltName, as they stand in its bytes (DER). Never read from a text form,
 * where a comma or a NUL inside a name looks like another name. Undefined when the bytes are no certificate, or a name is not
 * printable ASCII. Source: RFC 5280, sections 4.1 and 4.2.1.6.
 */
export function subjectNames(certificate: Buffer): readonly SubjectName[] | undefined {
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
  const found: SubjectName[] = []
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

function generalNames(bytes: Buffer, wrapped: Value): SubjectName[] | undefined {
  const [list] = values(bytes, wrapped.from, wrapped.to) ?? []
  const entries = list?.tag === sequence ? values(bytes, list.from, list.to) : undefined
  if (entries === undefined) return undefined
  const names: SubjectName[] = []
  for (const { tag, from, to } of entries) {
    const kind = kinds[tag]
    if (kind === undefined) continue
    const value = kind === 'ip' ? addressText(bytes.subarray(from, to)) : bytes.toString('latin1', from, to)
    if (value === undefined || !/^[\x21-\x7e]+$/.test(value)) return undefined
    names.push({ kind, value })
  }
  return names
}

/** IPv6 without shortening by "::"; undefined for a length that no address has. */
function addressText(bytes: Buffer): string | undefined {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) return undefined
  return Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16)).join(':')
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
