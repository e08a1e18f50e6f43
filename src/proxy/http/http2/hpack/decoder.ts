import { Field, indexing, internName, type FieldName, type Indexing } from './field.ts'
import { decoded, decodeHuffman } from './huffman.ts'
import { staticCount, staticTable } from './static-table.ts'

/** What one header block may hold. */
export interface DecoderLimits {
  /** Octets of all fields, each counted as name + value + 32, the ones that are thrown away too. */
  readonly listBytes: number
  readonly fields: number
}

/** Octets of the dynamic table: the default, which we never announce otherwise. Source: RFC 9113, SETTINGS_HEADER_TABLE_SIZE. */
const tableBytes = 4096
/** No more entries fit, since each counts at least 32 octets. A power of two. */
const ring = tableBytes / 32

/** One direction's header decompression. Source: RFC 7541. */
export class Decoder {
  /** The block's fields, in order, until the next block; not all of them when it was too large. */
  fields: readonly Field[] = []
  /** The last block was over the limits. The table is in step all the same. */
  tooLarge = false
  readonly #limits: DecoderLimits
  readonly #entries: (Field | undefined)[] = Array.from({ length: ring })
  #newest = 0
  #count = 0
  #size = 0
  #max = tableBytes
  #bytes: Buffer = nothing
  #at = 0
  #end = 0

  constructor(limits: DecoderLimits) {
    this.#limits = limits
  }

  /** Reads one whole block. False: it is not valid, and nothing on this connection can be decoded any more. */
  decode(bytes: Buffer, from: number, to: number): boolean {
    this.#bytes = bytes
    this.#at = from
    this.#end = to
    const good = this.#decode()
    this.#bytes = nothing
    return good
  }

  #decode(): boolean {
    // A new list costs less than to empty the old one, whose memory would go with that.
    const fields: Field[] = []
    this.fields = fields
    const { listBytes, fields: most } = this.#limits
    this.tooLarge = false
    let size = 0
    let updates = 0
    let any = false
    while (this.#at < this.#end) {
      const byte = this.#bytes[this.#at] ?? 0
      if ((byte & 0xe0) === 0x20) {
        // Only before the first field, and at most twice: the smallest size between two blocks, and the last.
        if (any || ++updates > 2 || !this.#resize(this.#integer(5))) return false
        continue
      }
      const field = byte >= 0x80 ? this.#indexed() : this.#literal(byte)
      if (field === undefined) return false
      any = true
      size += field.size
      if (size > listBytes || fields.length >= most) this.tooLarge = true
      else if (!this.tooLarge) fields.push(field)
    }
    return true
  }

  #indexed(): Field | undefined {
    return this.#entry(this.#integer(7))
  }

  #entry(index: number): Field | undefined {
    if (index <= 0) return undefined
    if (index <= staticCount) return staticTable[index - 1]
    const back = index - staticCount - 1
    return back < this.#count ? this.#entries[(this.#newest - back) & (ring - 1)] : undefined
  }

  #literal(byte: number): Field | undefined {
    const adds = (byte & 0x40) !== 0
    const how = adds ? indexing.yes : (byte & 0x10) !== 0 ? indexing.never : indexing.no
    const index = this.#integer(adds ? 6 : 4)
    if (index < 0) return undefined
    const name = index === 0 ? this.#name() : this.#entry(index)?.key
    if (name === undefined) return undefined
    const field = this.#value(name, how)
    if (field !== undefined && adds) this.#insert(field)
    return field
  }

  #name(): FieldName | undefined {
    const from = this.#at
    const length = this.#stringLength()
    if (length < 0) return undefined
    const text = this.#text(from, length)
    return text === undefined ? undefined : internName(text)
  }

  #value(name: FieldName, how: Indexing): Field | undefined {
    const from = this.#at
    const length = this.#stringLength()
    if (length < 0) return undefined
    const end = this.#at + length
    const kept = name.indexing !== indexing.never && how !== indexing.never && length <= longestRecent
    const hash = kept ? hashOf(name, this.#bytes, from, end) : 0
    const slot = hash & (slots - 1)
    if (kept) {
      const known = recent[slot]
      if (
        known !== undefined &&
        known.name === name &&
        known.how === how &&
        sameBytes(known.raw, this.#bytes, from, end)
      ) {
        this.#at = end
        return known.field
      }
    }
    const text = this.#text(from, length)
    if (text === undefined) return undefined
    const field = new Field(name, text, how)
    // What is new with each call, such as a request's ID, comes once and is not kept.
    if (kept && seen[slot] === hash)
      recent[slot] = { name, how, raw: Uint8Array.prototype.slice.call(this.#bytes, from, end), field }
    else if (kept) seen[slot] = hash
    return field
  }

  /** The length of the string literal here, having read past it to its first byte; −1 when it is not all there. */
  #stringLength(): number {
    const length = this.#integer(7)
    return length > this.#end - this.#at ? -1 : length
  }

  /** The string literal whose length stood at `from`, having read past it. */
  #text(from: number, length: number): string | undefined {
    const start = this.#at
    this.#at = start + length
    if (((this.#bytes[from] ?? 0) & 0x80) === 0) return this.#bytes.toString('latin1', start, this.#at)
    const got = decodeHuffman(this.#bytes, start, this.#at)
    return got < 0 ? undefined : decoded.toString('latin1', 0, got)
  }

  /** −1: cut off, or over what any index, size or length here can be. Source: RFC 7541, section 5.1. */
  #integer(bits: number): number {
    if (this.#at >= this.#end) return -1
    const most = (1 << bits) - 1
    let value = (this.#bytes[this.#at++] ?? 0) & most
    if (value < most) return value
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.#at >= this.#end) return -1
      const byte = this.#bytes[this.#at++] ?? 0
      value += (byte & 127) << shift
      if (byte < 128) return value
    }
    return -1
  }

  #resize(max: number): boolean {
    if (max < 0 || max > tableBytes) return false
    this.#max = max
    this.#makeRoom(0)
    return true
  }

  #insert(field: Field): void {
    this.#makeRoom(field.size)
    // What is larger than the whole table only empties it.
    if (field.size > this.#max) return
    this.#newest = (this.#newest + 1) & (ring - 1)
    this.#entries[this.#newest] = field
    this.#count++
    this.#size += field.size
  }

  #makeRoom(size: number): void {
    while (this.#count > 0 && this.#size + size > this.#max) {
      const oldest = (this.#newest - this.#count + 1) & (ring - 1)
      this.#size -= this.#entries[oldest]?.size ?? 0
      this.#entries[oldest] = undefined
      this.#count--
    }
  }
}

const nothing = Buffer.alloc(0)

/** Literals that came lately and more than once, by name and bytes, so that what is never indexed need not be made and checked each time. */
interface Recent {
  readonly name: FieldName
  readonly how: Indexing
  readonly raw: Uint8Array
  readonly field: Field
}
const slots = 4096
const longestRecent = 128
const recent: (Recent | undefined)[] = Array.from({ length: slots })
/** Of what came last in each slot. */
const seen = new Int32Array(slots)

function hashOf(name: FieldName, bytes: Buffer, from: number, to: number): number {
  let hash = Math.imul(name.id, 0x9e3779b1) + to - from
  for (let at = from; at < to; at++) hash = (Math.imul(hash, 31) + (bytes[at] ?? 0)) | 0
  return hash ^ (hash >>> 15)
}

function sameBytes(raw: Uint8Array, bytes: Buffer, from: number, to: number): boolean {
  if (raw.length !== to - from) return false
  for (let at = 0; at < raw.length; at++) if (raw[at] !== bytes[from + at]) return false
  return true
}
