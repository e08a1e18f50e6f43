import type { Random } from '../../src/base/random.ts'
import type { Target } from './target.ts'

/** Larger inputs teach nothing and cost time. */
const longest = 8192
const telling = [0, 1, 9, 10, 13, 32, 34, 44, 58, 59, 0x30, 0x39, 0x7f, 0x80, 0xff]

type Change = (bytes: Buffer, random: Random, target: Pick<Target, 'seeds' | 'words'>) => Buffer

const splice = (bytes: Buffer, from: number, to: number, middle: Buffer): Buffer =>
  Buffer.concat([bytes.subarray(0, from), middle, bytes.subarray(to)])

function range(bytes: Buffer, random: Random): readonly [from: number, to: number] {
  const from = random.index(bytes.length + 1)
  return [from, Math.min(bytes.length, from + 1 + random.index(random.unit() < 0.7 ? 8 : 200))]
}

const oneOf = <T>(list: readonly T[], random: Random): T | undefined => list[random.index(list.length)]

const changes: readonly Change[] = [
  // Flips a bit.
  (bytes, random) => {
    const out = Buffer.from(bytes)
    const at = random.index(Math.max(1, out.length))
    if (at < out.length) out[at] = (out[at] ?? 0) ^ (1 << random.index(8))
    return out
  },
  // Puts a telling byte over another, or between two.
  (bytes, random) => {
    const at = random.index(bytes.length + 1)
    return splice(bytes, at, at + random.index(2), Buffer.from([oneOf(telling, random) ?? 0]))
  },
  (bytes, random) => splice(bytes, ...range(bytes, random), Buffer.alloc(0)),
  // Says a piece again, right behind or somewhere else.
  (bytes, random) => {
    const [from, to] = range(bytes, random)
    const at = random.unit() < 0.5 ? to : random.index(bytes.length + 1)
    return splice(bytes, at, at, bytes.subarray(from, to))
  },
  (bytes, random, { words }) => {
    const at = random.index(bytes.length + 1)
    const word = Buffer.from(oneOf(words, random) ?? '', 'latin1')
    return splice(bytes, at, random.unit() < 0.5 ? at : Math.min(bytes.length, at + word.length), word)
  },
  // Goes on as another one does.
  (bytes, random, { seeds }) => {
    const other = oneOf(seeds, random) ?? bytes
    const at = random.index(bytes.length + 1)
    return splice(bytes, at, bytes.length, other.subarray(random.index(other.length + 1)))
  },
  (bytes, random, { seeds }) => Buffer.concat([bytes, oneOf(seeds, random) ?? bytes]),
  (bytes, random) => bytes.subarray(0, random.index(bytes.length + 1)),
]

/** A valid input with a few changes. */
export function mutated(target: Pick<Target, 'seeds' | 'words'>, random: Random): Buffer {
  let bytes = oneOf(target.seeds, random) ?? Buffer.alloc(0)
  for (let left = random.index(5); left >= 0; left--) {
    bytes = oneOf(changes, random)?.(bytes, random, target) ?? bytes
  }
  return bytes.subarray(0, longest)
}
