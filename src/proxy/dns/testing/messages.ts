/** For tests: a query as a resolver library writes it; `edns`: the bytes that it takes by UDP. */
export function query(name: string, type = 1, { id = 0x1234, edns = 0 }: { id?: number; edns?: number } = {}): Buffer {
  const head = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, edns > 0 ? 1 : 0])
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]))
  const options = edns > 0 ? [Buffer.from([0, 0, 41, edns >> 8, edns & 255, 0, 0, 0, 0, 0, 0])] : []
  return Buffer.concat([head, ...labels, Buffer.from([0, type >> 8, type & 255, 0, 1]), ...options])
}

/** For tests: one record under the name of the question. */
export function record(type: number, ttlSeconds: number, data: readonly number[]): Buffer {
  const fixed = Buffer.from([0xc0, 12, type >> 8, type & 255, 0, 1, 0, 0, 0, 0, data.length >> 8, data.length & 255])
  fixed.writeUInt32BE(ttlSeconds, 6)
  return Buffer.concat([fixed, Buffer.from(data)])
}

/** For tests: what a zone says about answers that are not there: SOA with this last field. */
export const soa = (ttlSeconds: number, minimumSeconds: number): Buffer =>
  record(6, ttlSeconds, [0, 0, ...Array<number>(16).fill(0), 0, 0, minimumSeconds >> 8, minimumSeconds & 255])

/** For tests: the reply to `asked` with these records. */
export function replyTo(
  asked: Buffer,
  { code = 0, answers = [], authorities = [] }: { code?: number; answers?: Buffer[]; authorities?: Buffer[] },
): Buffer {
  const name = asked.indexOf(0, 12)
  const reply = Buffer.concat([asked.subarray(0, name + 5), ...answers, ...authorities])
  reply.writeUInt16BE(0x8180 | code, 2)
  reply.writeUInt16BE(answers.length, 6)
  reply.writeUInt16BE(authorities.length, 8)
  reply.writeUInt16BE(0, 10)
  return reply
}
