/**
 * The value of a session: base64 of "host:port" in a header, in a cookie of a message with it and the second at which it ends
 * (0: none). Source: Envoy, `envoy.Cookie` of its cookie based session state: `string address = 1; uint64 expires = 2`.
 */
export function writeSession(kind: 'cookie' | 'header', address: string, untilS: number): string {
  const bytes = Buffer.from(address)
  if (kind === 'header') return bytes.toString('base64')
  const ends = untilS === 0 ? [] : [0x10, ...varint(untilS)]
  return Buffer.from([0x0a, ...varint(bytes.length), ...bytes, ...ends]).toString('base64')
}

/** The address in it; undefined: it is none of ours, or over. */
export function readSession(kind: 'cookie' | 'header', value: string, wallMs: number): string | undefined {
  const bytes = Buffer.from(value, 'base64')
  if (kind === 'header') return bytes.toString() || undefined
  let at = 0
  const next = (): number => {
    let read = 0
    for (let shift = 1; at < bytes.length && shift < 2 ** 50; shift *= 128) {
      const byte = bytes[at++] ?? 0
      read += (byte & 0x7f) * shift
      if (byte < 0x80) return read
    }
    return NaN
  }
  let address: string | undefined
  while (at < bytes.length) {
    const tag = next()
    const number = next()
    if (Number.isNaN(number)) return undefined
    if (tag === 0x10) {
      if (number !== 0 && number * 1000 <= wallMs) return undefined
    } else if (tag === 0x0a && at + number <= bytes.length) {
      address = bytes.toString('utf8', at, (at += number))
    } else return undefined
  }
  return address
}

function varint(value: number): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest]
    bytes.push((rest % 128) | 0x80)
  }
}
