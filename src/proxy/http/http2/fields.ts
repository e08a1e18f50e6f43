import { headerField, type HeaderField, type Headers } from '../headers.ts'
import { Field, indexing, internName, role } from './hpack/field.ts'
import { staticField } from './hpack/static-table.ts'

/** What the regular fields of one head say, the codec's own ones taken off. */
export interface FieldBlock {
  readonly headers: HeaderField[]
  /** Undefined: no content-length. */
  readonly contentLength: number | undefined
  readonly host: string | undefined
  readonly expect: string | undefined
}

/** The pseudo-headers of one head; undefined: not there. */
export class Pseudo {
  method: string | undefined
  scheme: string | undefined
  authority: string | undefined
  path: string | undefined
  protocol: string | undefined
  status: string | undefined
}

/** Puts a pseudo-header where it belongs; false: it is there already. */
function putPseudo(pseudo: Pseudo, { role: is, value }: Field): boolean {
  // One by one: a store under a computed name took more time than all the rest of this file (`npm run bench -- http2`).
  switch (is) {
    case role.method:
      if (pseudo.method !== undefined) return false
      pseudo.method = value
      return true
    case role.scheme:
      if (pseudo.scheme !== undefined) return false
      pseudo.scheme = value
      return true
    case role.authority:
      if (pseudo.authority !== undefined) return false
      pseudo.authority = value
      return true
    case role.path:
      if (pseudo.path !== undefined) return false
      pseudo.path = value
      return true
    case role.protocol:
      if (pseudo.protocol !== undefined) return false
      pseudo.protocol = value
      return true
    default:
      if (pseudo.status !== undefined) return false
      pseudo.status = value
      return true
  }
}

/**
 * Reads the fields of one head, pseudo-headers into `pseudo`. A sentence when the message is malformed. Source: RFC 9113,
 * sections 8.2 and 8.3. Stricter: a second content-length or host is malformed even if both say the same.
 */
export function readFields(fields: readonly Field[], pseudo: Pseudo): FieldBlock | string {
  const headers: HeaderField[] = []
  let contentLength: number | undefined
  let host: string | undefined
  let expect: string | undefined
  let cookies: Field[] | undefined
  let regular = false
  for (const field of fields) {
    if (field.role === role.none) {
      regular = true
      headers.push(field)
      continue
    }
    if (isPseudo(field)) {
      if (regular) return `${field.name} behind a regular field`
      if (!putPseudo(pseudo, field)) return `more than one ${field.name}`
      continue
    }
    regular = true
    switch (field.role) {
      case role.invalid:
        return 'a field that HTTP/2 does not allow'
      case role.contentLength:
        if (contentLength !== undefined) return 'more than one content-length'
        if (field.number < 0) return 'content-length is not a number of bytes'
        contentLength = field.number
        break
      case role.host:
        if (host !== undefined) return 'more than one host'
        host = field.value
        break
      case role.te:
        if (field.value !== 'trailers') return 'te is not "trailers"'
        break
      case role.cookie:
        ;(cookies ??= []).push(field)
        break
      case role.expect:
        expect = field.value
        headers.push(field)
    }
  }
  if (cookies !== undefined) headers.push(joinCookies(cookies))
  return { headers, contentLength, host, expect }
}

/** `role.method` to `role.protocol`. */
const isPseudo = ({ role: is }: Field): boolean => is >= role.method && is <= role.protocol

/** Source: RFC 9113, section 8.2.3. */
function joinCookies(cookies: readonly Field[]): HeaderField {
  const [only] = cookies
  if (only !== undefined && cookies.length === 1) return only
  return headerField('cookie', cookies.map(({ value }) => value).join('; '))
}

/** Trailers; a sentence when they are malformed: what frames or routes a message has no place after it. */
export function readTrailers(fields: readonly Field[]): Headers | string {
  const trailers: HeaderField[] = []
  for (const field of fields) {
    if (field.role === role.invalid || isPseudo(field)) return 'a field that has no place in trailers'
    if (field.role === role.none) trailers.push(field)
  }
  return trailers
}

const known = (name: string, value: string): Field =>
  staticField(name, value) ?? new Field(internName(name), value, indexing.yes)

const statuses = new Map<number, Field>()
/** `:status`, for three digits. */
export function statusField(status: number): Field {
  let field = statuses.get(status)
  if (field === undefined) statuses.set(status, (field = known(':status', String(status))))
  return field
}

const methods = new Map(
  ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'PATCH', 'OPTIONS', 'CONNECT'].map((text) => [text, known(':method', text)]),
)
/** `:method`. */
export const methodField = (method: string): Field => methods.get(method) ?? known(':method', method)

/** `:scheme`. */
export const schemeField: Readonly<Record<'http' | 'https', Field>> = {
  http: known(':scheme', 'http'),
  https: known(':scheme', 'https'),
}
const rootPath = known(':path', '/')
/** `:path`, checked. */
export const pathField = (path: string): Field =>
  path === '/' ? rootPath : new Field(rootPath.key, path, indexing.no, 0, role.path)

let authorities = new Map<string, Field>()
/** `:authority`, the same object for the same text as long as it is in use. */
export function authorityField(authority: string): Field {
  let field = authorities.get(authority)
  if (field !== undefined) return field
  if (authorities.size >= 256) authorities = new Map()
  field = known(':authority', authority)
  authorities.set(authority, field)
  return field
}

/** `:protocol`. */
export const protocolField = (protocol: string): Field => known(':protocol', protocol)

const lengthName = internName('content-length')
/** `content-length`. */
export const lengthField = (length: number): Field =>
  new Field(lengthName, String(length), indexing.no, 0, role.contentLength)

/** `te: trailers`, which gRPC asks for on every hop. */
export const teField: Field = known('te', 'trailers')
