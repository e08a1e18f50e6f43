// Protobuf by hand, for the few messages that spans are: no schema, and no object per field. Source: Protocol Buffers, "Encoding".

/** How many bytes a varint takes. */
export const byteCount = (value: number): number => {
  let bytes = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++
  return bytes
}

/** A length-delimited field. */
export function element(field: number, content: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(1 + byteCount(content.length) + content.length)
  bytes[0] = (field << 3) | 2
  let at = 1
  let rest = content.length
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 0x80
  bytes[at++] = rest
  content.copy(bytes, at)
  return bytes
}

/** Writes the fields of a message, each under its number. */
export interface ProtoWriter {
  begin(): void
  /** What was written since. */
  take(): Buffer
  varint(value: number): void
  tag(field: number, type: number): void
  number(field: number, value: number): void
  /** Bytes, given in hex. */
  hex(field: number, value: string): void
  text(field: number, value: string): void
  message(field: number, content: Buffer): void
  fixed64(field: number, value: bigint): void
  fixed32(field: number, value: number): void
}

/** One for all: it is used from its beginning to its end in one go. */
export const writer: ProtoWriter & { bytes: Buffer; at: number; room(more: number): void } = {
  bytes: Buffer.allocUnsafeSlow(4096),
  at: 0,
  begin(): void {
    this.at = 0
  },
  take(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.at))
  },
  room(more: number): void {
    if (this.at + more <= this.bytes.length) return
    const larger = Buffer.allocUnsafeSlow(2 * (this.at + more))
    this.bytes.copy(larger, 0, 0, this.at)
    this.bytes = larger
  },
  varint(value: number): void {
    this.room(10)
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.bytes[this.at++] = (rest % 128) | 0x80
    this.bytes[this.at++] = rest
  },
  tag(field: number, type: number): void {
    this.varint((field << 3) | type)
  },
  number(field: number, value: number): void {
    this.tag(field, 0)
    this.varint(value)
  },
  hex(field: number, value: string): void {
    this.tag(field, 2)
    this.varint(value.length / 2)
    this.room(value.length / 2)
    this.at += this.bytes.write(value, this.at, 'hex')
  },
  text(field: number, value: string): void {
    const length = Buffer.byteLength(value)
    this.tag(field, 2)
    this.varint(length)
    this.room(length)
    this.at += this.bytes.write(value, this.at, 'utf8')
  },
  message(field: number, content: Buffer): void {
    this.tag(field, 2)
    this.varint(content.length)
    this.room(content.length)
    this.at += content.copy(this.bytes, this.at)
  },
  fixed64(field: number, value: bigint): void {
    this.tag(field, 1)
    this.room(8)
    this.bytes.writeBigUInt64LE(value, this.at)
    this.at += 8
  },
  fixed32(field: number, value: number): void {
    this.tag(field, 5)
    this.room(4)
    this.at = this.bytes.writeUInt32LE(value, this.at)
  },
}
