import {
  boolean,
  integer,
  invalid,
  mismatch,
  object,
  optional,
  refine,
  withDefault,
  type Decoder,
} from '../../base/decode.ts'
import { formatDurationMs } from '../../base/duration.ts'
import { duration, positiveDuration } from './duration.ts'
import { nonEmpty } from './traffic-upstream.ts'

/** When an endpoint that fails is left out for a while. Times in ms. */
export interface OutlierDetectionSpec {
  /** In a row; 0: not counted. Connection failures count as 5xx, unless they are split off. */
  readonly consecutive5xxErrors?: number
  /** 502, 503 and 504 in a row; 0: not counted. */
  readonly consecutiveGatewayErrors?: number
  /** What fails before anything is answered (no connection, reset, no answer in time) is counted by itself. */
  readonly splitExternalLocalOriginErrors?: boolean
  /** Of those split off, in a row; 0: not counted. */
  readonly consecutiveLocalOriginFailures?: number
  /** Against the others' mean; false: not looked at. */
  readonly successRate?: SuccessRateSpec | false
  /** By itself; false: not looked at. */
  readonly failurePercentage?: FailurePercentageSpec | false
  /** How often the statistics are reckoned, and whether an ejection is over. */
  readonly interval?: number
  /** Times the number of ejections so far. */
  readonly baseEjectionTime?: number
  readonly maxEjectionTime?: number
  /** So much more by chance, at most: that not all come back at once. */
  readonly maxEjectionTimeJitter?: number
  /** Of all endpoints; one may go in any case. */
  readonly maxEjectionPercent?: number
}

/** Among at least so many endpoints that had so many requests in the interval. */
interface Volume {
  readonly minimumHosts: number
  readonly requestVolume: number
}
/** Ejected below mean − factor · standard deviation. */
export interface SuccessRateSpec extends Volume {
  readonly stdevFactor: number
}
/** Ejected at so many percent or more. */
export interface FailurePercentageSpec extends Volume {
  readonly threshold: number
}

const count = integer({ min: 0, max: 2 ** 32 - 1 })
const percent = integer({ min: 0, max: 100 })

/** Envoy counts in thousandths. */
const factor: Decoder<number> = (value, path, issues) =>
  typeof value === 'number' && value > 0 && value <= 100
    ? Math.round(value * 1000) / 1000
    : mismatch(issues, path, 'a number above 0, at most 100', value)

/** `false` in the place of the object: off, whatever wider policies say. */
export const orFalse =
  <T>(decoder: Decoder<T>): Decoder<T | false> =>
  (value, path, issues) =>
    value === false ? false : decoder(value, path, issues)

const outlierObject: Decoder<OutlierDetectionSpec> = refine(
  nonEmpty(
    object<OutlierDetectionSpec>({
      consecutive5xxErrors: optional(count),
      consecutiveGatewayErrors: optional(count),
      splitExternalLocalOriginErrors: optional(boolean),
      consecutiveLocalOriginFailures: optional(count),
      successRate: optional(
        orFalse(
          object<SuccessRateSpec>({
            minimumHosts: withDefault(count, 5),
            requestVolume: withDefault(count, 100),
            stdevFactor: withDefault(factor, 1.9),
          }),
        ),
      ),
      failurePercentage: optional(
        orFalse(
          object<FailurePercentageSpec>({
            minimumHosts: withDefault(count, 5),
            requestVolume: withDefault(count, 50),
            threshold: withDefault(percent, 85),
          }),
        ),
      ),
      interval: optional(positiveDuration),
      baseEjectionTime: optional(positiveDuration),
      maxEjectionTime: optional(positiveDuration),
      maxEjectionTimeJitter: optional(duration),
      maxEjectionPercent: optional(percent),
    }),
  ),
  (read, path, issues) => {
    const before = issues.length
    const { baseEjectionTime: base, maxEjectionTime: longest } = read
    if (base !== undefined && longest !== undefined && longest < base) {
      const message = `must not be shorter than baseEjectionTime (${formatDurationMs(base)})`
      issues.push({ path: `${path}.maxEjectionTime`, message })
    }
    if (read.consecutiveLocalOriginFailures !== undefined && read.splitExternalLocalOriginErrors !== true)
      issues.push({
        path: `${path}.consecutiveLocalOriginFailures`,
        message: 'means nothing without splitExternalLocalOriginErrors: true',
      })
    return issues.length > before ? invalid : read
  },
)

/** `false` switches it off, whatever wider policies say. */
export const outlierDetectionSpec: Decoder<OutlierDetectionSpec | false> = orFalse(outlierObject)
