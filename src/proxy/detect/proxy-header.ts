import { isIPv4, isIPv6 } from 'node:net'
import type { Address } from '../../base/address.ts'
import { formatIp, parseIp } from '../../base/ip-prefix.ts'

/** A PROXY protocol header in front of a connection. */
export interface ProxyHeader {
  readonly kind: 'header'
  readonly version: 1 | 2
  /** Its bytes, to be taken away. */
  readonly length: number
  /** Who asks and where it was for; undefined: the proxy speaks for itself (LOCAL, UNKNOWN), so that the socket's own addresses count. */
  readonly addresses: { readonly source: Address; readonly destination: Address } | undefined
}

/** What a connection begins with. */
export type ProxyStart =
  | ProxyHeader
  /** Something else. */
  | { readonly kind: 'none' }
  /** A header that is none. */
  | { readonly kind: 'bad'; readonly why: string }

/** More than this, additions (TLVs) included, is no header that we want to hold, in bytes. */
export const longestProxyHeader = 16_384
/** With CR LF. */
const longestV1 = 107
const v1Start = Buffer.from('PROXY ', 'latin1')
const v2Start = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/**
 * Reads the start of a connection: `more` while its end has not come; decided by the first byte that differs. Strict: one space, no
 * leading zeros, lengths that fit. Source: HAProxy, "The PROXY protocol, versions 1 & 2", sections 2.1 and 2.2.
 */
export function readProxyHeader(bytes: Buffer): ProxyStart | 'more' {
  if (startsAs(bytes, v2Start)) return bytes.length < 16 ? 'more' : readV2(bytes)
  if (startsAs(bytes, v1Start)) return bytes.length < v1Start.length ? 'more' : readV1(bytes)
  return { kind: 'none' }
}

function startsAs(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length)
  return bytes.compare(start, 0, length, 0, length) === 0
}

const bad = (why: string): ProxyStart => ({ kind: 'bad', why })

function readV1(bytes: Buffer): ProxyStart | 'more' {
  const end = bytes.subarray(0, longestV1).indexOf('\r\n', 0, 'latin1')
  if (end < 0) return bytes.length < longestV1 ? 'more' : bad('a line of more than 107 bytes')
  const length = end + 2
  const words = bytes.toString('latin1', v1Start.length, end).split(' ')
  const [family, source = '', destination = '', sourcePort = '', destinationPort = ''] = words
  if (family === 'UNKNOWN') return { kind: 'header', version: 1, length, addresses: undefined }
  if (family !== 'TCP4' && family !== 'TCP6') return bad('neither TCP4, TCP6 nor UNKNOWN')
  if (words.length !== 5) return bad(`${words.length} words, expected 5`)
  const isAddress = family === 'TCP4' ? isIPv4 : isIPv6
  if (!isAddress(source) || !isAddress(destination)) return bad('an address that is none')
  const ports = [sourcePort, destinationPort].map(readPort)
  const [from, to] = ports
  if (from === undefined || to === undefined) return bad('a port that is none')
  return header(1, length, { host: normal(source), port: from }, { host: normal(destination), port: to })
}

const normal = (host: string): string => formatIp(parseIp(host) ?? new Uint8Array(4))

const readPort = (text: string): number | undefined =>
  /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined

const header = (version: 1 | 2, length: number, source: Address, destination: Address): ProxyHeader => ({
  kind: 'header',
  version,
  length,
  addresses: { source, destination },
})

const local = 0x20
const proxied = 0x21
const addressBytes: Readonly<Record<number, number>> = { 1: 12, 2: 36, 3: 216 }

function readV2(bytes: Buffer): ProxyStart | 'more' {
  const command = bytes[12] ?? 0
  const family = (bytes[13] ?? 0) >> 4
  const transport = (bytes[13] ?? 0) & 15
  const length = 16 + bytes.readUInt16BE(14)
  if (command !== local && command !== proxied) return bad(`version and command 0x${command.toString(16)}`)
  if (length > longestProxyHeader) return bad(`${length} bytes, at most ${longestProxyHeader} are taken`)
  if (bytes.length < length) return 'more'
  // "The receiver must … use the real connection endpoints and must discard the protocol block"; so too for what is not specified.
  if (command === local || family === 0) return { kind: 'header', version: 2, length, addresses: undefined }
  const needed = addressBytes[family]
  if (needed === undefined || transport !== 1) return bad(`address family ${family} over transport ${transport}`)
  if (length - 16 < needed) return bad(`${length - 16} bytes of addresses, expected ${needed}`)
  // A Unix socket has no address that we could match.
  if (family === 3) return { kind: 'header', version: 2, length, addresses: undefined }
  const size = family === 1 ? 4 : 16
  const hostAt = (at: number): string => normal(formatIp(bytes.subarray(at, at + size)))
  const ports = 16 + 2 * size
  const source = { host: hostAt(16), port: bytes.readUInt16BE(ports) }
  return header(2, length, source, { host: hostAt(16 + size), port: bytes.readUInt16BE(ports + 2) })
}
