import { mismatch, refine, invalid, type Decoder } from '../../base/decode.ts'
import { parseDurationMs } from '../../base/duration.ts'

/** GEP-2257 text ("250ms", "2s", "1h30m") to ms. */
export const duration: Decoder<number> = (value, path, issues) =>
  (typeof value === 'string' ? parseDurationMs(value) : undefined) ??
  mismatch(
    issues,
    path,
    'a duration such as "250ms", "2s" or "1h30m"',
    value,
    typeof value === 'number' ? 'add a unit' : undefined,
  )

/** The same where no time at all makes no sense. */
export const positiveDuration: Decoder<number> = refine(duration, (ms, path, issues) => {
  if (ms > 0) return ms
  issues.push({ path, message: 'must be longer than 0' })
  return invalid
})
