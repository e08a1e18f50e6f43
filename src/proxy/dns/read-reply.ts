import { dns } from './message.ts'

/** What must be known of a reply that is to be kept. */
export interface ReplyTimes {
  /** How long all of it is good, in seconds. */
  readonly ttlSeconds: number
  /** Where the time of each record stands. */
  readonly ttlAt: readonly number[]
}

/**
 * The times of a reply; undefined for one that must not be kept: cut, failed, good for no time, unreadable, or negative without the
 * zone's word about how long that holds. Source: RFC 2181, section 5.2; RFC 2308, section 5.
 */
export function replyTimes(reply: Buffer, questionEnd: number): ReplyTimes | undefined {
  if (reply.length < questionEnd || (reply.readUInt8(2) & 0x02) !== 0) return undefined
  const code = reply.readUInt8(3) & 15
  if (code !== dns.noError && code !== dns.noSuchName) return undefined
  const answers = reply.readUInt16BE(6)
  const authorities = reply.readUInt16BE(8)
  const total = answers + authorities + reply.readUInt16BE(10)
  const ttlAt: number[] = []
  let least = Number.POSITIVE_INFINITY
  let negative: number | undefined
  let at = questionEnd
  for (let index = 0; index < total; index++) {
    const fixed = skipName(reply, at)
    if (fixed === undefined || fixed + 10 > reply.length) return undefined
    const type = reply.readUInt16BE(fixed)
    const end = fixed + 10 + reply.readUInt16BE(fixed + 8)
    if (end > reply.length) return undefined
    if (type !== dns.opt) {
      const ttl = reply.readUInt32BE(fixed + 4)
      ttlAt.push(fixed + 4)
      // The high bit means 0. Source: RFC 2181, section 8.
      least = Math.min(least, ttl > 0x7fff_ffff ? 0 : ttl)
      const isAuthority = index >= answers && index < answers + authorities
      // The last of the five times in an SOA record is how long a negative answer holds.
      if (isAuthority && type === dns.soa && end - fixed >= 10 + 22)
        negative = Math.min(ttl, reply.readUInt32BE(end - 4))
    }
    at = end
  }
  if (answers === 0 || code === dns.noSuchName) {
    if (negative === undefined) return undefined
    least = Math.min(least, negative)
  }
  return least > 0 && Number.isFinite(least) ? { ttlSeconds: least, ttlAt } : undefined
}

/** Where a name ends: at its empty label, or behind a pointer. */
function skipName(reply: Buffer, from: number): number | undefined {
  for (let at = from; at < reply.length;) {
    const length = reply.readUInt8(at)
    if (length === 0) return at + 1
    if (length >= 0xc0) return at + 2
    if (length > 63) return undefined
    at += length + 1
  }
  return undefined
}
