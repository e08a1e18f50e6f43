/** 64 bits as two halves, each in [0, 2³²): numbers of JavaScript hold only 53. */
export interface Hash64 {
  readonly hi: number
  readonly lo: number
}

interface Word {
  hi: number
  lo: number
}

/**
 * xxHash64 of the text's bytes (latin1: each character is one byte), with the seed (default 0). The hash by which Envoy spreads
 * keys, so that both find the same endpoint. Source: xxHash specification, Y. Collet, version 0.8.
 */
export function xxHash64(text: string, seed: Hash64 = zero): Hash64 {
  const { length } = text
  const hash: Word = { hi: seed.hi, lo: seed.lo }
  let at = 0
  if (length >= 32) at = stripes(hash, text, seed)
  else add(hash, prime5)
  add(hash, { hi: 0, lo: length })
  for (; at + 8 <= length; at += 8) {
    const lane: Word = { hi: word32(text, at + 4), lo: word32(text, at) }
    round(lane, zero)
    xor(hash, lane)
    rotate(hash, 27)
    multiply(hash, prime1)
    add(hash, prime4)
  }
  if (at + 4 <= length) {
    const lane: Word = { hi: 0, lo: word32(text, at) }
    multiply(lane, prime1)
    xor(hash, lane)
    rotate(hash, 23)
    multiply(hash, prime2)
    add(hash, prime3)
    at += 4
  }
  for (; at < length; at++) {
    const lane: Word = { hi: 0, lo: text.charCodeAt(at) & 0xff }
    multiply(lane, prime5)
    xor(hash, lane)
    rotate(hash, 11)
    multiply(hash, prime1)
  }
  return avalanche(hash)
}

/** Both halves turned left by one bit: how Envoy mixes the hashes of several keys. */
export const rotatedByOne = ({ hi, lo }: Hash64): Hash64 => ({
  hi: ((hi << 1) | (lo >>> 31)) >>> 0,
  lo: ((lo << 1) | (hi >>> 31)) >>> 0,
})

export const xorHash = (a: Hash64, b: Hash64): Hash64 => ({ hi: (a.hi ^ b.hi) >>> 0, lo: (a.lo ^ b.lo) >>> 0 })

/** The rest of a division by `divisor`, a whole number in [1, 2²⁶]. */
export const modulo = ({ hi, lo }: Hash64, divisor: number): number =>
  ((hi % divisor) * (2 ** 32 % divisor) + (lo % divisor)) % divisor

/** 16 hexadecimal digits. */
export const hexHash = ({ hi, lo }: Hash64): string =>
  hi.toString(16).padStart(8, '0') + lo.toString(16).padStart(8, '0')

const zero: Hash64 = { hi: 0, lo: 0 }
const prime1: Hash64 = { hi: 0x9e3779b1, lo: 0x85ebca87 }
const prime2: Hash64 = { hi: 0xc2b2ae3d, lo: 0x27d4eb4f }
const prime3: Hash64 = { hi: 0x165667b1, lo: 0x9e3779f9 }
const prime4: Hash64 = { hi: 0x85ebca77, lo: 0xc2b2ae63 }
const prime5: Hash64 = { hi: 0x27d4eb2f, lo: 0x165667c5 }

/** Everything up to the last whole 32 bytes, in four lanes. Returns how far that was. */
function stripes(hash: Word, text: string, seed: Hash64): number {
  const lanes: Word[] = [{ ...seed }, { ...seed }, { ...seed }, { ...seed }]
  const [first = { ...seed }, second = first, third = first, fourth = first] = lanes
  add(first, prime1)
  add(first, prime2)
  add(second, prime2)
  // − prime1 is + its two's complement.
  add(fourth, { hi: ~prime1.hi >>> 0, lo: (~prime1.lo + 1) >>> 0 })
  let at = 0
  for (; at + 32 <= text.length; at += 32)
    for (const [index, lane] of lanes.entries()) {
      const input: Word = { hi: word32(text, at + 8 * index + 4), lo: word32(text, at + 8 * index) }
      round(input, lane)
      lane.hi = input.hi
      lane.lo = input.lo
    }
  hash.hi = hash.lo = 0
  for (const [lane, bits] of [
    [first, 1],
    [second, 7],
    [third, 12],
    [fourth, 18],
  ] as const) {
    const turned = { ...lane }
    rotate(turned, bits)
    add(hash, turned)
  }
  for (const lane of lanes) {
    round(lane, zero)
    xor(hash, lane)
    multiply(hash, prime1)
    add(hash, prime4)
  }
  return at
}

/** `input` becomes what it adds to `before`. */
function round(input: Word, before: Hash64): void {
  multiply(input, prime2)
  add(input, before)
  rotate(input, 31)
  multiply(input, prime1)
}

function avalanche(hash: Word): Hash64 {
  xor(hash, { hi: 0, lo: hash.hi >>> 1 })
  multiply(hash, prime2)
  xor(hash, { hi: hash.hi >>> 29, lo: ((hash.hi << 3) | (hash.lo >>> 29)) >>> 0 })
  multiply(hash, prime3)
  xor(hash, { hi: 0, lo: hash.hi })
  return hash
}

const word32 = (text: string, at: number): number =>
  ((text.charCodeAt(at) & 0xff) |
    ((text.charCodeAt(at + 1) & 0xff) << 8) |
    ((text.charCodeAt(at + 2) & 0xff) << 16) |
    ((text.charCodeAt(at + 3) & 0xff) << 24)) >>>
  0

function add(to: Word, { hi, lo }: Hash64): void {
  const sum = to.lo + lo
  to.hi = (to.hi + hi + (sum > 0xffffffff ? 1 : 0)) >>> 0
  to.lo = sum >>> 0
}

function xor(to: Word, { hi, lo }: Hash64): void {
  to.hi = (to.hi ^ hi) >>> 0
  to.lo = (to.lo ^ lo) >>> 0
}

/** `bits` in [1, 31]. */
function rotate(word: Word, bits: number): void {
  const { hi, lo } = word
  word.hi = ((hi << bits) | (lo >>> (32 - bits))) >>> 0
  word.lo = ((lo << bits) | (hi >>> (32 - bits))) >>> 0
}

/** Modulo 2⁶⁴, from products of 16 bits each. */
function multiply(word: Word, { hi, lo }: Hash64): void {
  const low = word.lo & 0xffff
  const high = word.lo >>> 16
  const otherLow = lo & 0xffff
  const otherHigh = lo >>> 16
  const lowest = low * otherLow
  const crossed = low * otherHigh
  const crossedToo = high * otherLow
  const middle = (lowest >>> 16) + (crossed & 0xffff) + (crossedToo & 0xffff)
  const top = high * otherHigh + (crossed >>> 16) + (crossedToo >>> 16) + (middle >>> 16)
  word.hi = (top + Math.imul(word.hi, lo) + Math.imul(word.lo, hi)) >>> 0
  word.lo = ((middle << 16) | (lowest & 0xffff)) >>> 0
}
