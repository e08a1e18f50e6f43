import type { Random } from '../../base/random.ts'
import { modulo, xxHash64, type Hash64 } from '../../base/xx-hash.ts'
import { hashKey, randomHash, shares } from './consistent.ts'
import type { Choices, Picker, Weights } from './picker.ts'

/** `tableSize` is a prime, at most 5,000,011. */
export interface MaglevRules {
  readonly tableSize: number
}

/**
 * A table in which each endpoint has as many places as its weight says; a key's place is its hash modulo the size: O(1). Endpoints
 * that come or go move few keys but their own. Source: Eisenbud et al., "Maglev", NSDI 2016, section 3.4; weights as in Envoy.
 */
export function maglev(choices: Choices, { tableSize }: MaglevRules, weights: Weights, random: Random): Picker {
  const table = buildTable(choices, tableSize, weights)
  return (hash, attempt) => {
    const place = modulo(turnedDown(hash ?? randomHash(random), attempt), tableSize)
    return choices[table[place] ?? 0] ?? choices[0]
  }
}

/** Another hash for each further attempt, the same for the same call. As in Envoy: exclusive or with 2⁶⁴ − attempt. */
const turnedDown = ({ hi, lo }: Hash64, attempt: number): Hash64 =>
  attempt === 0 ? { hi, lo } : { hi: ~hi >>> 0, lo: (lo ^ -attempt) >>> 0 }

interface Row {
  readonly owner: number
  readonly offset: number
  readonly skip: number
  readonly share: number
  next: number
  target: number
}

function buildTable(choices: Choices, size: number, weights: Weights): Uint16Array | Int32Array {
  const table = choices.length < 2 ** 16 - 1 ? new Uint16Array(size).fill(0xffff) : new Int32Array(size).fill(-1)
  const empty = table[0]
  const share = shares(choices, weights)
  const largest = share.reduce((most, one) => Math.max(most, one), 0)
  const rows = choices
    .map((state, owner) => ({ key: hashKey(state), owner }))
    // In whatever order the endpoints came: every proxy has the same table.
    .toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ key, owner }): Row => {
      const skip = modulo(xxHash64(key, one), size - 1) + 1
      return { owner, offset: modulo(xxHash64(key), size), skip, share: share[owner] ?? 0, next: 0, target: 0 }
    })
  let filled = 0
  for (let turn = 1; filled < size; turn++)
    for (const row of rows) {
      // The heaviest takes a place each turn, one of a third of its weight each third turn.
      if (turn * row.share < row.target) continue
      row.target += largest
      let place = placeOf(row, size)
      while (table[place] !== empty) place = placeOf(row, size)
      table[place] = row.owner
      if (++filled === size) break
    }
  return table
}

const one: Hash64 = { hi: 0, lo: 1 }

const placeOf = (row: Row, size: number): number => (row.offset + row.skip * row.next++) % size
