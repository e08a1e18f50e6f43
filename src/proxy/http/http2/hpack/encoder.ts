import type { HeaderField } from '../../headers.ts'
import { Field, indexing, internName, literalOf, writeInteger, type FieldName } from './field.ts'
import { staticCount, staticField, staticTable } from './static-table.ts'

/** Our table is never larger than this, whatever the peer allows. */
const tableBytes = 4096
const ring = tableBytes / 32

/** No field takes more: a literal of both, each with its length. */
export const fieldBound = (field: HeaderField): number => field.name.length + field.value.length + 16
/** What `begin` may write. */
export const beginBound = 8

/** One direction's header compression. Source: RFC 7541. */
export class Encoder {
  readonly #entries: (Field | undefined)[] = Array.from({ length: ring })
  /** Number of insertions so far, by field. */
  readonly #places = new Map<HeaderField, number>()
  #inserted = 0
  #count = 0
  #size = 0
  #max = tableBytes
  /** Sizes that the peer has not been told of: the smallest in between, and the last. */
  #least: number | undefined

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  allow(bytes: number): void {
    const max = Math.min(bytes, tableBytes)
    if (max === this.#max) return
    this.#max = max
    this.#least = Math.min(this.#least ?? max, max)
    this.#makeRoom(0)
  }

  /** Starts a block at `at`; returns where its first field goes. */
  begin(out: Buffer, at: number): number {
    const least = this.#least
    if (least === undefined) return at
    this.#least = undefined
    const end = least < this.#max ? writeInteger(out, at, least, 5, 0x20) : at
    return writeInteger(out, end, this.#max, 5, 0x20)
  }

  /** Writes one field, where `fieldBound` bytes must fit; returns the end. */
  field(out: Buffer, at: number, field: HeaderField): number {
    if (field instanceof Field) return this.#own(out, at, field)
    const key = internName(field.name)
    if (key.indexing !== indexing.yes) return this.literal(out, at, key, field.value)
    return this.#own(out, at, adopt(field, key))
  }

  /** Writes a literal that enters no table. */
  literal(out: Buffer, at: number, key: FieldName, value: string): number {
    const end = this.#nameOf(out, at, key, 4, key.indexing === indexing.never ? 0x10 : 0)
    return writeText(out, end, value)
  }

  #own(out: Buffer, at: number, field: Field): number {
    if (field.staticIndex > 0) return writeInteger(out, at, field.staticIndex, 7, 0x80)
    const { key } = field
    if (field.indexing === indexing.yes) {
      const place = this.#places.get(field)
      if (place !== undefined) return writeInteger(out, at, staticCount + this.#inserted - place, 7, 0x80)
      if (field.size <= this.#max) {
        this.#insert(field)
        return copy(out, this.#nameOf(out, at, key, 6, 0x40), field.wire)
      }
    }
    const end = this.#nameOf(out, at, key, 4, field.indexing === indexing.never ? 0x10 : 0)
    return writeText(out, end, field.value)
  }

  #nameOf(out: Buffer, at: number, key: FieldName, bits: number, first: number): number {
    if (key.staticIndex > 0) return writeInteger(out, at, key.staticIndex, bits, first)
    out[at] = first
    return copy(out, at + 1, (key.wire ??= literalOf(key.text)))
  }

  #insert(field: Field): void {
    this.#makeRoom(field.size)
    this.#entries[this.#inserted & (ring - 1)] = field
    this.#places.set(field, this.#inserted++)
    this.#count++
    this.#size += field.size
  }

  #makeRoom(size: number): void {
    while (this.#count > 0 && this.#size + size > this.#max) {
      const place = this.#inserted - this.#count
      const oldest = this.#entries[place & (ring - 1)]
      this.#entries[place & (ring - 1)] = undefined
      this.#count--
      if (oldest === undefined) continue
      this.#size -= oldest.size
      if (this.#places.get(oldest) === place) this.#places.delete(oldest)
    }
  }
}

/** Static entries with a value, which foreign fields may be equal to. */
const withValue: ReadonlySet<string> = new Set(staticTable.filter(({ value }) => value !== '').map(({ name }) => name))

/** Fields of other codecs and of our own making, by their line; two generations bound the table. */
const generation = 1024
const longestAdopted = 512
let young = new Map<string, Field>()
let old = new Map<string, Field>()

function adopt(field: HeaderField, key: FieldName): Field {
  const line = field.line ?? `${field.name}: ${field.value}\r\n`
  const known = young.get(line)
  if (known !== undefined) return known
  const own =
    old.get(line) ??
    (withValue.has(field.name) ? staticField(field.name, field.value) : undefined) ??
    new Field(key, field.value, indexing.yes)
  if (line.length > longestAdopted) return own
  if (young.size >= generation) {
    old = young
    young = new Map()
  }
  young.set(line, own)
  return own
}

/** A string literal that is hardly ever written again: coding it would cost more than it saves. */
function writeText(out: Buffer, at: number, text: string): number {
  const start = writeInteger(out, at, text.length, 7, 0)
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    // Cut to eight bits, other characters could become line ends.
    out[start + index] = code > 0xff ? 0x3f : code
  }
  return start + text.length
}

function copy(out: Buffer, at: number, bytes: Buffer): number {
  const { length } = bytes
  if (length > 64) out.set(bytes, at)
  else for (let index = 0; index < length; index++) out[at + index] = bytes[index] ?? 0
  return at + length
}
