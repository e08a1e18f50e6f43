/** Chance, handed in wherever it is needed: `seeded` makes tests and `weft test` exact. */
export interface Random {
  /** Uniform in [0, 1). */
  unit(): number
  /** Uniform in [0, limit); fractions included. */
  below(limit: number): number
  /** A uniform whole number in [0, limit); `limit` is a whole number ≥ 1. */
  index(limit: number): number
}

/** Not for keys or tokens: those come from `node:crypto`. */
export const systemRandom: Random = fromUnit(Math.random)

/** The same sequence for the same seed, on every machine. Source: mulberry32, T. Ettinger (public domain), period 2³². */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  return fromUnit(() => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  })
}

function fromUnit(unit: () => number): Random {
  return { unit, below: (limit) => unit() * limit, index: (limit) => Math.floor(unit() * limit) }
}
