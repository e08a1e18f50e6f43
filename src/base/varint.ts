/** A number as protobuf has it on the wire: seven bits a byte, the lowest first. Source: Protocol Buffers, "Encoding". */
export function writeVarint(value: number): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest]
    bytes.push((rest % 128) | 0x80)
  }
}

/** Reads a message without a schema. `longest`: bytes that a number may have. */
export class WireReader {
  /** What is read next. */
  at = 0
  readonly #bytes: Buffer
  readonly #longest: number

  constructor(bytes: Buffer, longest: number) {
    this.#bytes = bytes
    this.#longest = longest
  }

  get done(): boolean {
    return this.at >= this.#bytes.length
  }

  /** NaN: it is cut off, or too long. Over 2^53 it is not exact. */
  varint(): number {
    let read = 0
    let weight = 1
    for (let count = 0; count < this.#longest && !this.done; count++, weight *= 128) {
      const byte = this.#bytes[this.at++] ?? 0
      read += (byte & 0x7f) * weight
      if (byte < 0x80) return read
    }
    return NaN
  }
}
