import type { HeaderField } from '../../headers.ts'
import { encodeHuffman, huffmanLength } from './huffman.ts'

/** How a field may be written: into the dynamic table, as a literal, or as one that nobody on the way may ever index. */
export const indexing = { yes: 0, no: 1, never: 2 } as const
export type Indexing = (typeof indexing)[keyof typeof indexing]

/** What a field means to the codec; everything else is passed on untouched. */
export const role = {
  none: 0,
  method: 1,
  path: 2,
  scheme: 3,
  authority: 4,
  status: 5,
  protocol: 6,
  contentLength: 7,
  host: 8,
  cookie: 9,
  te: 10,
  expect: 11,
  /** Taken off, never passed on. */
  drop: 12,
  /** Makes the whole message malformed: a field of connections, an unknown pseudo-header, invalid bytes. */
  invalid: 13,
} as const
export type Role = (typeof role)[keyof typeof role]

const roles: ReadonlyMap<string, Role> = new Map<string, Role>([
  [':method', role.method],
  [':path', role.path],
  [':scheme', role.scheme],
  [':authority', role.authority],
  [':status', role.status],
  [':protocol', role.protocol],
  ['content-length', role.contentLength],
  ['host', role.host],
  ['cookie', role.cookie],
  ['te', role.te],
  ['expect', role.expect],
  ['trailer', role.drop],
  // RFC 9113, section 8.2.2.
  ['connection', role.invalid],
  ['proxy-connection', role.invalid],
  ['keep-alive', role.invalid],
  ['transfer-encoding', role.invalid],
  ['upgrade', role.invalid],
])

/** Secrets: guessing them by the size of what is compressed must not be possible (RFC 7541, section 7.1). */
const secrets: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization', 'set-cookie'])

/** Values that hardly ever come twice would only push others out of the table. */
const changing: ReadonlySet<string> = new Set([
  ':path',
  'content-length',
  'content-range',
  'date',
  'etag',
  'grpc-timeout',
  'if-modified-since',
  'if-none-match',
  'last-modified',
  'location',
  'traceparent',
  'tracestate',
  'x-request-id',
])

// RFC 9113, section 8.2.1, and the visible characters of RFC 9110, section 5.5.
const nameForm = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
const valueForm = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/

/** What all fields of one name share. */
export interface FieldName {
  readonly text: string
  readonly id: number
  readonly role: Role
  readonly indexing: Indexing
  /** Of the first entry with this name in the static table; 0: none. */
  readonly staticIndex: number
  /** The name as a string literal, made on first use. */
  wire: Buffer | undefined
}

let nextId = 0
/** Names made from now on. `staticIndex` is for the static table itself. */
export function makeName(text: string, staticIndex = 0): FieldName {
  const isPseudo = text.startsWith(':')
  const known = roles.get(text)
  return {
    text,
    id: nextId++,
    role: known ?? (isPseudo || !nameForm.test(text) ? role.invalid : role.none),
    indexing: secrets.has(text) ? indexing.never : changing.has(text) ? indexing.no : indexing.yes,
    staticIndex,
    wire: undefined,
  }
}

/** Names that anybody may make up are kept in two generations of at most so many. */
const generation = 1024
const fixed = new Map<string, FieldName>()
let young = new Map<string, FieldName>()
let old = new Map<string, FieldName>()

/** A name of the static table, which is never forgotten. */
export function fixName(text: string, staticIndex: number): FieldName {
  let name = fixed.get(text)
  if (name === undefined) fixed.set(text, (name = makeName(text, staticIndex)))
  return name
}

/** The one object for this name, as long as it is in use. */
export function internName(text: string): FieldName {
  const known = fixed.get(text) ?? young.get(text)
  if (known !== undefined) return known
  const name = old.get(text) ?? makeName(text)
  if (young.size >= generation) {
    old = young
    young = new Map()
  }
  young.set(text, name)
  return name
}

/** A checked field as HPACK's tables keep it; shared between calls and connections, and itself the key of the encoder's table. */
export class Field implements HeaderField {
  readonly name: string
  readonly value: string
  readonly key: FieldName
  /** What the message is because of this field; `role.invalid` also when the value is not valid. */
  readonly role: Role
  readonly indexing: Indexing
  /** In octets, as tables and limits count. Source: RFC 7541, section 4.1. */
  readonly size: number
  /** Of this very field in the static table; 0: not there. */
  readonly staticIndex: number
  #line: string | undefined
  #wire: Buffer | undefined

  #number: number | undefined

  /** `checked`: what the field is, where the value is known to be valid. */
  constructor(key: FieldName, value: string, how: Indexing, staticIndex = 0, checked?: Role) {
    this.name = key.text
    this.value = value
    this.key = key
    this.role = checked ?? (valueForm.test(value) ? key.role : role.invalid)
    this.indexing = how > key.indexing ? how : key.indexing
    this.size = key.text.length + value.length + 32
    this.staticIndex = staticIndex
  }

  /** The value as a whole number of at most 15 digits; −1: it is none. */
  get number(): number {
    return (this.#number ??= /^\d{1,15}$/.test(this.value) ? Number(this.value) : -1)
  }

  get rawName(): string {
    return this.name
  }

  get line(): string {
    return (this.#line ??= `${this.name}: ${this.value}\r\n`)
  }

  /** The value as a string literal. */
  get wire(): Buffer {
    return (this.#wire ??= literalOf(this.value))
  }
}

/** A string literal in its shorter form. Source: RFC 7541, section 5.2. */
export function literalOf(text: string): Buffer {
  const coded = huffmanLength(text)
  const short = coded < text.length
  const length = short ? coded : text.length
  const out = Buffer.allocUnsafeSlow(length + 6)
  let at = writeInteger(out, 0, length, 7, short ? 0x80 : 0)
  at = short ? encodeHuffman(text, out, at) : at + out.write(text, at, 'latin1')
  return out.subarray(0, at)
}

/** `value` with a prefix of `bits` bits, the bits above it from `first`; returns the end. Source: RFC 7541, section 5.1. */
export function writeInteger(out: Buffer, at: number, value: number, bits: number, first: number): number {
  const most = (1 << bits) - 1
  if (value < most) {
    out[at] = first | value
    return at + 1
  }
  out[at] = first | most
  let end = at + 1
  let left = value - most
  for (; left >= 128; left >>>= 7) out[end++] = (left & 127) | 128
  out[end++] = left
  return end
}
