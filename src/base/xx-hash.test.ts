import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hexHash, modulo, rotatedByOne, xorHash, xxHash64 } from './xx-hash.ts'

const known = [
  ['', 0n, 'ef46db3751d8e999'],
  ['a', 0n, 'd24ec4f1a98c6e5b'],
  ['abc', 0n, '44bc2cf5ad770999'],
  ['Call me Ishmael. Some years ago--never mind how long precisely-', 0n, '02a2e85470d6fd96'],
] as const
for (const [text, , hash] of known)
  test(`xxHash64 of ${JSON.stringify(text)}`, () => assert.equal(hexHash(xxHash64(text)), hash))

test('every length and seed says what the definition in big integers says', () => {
  let text = ''
  for (let length = 0; length < 140; length++) {
    for (const seed of [0n, 1n, 0xfedcba9876543210n])
      assert.equal(
        hexHash(xxHash64(text, { hi: Number(seed >> 32n), lo: Number(seed & 0xffffffffn) })),
        definition(Buffer.from(text, 'latin1'), seed).toString(16).padStart(16, '0'),
        `length ${length}, seed ${seed}`,
      )
    text += String.fromCharCode((length * 37 + 11) & 0xff)
  }
})

test('modulo, rotation and exclusive or go over both halves', () => {
  const hash = xxHash64('weft')
  const whole = BigInt(`0x${hexHash(hash)}`)
  for (const divisor of [1, 2, 97, 65_537, 5_000_011])
    assert.equal(modulo(hash, divisor), Number(whole % BigInt(divisor)))
  assert.equal(BigInt(`0x${hexHash(rotatedByOne(hash))}`), mask((whole << 1n) | (whole >> 63n)))
  assert.deepEqual(xorHash(hash, hash), { hi: 0, lo: 0 })
})

const mask = (value: bigint): bigint => BigInt.asUintN(64, value)
const turn = (value: bigint, by: bigint): bigint => mask((value << by) | (value >> (64n - by)))
const [p1, p2, p3, p4, p5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const
const round = (before: bigint, input: bigint): bigint => mask(turn(mask(before + input * p2), 31n) * p1)

/** The specification, word for word. */
function definition(bytes: Buffer, seed: bigint): bigint {
  let at = 0
  let hash = mask(seed + p5)
  if (bytes.length >= 32) {
    let lanes = [mask(seed + p1 + p2), mask(seed + p2), seed, mask(seed - p1)]
    for (; at + 32 <= bytes.length; at += 32)
      lanes = lanes.map((lane, index) => round(lane, bytes.readBigUInt64LE(at + 8 * index)))
    const turns = [1n, 7n, 12n, 18n]
    hash = mask(lanes.reduce((sum, lane, index) => sum + turn(lane, turns[index] ?? 0n), 0n))
    for (const lane of lanes) hash = mask((hash ^ round(0n, lane)) * p1 + p4)
  }
  hash = mask(hash + BigInt(bytes.length))
  for (; at + 8 <= bytes.length; at += 8) hash = mask(turn(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n) * p1 + p4)
  if (at + 4 <= bytes.length) {
    hash = mask(turn(hash ^ mask(BigInt(bytes.readUInt32LE(at)) * p1), 23n) * p2 + p3)
    at += 4
  }
  for (; at < bytes.length; at++) hash = mask(turn(hash ^ mask(BigInt(bytes[at] ?? 0) * p5), 11n) * p1)
  hash = mask((hash ^ (hash >> 33n)) * p2)
  hash = mask((hash ^ (hash >> 29n)) * p3)
  return hash ^ (hash >> 32n)
}
