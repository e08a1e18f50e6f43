/** Just enough DER to write a certificate request. Source: X.690, section 10. */
const tag = { bitString: 0x03, oid: 0x06, sequence: 0x30 } as const

/** One value: tag, definite length, content. */
function value(tagByte: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content)
  return Buffer.concat([Buffer.from([tagByte]), length(body.length), body])
}

/** Short form below 128, else the number of length bytes and the length, big end first. */
function length(bytes: number): Buffer {
  if (bytes < 0x80) return Buffer.from([bytes])
  const long = bytes < 0x100 ? [bytes] : [bytes >> 8, bytes & 0xff]
  if (bytes > 0xffff) throw new RangeError(`no value of ours has ${bytes} bytes`)
  return Buffer.from([0x80 | long.length, ...long])
}

/** SEQUENCE of values that are DER already. */
export const sequence = (...items: readonly Buffer[]): Buffer => value(tag.sequence, ...items)
/** BIT STRING of whole bytes. */
export const bitString = (bytes: Buffer): Buffer => value(tag.bitString, Buffer.from([0]), bytes)
/** An empty context-specific constructed value, `[n] {}`. */
export const emptyContext = (n: number): Buffer => value(0xa0 | n)
/** INTEGER 0. */
export const zero: Buffer = Buffer.from([0x02, 0x01, 0x00])
/** OBJECT IDENTIFIER from its content bytes. */
export const objectIdentifier = (...content: readonly number[]): Buffer => value(tag.oid, Buffer.from(content))
