/**
 * Bits of each symbol's code, in order of the symbols; the last is EOS. The code is canonical (within one length codes count up with
 * the symbols), so that the lengths say everything. Source: RFC 7541, appendix B.
 */
const codeBits: readonly number[] =
  `13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28
  28 28 6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10 13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7
  7 7 7 7 8 7 8 13 19 13 14 6 15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28 20 22 20 20 22 22 22 23
  22 23 23 23 23 23 24 23 24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24 22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21
  21 22 21 23 22 23 23 20 22 22 22 23 22 22 23 26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21 21
  26 26 28 27 27 27 20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26 30`
    .split(/\s+/)
    .map(Number)
const eos = 256
const longest = 30

/** One node of the code's tree while the table is made. */
interface Node {
  readonly id: number
  readonly depth: number
  /** Only 1 bits lead here. */
  readonly ones: boolean
  readonly next: [Node | number | undefined, Node | number | undefined]
}

const codes = new Int32Array(257)
const lengths: Uint8Array = Uint8Array.from(codeBits)
/** By node × 16 + the next four bits: the node after them, 0x8000 and the symbol above it when one ended; −1: never valid. */
const steps = new Int32Array(257 * 16)
/** Nodes where a string may end: after less than eight bits of EOS. */
const endings = new Uint8Array(257)
makeTables()

function makeTables(): void {
  const nodes: Node[] = []
  const makeNode = (depth: number, ones: boolean): Node => {
    const node: Node = { id: nodes.length, depth, ones, next: [undefined, undefined] }
    nodes.push(node)
    return node
  }
  const root = makeNode(0, true)
  const place = (code: number, bits: number, symbol: number): void => {
    let node = root
    for (let left = bits - 1; left > 0; left--) {
      const bit = ((code >>> left) & 1) as 0 | 1
      let child = node.next[bit]
      if (typeof child !== 'object') node.next[bit] = child = makeNode(node.depth + 1, node.ones && bit === 1)
      node = child
    }
    node.next[(code & 1) as 0 | 1] = symbol
  }
  for (let bits = 1, code = 0; bits <= longest; bits++, code <<= 1)
    for (let symbol = 0; symbol <= eos; symbol++) {
      if (lengths[symbol] !== bits) continue
      codes[symbol] = code
      place(code, bits, symbol)
      code++
    }
  for (const node of nodes) {
    endings[node.id] = node.ones && node.depth < 8 ? 1 : 0
    for (let four = 0; four < 16; four++) steps[node.id * 16 + four] = stepFrom(node, four, root)
  }
}

function stepFrom(from: Node, four: number, root: Node): number {
  let node = from
  let ended = -1
  for (let left = 3; left >= 0; left--) {
    const next = node.next[((four >> left) & 1) as 0 | 1]
    if (next === eos || next === undefined) return -1
    if (typeof next === 'number') {
      ended = next
      node = root
    } else node = next
  }
  return ended < 0 ? node.id : node.id | 0x8000 | (ended << 16)
}

/** Where `decodeHuffman` puts its result; valid until the next call. */
export let decoded: Buffer = Buffer.allocUnsafeSlow(4096)

/** Decodes `bytes` from `from` to `to` into `decoded`. Returns the length there, or −1: EOS within, or padding that is none. */
export function decodeHuffman(bytes: Buffer, from: number, to: number): number {
  // The shortest code has five bits.
  const most = Math.ceil(((to - from) * 8) / 5)
  if (most > decoded.length) decoded = Buffer.allocUnsafeSlow(most * 2)
  const out = decoded
  let length = 0
  let node = 0
  for (let at = from; at < to; at++) {
    const byte = bytes[at] ?? 0
    let step = steps[(node << 4) | (byte >> 4)] ?? -1
    if (step < 0) return -1
    if ((step & 0x8000) !== 0) out[length++] = step >> 16
    step = steps[((step & 0x7fff) << 4) | (byte & 15)] ?? -1
    if (step < 0) return -1
    if ((step & 0x8000) !== 0) out[length++] = step >> 16
    node = step & 0x7fff
  }
  return endings[node] === 1 ? length : -1
}

/** Bytes that `text` (latin1) takes when coded. */
export function huffmanLength(text: string): number {
  let bits = 0
  for (let at = 0; at < text.length; at++) bits += lengths[text.charCodeAt(at) & 0xff] ?? 0
  return (bits + 7) >> 3
}

/** Writes `text` (latin1) coded at `at`, where `huffmanLength(text)` bytes must fit; returns the end. */
export function encodeHuffman(text: string, out: Buffer, at: number): number {
  let end = at
  let byte = 0
  let free = 8
  for (let index = 0; index < text.length; index++) {
    const symbol = text.charCodeAt(index) & 0xff
    const code = codes[symbol] ?? 0
    let left = lengths[symbol] ?? 0
    while (left > 0) {
      const count = left < free ? left : free
      left -= count
      free -= count
      byte |= ((code >>> left) & ((1 << count) - 1)) << free
      if (free > 0) continue
      out[end++] = byte
      byte = 0
      free = 8
    }
  }
  if (free < 8) out[end++] = byte | ((1 << free) - 1)
  return end
}
