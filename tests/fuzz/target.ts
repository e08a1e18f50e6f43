import type { Random } from '../../src/base/random.ts'

/** One reader of bytes that strangers send. */
export interface Target {
  readonly name: string
  /** Valid inputs, which are mutated. */
  readonly seeds: readonly Buffer[]
  /** Pieces of the format that chance would not find. */
  readonly words: readonly string[]
  /**
   * Reads the bytes, in these pieces, and tells all that the reader made of them, as text: the same bytes cut elsewhere must give the
   * same text. Throws where a promise of the reader is broken.
   */
  read(pieces: readonly Buffer[]): Promise<string>
}

/** Any bytes, cut at up to `most` places; empty pieces never come from a socket. */
export function cut(bytes: Buffer, random: Random, most: number): readonly Buffer[] {
  if (bytes.length === 0) return []
  const places = new Set(Array.from({ length: random.index(most) + 1 }, () => random.index(bytes.length)))
  const at = [...places].filter((place) => place > 0).toSorted((a, b) => a - b)
  return [0, ...at].map((from, index) => bytes.subarray(from, at[index] ?? bytes.length))
}
