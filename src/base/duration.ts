const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const
const form = /^(?:\d{1,5}(?:h|ms|m|s)){1,4}$/
const part = /(\d{1,5})(h|ms|m|s)/g

/**
 * A Gateway API duration (GEP-2257: "500ms", "2s", "1h30m"; at most four parts, whole numbers of at most five digits) in milliseconds.
 * Undefined if `text` is not one.
 */
export function parseDurationMs(text: string): number | undefined {
  if (!form.test(text)) return undefined
  let totalMs = 0
  for (const [, count, unit] of text.matchAll(part)) totalMs += Number(count) * unitMs[unit as keyof typeof unitMs]
  return totalMs
}

/** The shortest Gateway API duration for whole milliseconds: 90000 → "1m30s". */
export function formatDurationMs(totalMs: number): string {
  if (totalMs === 0) return '0s'
  let restMs = Math.round(totalMs)
  let text = ''
  for (const unit of ['h', 'm', 's', 'ms'] as const) {
    const count = Math.floor(restMs / unitMs[unit])
    if (count > 0) text += `${count}${unit}`
    restMs -= count * unitMs[unit]
  }
  return text
}
