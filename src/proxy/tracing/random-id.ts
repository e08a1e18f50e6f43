import type { Random } from '../../base/random.ts'

/** So many times 32 bits, in hex; never all zeros. */
export function randomId(random: Random, words: number): string {
  let id = ''
  for (let left = words; left > 0; left--)
    id += random
      .index(2 ** 32)
      .toString(16)
      .padStart(8, '0')
  return /[^0]/.test(id) ? id : `${id.slice(1)}1`
}
