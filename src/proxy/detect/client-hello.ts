/** What a TLS client says in the clear before anything else. */
export interface ClientHello {
  /** Server name, lower case, without a final dot; undefined when none is asked for, or the name is not a host name. */
  readonly serverName: string | undefined
  /** ALPN protocols in the order of the client's liking. */
  readonly applicationProtocols: readonly string[]
}

/** More than this is no ClientHello that we want to hold, in bytes. */
export const longestHello = 16_384

const handshakeRecord = 0x16
const clientHello = 0x01
const serverNameExtension = 0
const alpnExtension = 16

/**
 * Reads the start of a connection: the hello, `more` when its end has not come, `other` when this is no TLS (decided by the first
 * byte if it can be). The hello may be spread over records and cut anywhere. Source: RFC 8446, sections 4.1.2 and 5.1.
 */
export function readClientHello(bytes: Buffer): ClientHello | 'more' | 'other' {
  const message = joinRecords(bytes)
  if (typeof message === 'string') return message
  const reader = new Reader(message, 4)
  reader.skip(2 + 32)
  reader.skip(reader.number(1))
  reader.skip(reader.number(2))
  reader.skip(reader.number(1))
  let serverName: string | undefined
  let applicationProtocols: string[] = []
  const end = reader.left === 0 ? 0 : reader.number(2)
  const extensions = reader.take(end)
  while (extensions.left > 0) {
    const type = extensions.number(2)
    const body = extensions.take(extensions.number(2))
    if (type === serverNameExtension) serverName = readServerName(body)
    else if (type === alpnExtension) applicationProtocols = readProtocols(body)
    if (extensions.broken || body.broken) break
  }
  return reader.broken || extensions.broken ? 'other' : { serverName, applicationProtocols }
}

/** The whole handshake message, without record headers. */
function joinRecords(bytes: Buffer): Buffer | 'more' | 'other' {
  const pieces: Buffer[] = []
  let joined = 0
  let wanted = 4
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] !== handshakeRecord || (at + 1 < bytes.length && bytes[at + 1] !== 3)) return 'other'
    if (at + 5 > bytes.length) return 'more'
    const length = bytes.readUInt16BE(at + 3)
    // Empty records and ones over 2^14 bytes are not allowed (RFC 8446, section 5.1).
    if (length === 0 || length > 16_384) return 'other'
    const piece = bytes.subarray(at + 5, at + 5 + length)
    pieces.push(piece)
    joined += piece.length
    if (joined >= 4 && wanted === 4) {
      const head = pieces.length === 1 ? piece : Buffer.concat(pieces)
      if (head[0] !== clientHello) return 'other'
      wanted = 4 + head.readUIntBE(1, 3)
      if (wanted > longestHello) return 'other'
    }
    // What stands behind the message in its record is none of it.
    if (joined >= wanted && wanted > 4) return (pieces.length === 1 ? piece : Buffer.concat(pieces)).subarray(0, wanted)
    at += 5 + length
  }
  return 'more'
}

function readServerName(body: Reader): string | undefined {
  const list = body.take(body.number(2))
  if (list.number(1) !== 0) return undefined
  const name = list.text(list.number(2)).toLowerCase().replace(/\.$/, '')
  return !list.broken && /^[a-z0-9._-]{1,255}$/.test(name) ? name : undefined
}

function readProtocols(body: Reader): string[] {
  const list = body.take(body.number(2))
  const found: string[] = []
  while (list.left > 0 && !list.broken) {
    const name = list.text(list.number(1))
    if (!list.broken) found.push(name)
  }
  return found
}

/** Reads on through bytes; past the end it is `broken` and gives zeros. */
class Reader {
  broken = false
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes
    this.#at = at
  }

  get left(): number {
    return this.broken ? 0 : this.#bytes.length - this.#at
  }

  number(size: 1 | 2): number {
    const at = this.#move(size)
    return at === undefined ? 0 : this.#bytes.readUIntBE(at, size)
  }

  skip(count: number): void {
    this.#move(count)
  }

  take(count: number): Reader {
    const at = this.#move(count)
    const inner = new Reader(at === undefined ? Buffer.alloc(0) : this.#bytes.subarray(at, at + count))
    inner.broken = at === undefined
    return inner
  }

  text(count: number): string {
    const at = this.#move(count)
    return at === undefined ? '' : this.#bytes.toString('latin1', at, at + count)
  }

  #move(count: number): number | undefined {
    const at = this.#at
    if (this.broken || at + count > this.#bytes.length) {
      this.broken = true
      return undefined
    }
    this.#at = at + count
    return at
  }
}
