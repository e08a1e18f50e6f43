import type { HeaderField } from '../headers.ts'

/** What a field means to the codec; everything else is passed on untouched. */
export const role = {
  none: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  upgrade: 5,
  /** Taken off, never passed on: Keep-Alive, Proxy-Connection, TE, Trailer. */
  hop: 6,
  expect: 7,
} as const
export type Role = (typeof role)[keyof typeof role]

/** A checked field of an HTTP/1.1 message, frozen and shared between calls. */
export interface Field extends HeaderField {
  readonly line: string
  readonly role: Role
}

const roles: ReadonlyMap<string, Role> = new Map<string, Role>([
  ['host', role.host],
  ['content-length', role.contentLength],
  ['transfer-encoding', role.transferEncoding],
  ['connection', role.connection],
  ['upgrade', role.upgrade],
  ['keep-alive', role.hop],
  ['proxy-connection', role.hop],
  ['te', role.hop],
  ['trailer', role.hop],
  ['expect', role.expect],
])

/** Secrets, which do not belong in a long-lived table, and values that hardly ever come twice. */
const uncached: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'proxy-authorization',
  'set-cookie',
  'traceparent',
  'tracestate',
  'x-request-id',
])

// RFC 9110, sections 5.1 and 5.5: a token, and visible characters with spaces and tabs between.
const nameForm = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const valueForm = /^[\t\x20-\x7e\x80-\xff]*$/

const longestCached = 256
const generation = 1024
let young = new Map<string, Field>()
let old = new Map<string, Field>()

/**
 * The field that `line` (without its end) spells; undefined when it is none: no colon, an empty name, white space in or after the
 * name, a folded line, a control character. Two generations of at most 1,024 lines bound the table, whatever peers send.
 */
export function readField(line: string): Field | undefined {
  const known = young.get(line)
  if (known !== undefined) return known
  const before = old.get(line)
  if (before !== undefined) {
    remember(before, line)
    return before
  }
  const colon = line.indexOf(':')
  const rawName = line.slice(0, Math.max(colon, 0))
  const value = trim(line, colon + 1)
  if (!nameForm.test(rawName) || !valueForm.test(value)) return undefined
  const name = rawName.toLowerCase()
  if (line.length > longestCached || uncached.has(name)) return makeField(name, value, rawName)
  // Own copies: a slice would keep the whole head that it came from.
  const field = makeField(copy(name), copy(value), copy(rawName))
  remember(field, copy(line))
  return field
}

function remember(field: Field, line: string): void {
  if (young.size >= generation) {
    old = young
    young = new Map()
  }
  young.set(line, field)
}

const makeField = (name: string, value: string, rawName: string): Field =>
  Object.freeze({ name, value, rawName, line: `${rawName}: ${value}\r\n`, role: roles.get(name) ?? role.none })

const copy = (text: string): string => Buffer.from(text, 'latin1').toString('latin1')

/** `text` from `start` on, without spaces and tabs at both ends (OWS; no other white space). */
function trim(text: string, start: number): string {
  let from = start
  let to = text.length
  while (from < to && isBlank(text.charCodeAt(from))) from++
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09
