// Protocol Buffers written without a schema: a message is bytes from its first field on, and costs no object per field.
// Source: Protocol Buffers, "Encoding".

/** A message that is being written: from `begin` to `take` in one go, its fields in any order. */
export interface ProtoWriter {
  begin(): void
  /** What was written, in bytes of its own. */
  take(): Buffer
  /** A whole number; one below zero as int64 has it. */
  number(field: number, value: number): void
  double(field: number, value: number): void
  fixed32(field: number, value: number): void
  fixed64(field: number, value: bigint): void
  /** A moment since the epoch, given in ms with fractions, in nanoseconds. */
  nanoseconds(field: number, ms: number): void
  text(field: number, value: string): void
  /** Bytes that are at hand in hex. */
  hex(field: number, value: string): void
  bytes(field: number, content: Buffer): void
  /** Fields that are encoded already. */
  raw(encoded: Buffer): void
  /** A message inside: what follows is its fields, until `close` gets what this returns. */
  open(field: number): number
  close(opened: number): void
  /** `google.protobuf.Timestamp` and `Duration`, from ms with fractions, not negative. */
  time(field: number, ms: number): void
}

const longestShortText = 64

/** Uses the same memory for one message after the other. */
export function createProtoWriter(): ProtoWriter {
  let memory = Buffer.allocUnsafeSlow(4096)
  let at = 0
  const room = (more: number): void => {
    if (at + more <= memory.length) return
    const larger = Buffer.allocUnsafeSlow(2 * (at + more))
    memory.copy(larger, 0, 0, at)
    memory = larger
  }
  const varint = (value: number): void => {
    room(10)
    if (value < 128) memory[at++] = value
    else at = putVarint(memory, at, value)
  }
  const tag = (field: number, type: number): void => varint((field << 3) | type)
  /** Short ASCII goes byte by byte: the way to Node's own writer costs more than that. False: it is something else. */
  const shortText = (value: string): boolean => {
    const { length } = value
    if (length > longestShortText) return false
    room(length + 1)
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index)
      if (code > 0x7f) return false
      memory[at + 1 + index] = code
    }
    memory[at] = length
    at += length + 1
    return true
  }
  const writer: ProtoWriter = {
    begin: () => void (at = 0),
    take() {
      const taken = Buffer.allocUnsafe(at)
      memory.copy(taken, 0, 0, at)
      return taken
    },
    number(field, value) {
      tag(field, 0)
      if (value >= 0) return varint(value)
      room(10)
      let rest = BigInt.asUintN(64, BigInt(value))
      for (; rest >= 128n; rest >>= 7n) memory[at++] = Number(rest & 0x7fn) | 0x80
      memory[at++] = Number(rest)
    },
    double(field, value) {
      tag(field, 1)
      room(8)
      at = memory.writeDoubleLE(value, at)
    },
    fixed32(field, value) {
      tag(field, 5)
      room(4)
      at = memory.writeUInt32LE(value, at)
    },
    fixed64(field, value) {
      tag(field, 1)
      room(8)
      at = memory.writeBigUInt64LE(value, at)
    },
    nanoseconds(field, ms) {
      const whole = Math.floor(ms)
      writer.fixed64(field, BigInt(whole) * 1_000_000n + BigInt(Math.floor((ms - whole) * 1e6)))
    },
    text(field, value) {
      tag(field, 2)
      if (shortText(value)) return
      const length = Buffer.byteLength(value)
      varint(length)
      room(length)
      at += memory.write(value, at, 'utf8')
    },
    hex(field, value) {
      tag(field, 2)
      varint(value.length / 2)
      room(value.length / 2)
      at += memory.write(value, at, 'hex')
    },
    bytes(field, content) {
      tag(field, 2)
      varint(content.length)
      writer.raw(content)
    },
    raw(encoded) {
      room(encoded.length)
      at += encoded.copy(memory, at)
    },
    open(field) {
      tag(field, 2)
      room(1)
      return ++at
    },
    close(opened) {
      const length = at - opened
      // One byte was left for the length: what is longer moves on.
      const more = varintBytes(length) - 1
      if (more > 0) {
        room(more)
        memory.copyWithin(opened + more, opened, at)
        at += more
      }
      putVarint(memory, opened - 1, length)
    },
    time(field, ms) {
      const opened = writer.open(field)
      const seconds = Math.floor(ms / 1000)
      const nanos = Math.floor((ms - seconds * 1000) * 1e6)
      if (seconds > 0) writer.number(1, seconds)
      if (nanos > 0) writer.number(2, nanos)
      writer.close(opened)
    },
  }
  return writer
}

/** A field that holds these bytes, one after the other: a message, a text, or elements of either. */
export function protoField(field: number, ...parts: readonly Buffer[]): Buffer {
  let length = 0
  for (const part of parts) length += part.length
  const bytes = Buffer.allocUnsafe(varintBytes((field << 3) | 2) + varintBytes(length) + length)
  let at = putVarint(bytes, putVarint(bytes, 0, (field << 3) | 2), length)
  for (const part of parts) at += part.copy(bytes, at)
  return bytes
}

/** Returns where it goes on. */
function putVarint(bytes: Buffer, from: number, value: number): number {
  let at = from
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 0x80
  bytes[at++] = rest
  return at
}

function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++
  return bytes
}
