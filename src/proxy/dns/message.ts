/** What is asked in one DNS message, as far as we look. Source: RFC 1035, section 4. */
export interface Question {
  /** Lower case, without the final dot; "" is the root. */
  readonly name: string
  readonly type: number
  /** Where the question ends in the message. */
  readonly end: number
}

/** Types and codes that we know by name. Source: IANA, "DNS Parameters". */
export const dns = { a: 1, in: 1, noError: 0, formatError: 1, serverFailure: 2 } as const

const headerBytes = 12
const longestName = 255

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
  return { name: labels.some((label) => label.includes('.')) ? '' : labels.join('.'), type, end: at + 4 }
}

/** The answer to a query with these IPv4 addresses, each good for `ttlSeconds`; none of them is "the name has no such record". */
export function addressReply(
  query: Buffer,
  { end }: Question,
  addresses: readonly string[],
  ttlSeconds: number,
): Buffer {
  const records = addresses.map((address) => {
    const record = Buffer.alloc(16)
    record.writeUInt16BE(0xc000 | headerBytes, 0) // the name, once more: a pointer to the question
    record.writeUInt16BE(dns.a, 2)
    record.writeUInt16BE(dns.in, 4)
    record.writeUInt32BE(ttlSeconds, 6)
    record.writeUInt16BE(4, 10)
    record.set(address.split('.').map(Number), 12)
    return record
  })
  const head = replyHead(query, dns.noError, 1)
  head.writeUInt16BE(records.length, 6)
  // Ours alone to say: authoritative.
  head.writeUInt8(head.readUInt8(2) | 0x04, 2)
  return Buffer.concat([head, query.subarray(headerBytes, end), ...records])
}

/** "It did not work", with this code; without the question where that could not be read. `query` has at least a header. */
export function failureReply(query: Buffer, code: number, question?: Question): Buffer {
  if (question === undefined) return replyHead(query, code, 0)
  return Buffer.concat([replyHead(query, code, 1), query.subarray(headerBytes, question.end)])
}

function replyHead(query: Buffer, code: number, questions: number): Buffer {
  const head = Buffer.alloc(headerBytes)
  head.writeUInt16BE(query.readUInt16BE(0), 0)
  // A reply, with the opcode and the wish for recursion of the query, and recursion available.
  head.writeUInt8(0x80 | (query.readUInt8(2) & 0x79), 2)
  head.writeUInt8(0x80 | code, 3)
  head.writeUInt16BE(questions, 4)
  return head
}
