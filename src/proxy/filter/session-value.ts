import { WireReader, writeVarint } from '../../base/varint.ts'

/** What a session's value says; seconds since 1970, 0: never. */
export interface SessionValue {
  /** "host:port". */
  readonly address: string
  readonly untilS: number
  /** However much it is used; the value ends before if nobody uses it. Only in cookies of sessions that end when idle. */
  readonly atMostS: number
}

/**
 * The value of a session: base64 of "host:port" in a header, in a cookie of a message with it and the seconds at which it ends.
 * Source: Envoy, `envoy.Cookie` of its cookie based session state: `string address = 1; uint64 expires = 2`. The third field is our own:
 * Envoy reads past it.
 */
export function writeSession(kind: 'cookie' | 'header', { address, untilS, atMostS }: SessionValue): string {
  const bytes = Buffer.from(address)
  if (kind === 'header') return bytes.toString('base64')
  const ends = [
    ...(untilS === 0 ? [] : [0x10, ...writeVarint(untilS)]),
    ...(atMostS === 0 ? [] : [0x18, ...writeVarint(atMostS)]),
  ]
  return Buffer.from([0x0a, ...writeVarint(bytes.length), ...bytes, ...ends]).toString('base64')
}

/** What is in it; undefined: it is none of ours, or over. */
export function readSession(kind: 'cookie' | 'header', value: string, wallMs: number): SessionValue | undefined {
  const bytes = Buffer.from(value, 'base64')
  if (kind === 'header') {
    const address = bytes.toString()
    return address === '' ? undefined : { address, untilS: 0, atMostS: 0 }
  }
  const reader = new WireReader(bytes, longestNumber)
  let address = ''
  let untilS = 0
  let atMostS = 0
  while (!reader.done) {
    const tag = reader.varint()
    const number = reader.varint()
    if (Number.isNaN(number)) return undefined
    if (tag === 0x10) untilS = number
    else if (tag === 0x18) atMostS = number
    else if (tag === 0x0a && reader.at + number <= bytes.length) {
      address = bytes.toString('utf8', reader.at, (reader.at += number))
    } else return undefined
  }
  const ends = [untilS, atMostS].some((endS) => endS !== 0 && endS * 1000 <= wallMs)
  return address === '' || ends ? undefined : { address, untilS, atMostS }
}

/** Below 2^56: seconds and lengths are. */
const longestNumber = 8
