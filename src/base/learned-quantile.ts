/** A quantile of what was observed lately; O(1) to note and to ask. */
export interface LearnedQuantile {
  note(value: number, nowMs: number): void
  /** Undefined: too little was observed in the last two windows. Right to 5 %. */
  at(share: number, nowMs: number): number | undefined
}

/** Bounds of neighbours differ by this factor. */
const step = 1.05
const least = 0.1
/** The last one holds whatever is greater: `least` · `step` ^ 320 is over 10 minutes, in ms. */
const bucketCount = 320

/** Out of fewer values nothing is learnt. */
export const enoughValues = 100

/** Asked again within so many values, the answer is the same. */
const freshFor = 32

const bucketOf = (value: number): number =>
  value <= least ? 0 : Math.min(bucketCount - 1, Math.ceil(Math.log(value / least) / Math.log(step)))

/**
 * Counts values > 0 in buckets that grow by 5 %, of this window and of the one before, so that what was true longer than two windows ago
 * is forgotten. The manner of HDR histograms (Tene), which keep a relative error instead of an absolute one.
 */
export function learnedQuantile(windowMs: number): LearnedQuantile {
  let now = new Uint32Array(bucketCount)
  let before = new Uint32Array(bucketCount)
  let countNow = 0
  let countBefore = 0
  let windowStartMs = -Infinity
  let asked: { readonly share: number; readonly total: number; readonly value: number | undefined } | undefined

  const turn = (nowMs: number): void => {
    const past = nowMs - windowStartMs
    if (past < windowMs) return
    if (past >= 2 * windowMs) now.fill(0)
    ;[now, before] = [before, now]
    countBefore = past >= 2 * windowMs ? 0 : countNow
    now.fill(0)
    countNow = 0
    windowStartMs = nowMs
    asked = undefined
  }
  return {
    note(value, nowMs) {
      turn(nowMs)
      const bucket = bucketOf(value)
      now[bucket] = (now[bucket] ?? 0) + 1
      countNow++
    },
    at(share, nowMs) {
      turn(nowMs)
      const total = countNow + countBefore
      if (total < enoughValues) return undefined
      if (asked?.share === share && total - asked.total < freshFor) return asked.value
      let left = share * total
      let bucket = 0
      for (; bucket < bucketCount - 1; bucket++) {
        left -= (now[bucket] ?? 0) + (before[bucket] ?? 0)
        if (left <= 0) break
      }
      asked = { share, total, value: least * step ** bucket }
      return asked.value
    },
  }
}
