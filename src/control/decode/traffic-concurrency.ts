import { integer, invalid, object, refine, withDefault, type Decoder, type Issue } from '../../base/decode.ts'
import { positiveDuration } from './duration.ts'

/** Load shedding by latency. One unit: of two policies the narrower one's holds as a whole. Times in ms. */
export interface AdaptiveConcurrencySpec {
  readonly minConcurrency: number
  readonly maxConcurrency: number
  /** Which latency of all in one interval counts. */
  readonly latencyPercentile: number
  readonly updateInterval: number
  /** How often latency without load is measured, with `minConcurrency` calls at once. */
  readonly baselineInterval: number
  readonly baselineRequests: number
  /** By so many percent latency may be greater before fewer calls are taken. */
  readonly tolerance: number
}

const count = integer({ min: 1, max: 1_000_000 })
const percent = integer({ min: 0, max: 100 })
const limits: Decoder<AdaptiveConcurrencySpec> = refine(
  object<AdaptiveConcurrencySpec>({
    minConcurrency: withDefault(count, 3),
    maxConcurrency: withDefault(count, 1000),
    latencyPercentile: withDefault(percent, 50),
    updateInterval: withDefault(positiveDuration, 100),
    baselineInterval: withDefault(positiveDuration, 60_000),
    baselineRequests: withDefault(count, 50),
    tolerance: withDefault(percent, 25),
  }),
  (read, path, issues) => {
    if (read.maxConcurrency >= read.minConcurrency) return read
    const message = `must not be less than minConcurrency (${read.minConcurrency})`
    issues.push({ path: `${path}.maxConcurrency`, message })
    return invalid
  },
)

/** `false` switches it off, whatever wider policies say. */
export const adaptiveConcurrencySpec: Decoder<AdaptiveConcurrencySpec | false> = (
  value,
  path,
  issues: Issue[],
): AdaptiveConcurrencySpec | false | typeof invalid => (value === false ? false : limits(value, path, issues))
