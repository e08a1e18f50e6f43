import type { Random } from '../../base/random.ts'
import type { AdaptiveConcurrency } from '../config.ts'

/** How many calls may wait for the program at once, as latency tells. It has no timers: it looks at the time when calls come and go. */
export interface Gradient {
  /** Takes one more call, or not; what was taken is to be followed by `left` once. */
  admit(nowMs: number): boolean
  /** The program has answered a call that was admitted at `startedMs`. */
  answered(startedMs: number, nowMs: number): void
  /** A call waits no more. */
  left(): void
  /** What holds from now on; counts and findings stay. */
  configure(settings: AdaptiveConcurrency): void
  readonly waiting: number
  readonly limit: number
  /** Latency with few calls at once, ms; undefined: not known yet. */
  readonly baselineMs: number | undefined
  readonly measuring: boolean
}

/** Of more answers in one window than this a fair choice is looked at. */
const mostSamples = 512
/** So often at its lowest in a row, the limit is taken for a sign that the baseline is out of date. Source: Envoy. */
const lowestInARow = 5
/** Measuring takes no more than this share of the time between two measurements. */
const measuringShare = 0.1

/**
 * Compares the latency of each window with that of a program that has little to do: limit ← limit · gradient + √(limit · gradient), where
 * gradient = (baseline + buffer) / latency, within [0.5, 2]. The baseline is measured from time to time with few calls at once. Source:
 * Envoy's gradient controller, after Netflix's concurrency-limits. Unlike there a call counts until the head of its reply: who reads
 * slowly, and streams that last, neither look like a slow program nor fill the limit; and a measurement that finds no end is cut short.
 */
export function createGradient(
  first: AdaptiveConcurrency,
  random: Random,
  startMs: number,
  changed: (limit: number) => void,
): Gradient {
  let settings = first
  let limit = 0
  let resumeAt = first.minConcurrency
  let waiting = 0
  let baselineMs: number | undefined
  let measuring = true
  /** Of the window, or of the measurement. */
  let endMs = 0
  let measureAtMs = 0
  /** Calls that were admitted before came while more were under way, and tell nothing of the baseline. */
  let sinceMs = 0
  let lowest = 0
  const samples = new Float64Array(mostSamples)
  let count = 0

  const setLimit = (to: number): void => {
    const next = Math.max(settings.minConcurrency, Math.min(settings.maxConcurrency, Math.floor(to)))
    if (next === limit) return
    limit = next
    changed(next)
  }
  const longestMeasuringMs = (): number => settings.baseline.intervalMs * measuringShare
  const latency = (): number => {
    const sorted = samples.subarray(0, Math.min(count, mostSamples)).toSorted()
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * settings.percentile))] ?? 0
  }

  function beginMeasuring(nowMs: number): void {
    measuring = true
    sinceMs = nowMs
    endMs = nowMs + longestMeasuringMs()
    resumeAt = Math.max(limit, settings.minConcurrency)
    lowest = 0
    count = 0
    setLimit(settings.minConcurrency)
  }
  function endMeasuring(nowMs: number): void {
    if (count === 0) {
      // Whoever holds up the few calls of a measurement must not hold up everybody.
      endMs = nowMs + longestMeasuringMs()
      return setLimit(limit * 2)
    }
    baselineMs = latency()
    measuring = false
    count = 0
    endMs = nowMs + settings.updateMs
    const { intervalMs, jitter } = settings.baseline
    measureAtMs = nowMs + intervalMs + random.below(intervalMs * jitter)
    setLimit(Math.max(resumeAt, limit))
  }
  function endWindow(nowMs: number): void {
    endMs = nowMs + settings.updateMs
    if (count > 0 && baselineMs !== undefined) {
      const allowedMs = baselineMs * (1 + settings.baseline.buffer)
      const scaled = limit * Math.max(0.5, Math.min(2, allowedMs / Math.max(latency(), 1e-3)))
      setLimit(scaled + Math.sqrt(scaled))
      lowest = limit <= settings.minConcurrency ? lowest + 1 : 0
      count = 0
    }
    if (lowest >= lowestInARow || nowMs >= measureAtMs) beginMeasuring(nowMs)
  }
  const lookAtTime = (nowMs: number): void => {
    if (nowMs >= endMs) (measuring ? endMeasuring : endWindow)(nowMs)
  }

  beginMeasuring(startMs)
  return {
    admit(nowMs) {
      lookAtTime(nowMs)
      if (waiting >= limit) return false
      waiting++
      return true
    },
    answered(startedMs, nowMs) {
      lookAtTime(nowMs)
      if (startedMs < sinceMs) return
      const slot = count < mostSamples ? count : random.index(count + 1)
      count++
      if (slot < mostSamples) samples[slot] = nowMs - startedMs
      if (measuring && count >= settings.baseline.requests) endMeasuring(nowMs)
    },
    left: () => void waiting--,
    configure(next) {
      if (next === settings) return
      settings = next
      setLimit(measuring ? next.minConcurrency : limit)
    },
    get waiting() {
      return waiting
    },
    get limit() {
      return limit
    },
    get baselineMs() {
      return baselineMs
    },
    get measuring() {
      return measuring
    },
  }
}

/** By listener, outside configuration: what was found out stays when settings change. */
export interface Gradients {
  of(name: string, settings: AdaptiveConcurrency): Gradient
  /** Forgets all but these. */
  retain(names: Pick<ReadonlySet<string>, 'has'>): void
}

/** None at first. `changed` hears of every new limit, and of 0 when it is gone. */
export function createGradients(
  random: Random,
  nowMs: () => number,
  changed: (name: string, limit: number) => void,
): Gradients {
  const known = new Map<string, Gradient>()
  return {
    of(name, settings) {
      let gradient = known.get(name)
      if (gradient === undefined)
        known.set(name, (gradient = createGradient(settings, random, nowMs(), (limit) => changed(name, limit))))
      gradient.configure(settings)
      return gradient
    },
    retain(names) {
      for (const name of known.keys()) if (!names.has(name) && known.delete(name)) changed(name, 0)
    },
  }
}
