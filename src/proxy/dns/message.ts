/** What is asked in one DNS message, as far as we look. Source: RFC 1035, section 4. */
export interface Question {
  /** Lower case, without the final dot; "" is the root. */
  readonly name: string
  readonly type: number
  /** Where the question ends in the message. */
  readonly end: number
  /** The largest reply that the asker takes by UDP, in bytes. Source: RFC 6891, section 6.2.3. */
  readonly udpBytes: number
  /** It speaks EDNS, and so must the reply. */
  readonly edns: boolean
}

/** Types and codes that we know by name. Source: IANA, "DNS Parameters". */
export const dns = {
  a: 1,
  soa: 6,
  aaaa: 28,
  srv: 33,
  opt: 41,
  any: 255,
  in: 1,
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  noSuchName: 3,
} as const

/** The fixed part of every message. */
export const headerBytes = 12
const longestName = 255
/** Without EDNS nobody takes more by UDP. */
const plainUdpBytes = 512
/** Fits into one packet on every network. Source: DNS Flag Day 2020. */
const largestUdpBytes = 1232

/**
 * Reads a query: its only question, `other` for what is well-formed and none of our business (another opcode or class, several
 * questions), `broken` for what cannot be read, `none` for what must not be answered at all.
 */
export function readQuery(message: Buffer): Question | 'other' | 'broken' | 'none' {
  if (message.length < headerBytes || (message.readUInt8(2) & 0x80) !== 0) return 'none'
  const opcode = (message.readUInt8(2) >> 3) & 15
  if (opcode !== 0 || message.readUInt16BE(4) !== 1) return 'other'
  const labels: string[] = []
  let at = headerBytes
  for (let total = 0; ;) {
    const length = message[at++]
    // The two high bits mark a pointer, which has nothing to point to in a first question.
    if (length === undefined || length > 63 || at + length > message.length) return 'broken'
    if (length === 0) break
    total += length + 1
    if (total > longestName) return 'broken'
    labels.push(message.toString('latin1', at, at + length).toLowerCase())
    at += length
  }
  if (at + 4 > message.length) return 'broken'
  const [type, kind] = [message.readUInt16BE(at), message.readUInt16BE(at + 2)]
  if (kind !== dns.in) return 'other'
  const end = at + 4
  const offered = ednsBytes(message, end)
  return {
    name: labels.some((label) => label.includes('.')) ? '' : labels.join('.'),
    type,
    end,
    edns: offered !== undefined,
    udpBytes: Math.min(largestUdpBytes, Math.max(plainUdpBytes, offered ?? 0)),
  }
}

/** What the OPT record of a query offers; it is the only record that queries have, after the question, under the root's name. */
function ednsBytes(message: Buffer, at: number): number | undefined {
  if (message.readUInt16BE(10) === 0 || message.readUInt32BE(6) !== 0 || at + 11 > message.length) return undefined
  if (message.readUInt8(at) !== 0 || message.readUInt16BE(at + 1) !== dns.opt) return undefined
  return message.readUInt16BE(at + 3)
}

/** One record of a reply of ours; names without the final dot. */
export type DnsRecord =
  | { readonly type: 'A'; readonly name: string; readonly address: string }
  | { readonly type: 'SRV'; readonly name: string; readonly port: number; readonly target: string }

/** What we say ourselves. None: the name exists, and has no such record. */
export interface Answer {
  readonly records: readonly DnsRecord[]
  /** What the asker will ask next. */
  readonly additional: readonly DnsRecord[]
}

/**
 * Our own reply, each record good for `ttlSeconds`. One that is larger than `limitBytes` goes without its records and says that it was
 * cut, so that the asker comes again by TCP. Source: RFC 1035, section 4.1.1; RFC 2181, section 9.
 */
export function answerReply(
  query: Buffer,
  question: Question,
  { records, additional }: Answer,
  { ttlSeconds, limitBytes }: { readonly ttlSeconds: number; readonly limitBytes: number },
): Buffer {
  const asked = query.subarray(headerBytes, question.end)
  const options = question.edns ? [optRecord] : []
  const whole = Buffer.concat([
    replyHead(query, dns.noError, [1, records.length, 0, additional.length + options.length]),
    asked,
    ...[...records, ...additional].map((record) => encode(record, question.name, ttlSeconds)),
    ...options,
  ])
  const cut = whole.length > limitBytes
  const reply = cut
    ? Buffer.concat([replyHead(query, dns.noError, [1, 0, 0, options.length]), asked, ...options])
    : whole
  // Ours alone to say: authoritative.
  reply.writeUInt8(reply.readUInt8(2) | 0x04 | (cut ? 0x02 : 0), 2)
  return reply
}

/** "It did not work", with this code; without the question where that could not be read. `query` has at least a header. */
export function failureReply(query: Buffer, code: number, question?: Question): Buffer {
  if (question === undefined) return replyHead(query, code, [0, 0, 0, 0])
  const options = question.edns ? [optRecord] : []
  const head = replyHead(query, code, [1, 0, 0, options.length])
  return Buffer.concat([head, query.subarray(headerBytes, question.end), ...options])
}

/** Takes up to `largestUdpBytes`. Source: RFC 6891, section 6.1.2. */
const optRecord = Buffer.from([0, 0, dns.opt, largestUdpBytes >> 8, largestUdpBytes & 255, 0, 0, 0, 0, 0, 0])

function encode(record: DnsRecord, asked: string, ttlSeconds: number): Buffer {
  // The name that was asked for is a pointer to the question.
  const name = record.name === asked ? Buffer.from([0xc0, headerBytes]) : encodeName(record.name)
  const data = record.type === 'A' ? Buffer.from(record.address.split('.').map(Number)) : encodeService(record)
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(record.type === 'A' ? dns.a : dns.srv, 0)
  fixed.writeUInt16BE(dns.in, 2)
  fixed.writeUInt32BE(ttlSeconds, 4)
  fixed.writeUInt16BE(data.length, 8)
  return Buffer.concat([name, fixed, data])
}

/** Priority 0, one weight for all. Source: RFC 2782. */
function encodeService({ port, target }: DnsRecord & { type: 'SRV' }): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0, 1, port >> 8, port & 255]), encodeName(target)])
}

const encodeName = (name: string): Buffer =>
  Buffer.concat([
    ...name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')])),
    Buffer.from([0]),
  ])

function replyHead(query: Buffer, code: number, counts: readonly [number, number, number, number]): Buffer {
  const head = Buffer.alloc(headerBytes)
  head.writeUInt16BE(query.readUInt16BE(0), 0)
  // A reply, with the opcode and the wish for recursion of the query, and recursion available.
  head.writeUInt8(0x80 | (query.readUInt8(2) & 0x79), 2)
  head.writeUInt8(0x80 | code, 3)
  counts.forEach((count, index) => head.writeUInt16BE(count, 4 + 2 * index))
  return head
}
