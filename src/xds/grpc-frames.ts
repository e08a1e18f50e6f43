/** Largest message taken from a peer or sent to one, in bytes: 16 MiB, enough for tens of thousands of endpoints. */
export const maxMessageBytes: number = 16 * 1024 * 1024

/** One message with its five-byte prefix: not compressed, length. Source: gRPC over HTTP/2, "Length-Prefixed-Message". */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(5 + message.length)
  framed[0] = 0
  framed.writeUInt32BE(message.length, 1)
  framed.set(message, 5)
  return framed
}

/** Cuts a byte stream into messages. */
export interface Deframer {
  /** The messages completed by `chunk`, or why the stream makes no sense (then it is of no further use). */
  push(chunk: Buffer): { messages: readonly Uint8Array[] } | { error: string; tooLarge: boolean }
  /** Nothing is left of an unfinished message. */
  readonly clean: boolean
}

/** Bytes may be cut anywhere. */
export function deframer(limitBytes: number = maxMessageBytes): Deframer {
  let chunks: Buffer[] = []
  let have = 0
  let need = 5

  return {
    get clean() {
      return have === 0
    },
    push(chunk) {
      chunks.push(chunk)
      have += chunk.length
      if (have < need) return { messages: [] }
      const bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks, have)
      const messages: Uint8Array[] = []
      let at = 0
      need = 5
      while (bytes.length - at >= 5) {
        if (bytes[at] !== 0) return { error: 'a compressed message, which was not asked for', tooLarge: false }
        const length = bytes.readUInt32BE(at + 1)
        if (length > limitBytes)
          return { error: `a message of ${length} bytes, over the limit of ${limitBytes}`, tooLarge: true }
        if (bytes.length - at - 5 < length) {
          need = 5 + length
          break
        }
        messages.push(bytes.subarray(at + 5, at + 5 + length))
        at += 5 + length
      }
      chunks = at === bytes.length ? [] : [bytes.subarray(at)]
      have = bytes.length - at
      return { messages }
    },
  }
}
