/** How many calls began within the last so many ms; of slots, so that the oldest tenth goes at once. No object for a call. */
export interface CallsWithin {
  began(): void
  /** As of now. */
  readonly count: number
}

const slotCount = 10

/** None at first. Times by the monotonic clock. Source: Envoy, `retry_budget.budget_interval`, which has as many slots. */
export function callsWithin(intervalMs: number, nowMs: () => number): CallsWithin {
  const slots = new Float64Array(slotCount)
  const slotMs = intervalMs / slotCount
  let newest = Math.floor(nowMs() / slotMs)
  let count = 0
  const advance = (): void => {
    const now = Math.floor(nowMs() / slotMs)
    for (let slot = Math.max(newest + 1, now - slotCount + 1); slot <= now; slot++) {
      count -= slots[slot % slotCount] ?? 0
      slots[slot % slotCount] = 0
    }
    newest = Math.max(newest, now)
  }
  return {
    began() {
      advance()
      const at = newest % slotCount
      slots[at] = (slots[at] ?? 0) + 1
      count++
    },
    get count() {
      advance()
      return count
    },
  }
}
