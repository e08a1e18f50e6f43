/** Whether a program's readiness comes and goes, so that the mesh need not follow every turn. */
export interface Flapping {
  /** It was ready, and is not any more. */
  fell(nowMs: number): void
  /** How long it must be well without a break before it counts as ready again, ms. */
  wellForMs(nowMs: number): number
}

const rememberMs = 60_000
const freeFalls = 2
const firstHoldMs = 1000
const longestHoldMs = 30_000

/** Two falls in a minute cost nothing; from the third on it must be well for 1 s, and twice as long with each further one, up to 30 s. */
export function createFlapping(): Flapping {
  let falls: readonly number[] = []
  const recent = (nowMs: number): readonly number[] => falls.filter((fellMs) => nowMs - fellMs < rememberMs)
  return {
    fell(nowMs) {
      falls = [...recent(nowMs), nowMs]
    },
    wellForMs(nowMs) {
      const beyond = recent(nowMs).length - freeFalls
      return beyond <= 0 ? 0 : Math.min(longestHoldMs, firstHoldMs * 2 ** (beyond - 1))
    },
  }
}
