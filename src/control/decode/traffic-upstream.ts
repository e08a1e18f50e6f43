import { integer, invalid, object, optional, refine, type Decoder, type Issue } from '../../base/decode.ts'
import { formatDurationMs } from '../../base/duration.ts'
import { duration, positiveDuration } from './duration.ts'

/** What one proxy may have open to one port of a service. */
export interface ConnectionLimitsSpec {
  readonly maxConnections?: number
  /** Waiting for a connection. */
  readonly maxPendingRequests?: number
  /** Under way at once. */
  readonly maxRequests?: number
  /** Retries under way at once: a fixed number in the place of a budget. */
  readonly maxRetries?: number
}

/** When an endpoint that fails is left out for a while. Times in ms. */
export interface OutlierDetectionSpec {
  /** In a row; 0: not counted. Connection failures count as 5xx. */
  readonly consecutive5xxErrors?: number
  /** 502, 503 and 504 in a row; 0: not counted. */
  readonly consecutiveGatewayErrors?: number
  /** How often it is looked whether an ejection is over. */
  readonly interval?: number
  /** Times the number of ejections so far. */
  readonly baseEjectionTime?: number
  readonly maxEjectionTime?: number
  /** Of all endpoints; one may go in any case. */
  readonly maxEjectionPercent?: number
}

/** Connections to endpoints. Times in ms. */
export interface ConnectionSpec {
  /** TCP and TLS handshake together. */
  readonly connectTimeout?: number
  /** Of a pooled connection without a request; 0: never closed for that. */
  readonly idleTimeout?: number
}

const limit = integer({ min: 0, max: 2 ** 32 - 1 })
const atLeastOne = integer({ min: 1, max: 2 ** 32 - 1 })
const percent = integer({ min: 0, max: 100 })

/** An object that says at least one thing: an empty one is a mistake. */
export const nonEmpty = <T extends object>(decoder: Decoder<T>): Decoder<T> =>
  refine(decoder, (value, path, issues) => {
    if (Object.keys(value).length > 0) return value
    issues.push({ path, message: 'says nothing; give at least one field, or remove it' })
    return invalid
  })

export const connectionLimitsSpec: Decoder<ConnectionLimitsSpec> = nonEmpty(
  object<ConnectionLimitsSpec>({
    maxConnections: optional(atLeastOne),
    maxPendingRequests: optional(limit),
    maxRequests: optional(atLeastOne),
    maxRetries: optional(limit),
  }),
)

const outlierObject: Decoder<OutlierDetectionSpec> = refine(
  nonEmpty(
    object<OutlierDetectionSpec>({
      consecutive5xxErrors: optional(limit),
      consecutiveGatewayErrors: optional(limit),
      interval: optional(positiveDuration),
      baseEjectionTime: optional(positiveDuration),
      maxEjectionTime: optional(positiveDuration),
      maxEjectionPercent: optional(percent),
    }),
  ),
  (read, path, issues) => {
    const { baseEjectionTime: base, maxEjectionTime: longest } = read
    if (base === undefined || longest === undefined || longest >= base) return read
    const message = `must not be shorter than baseEjectionTime (${formatDurationMs(base)})`
    issues.push({ path: `${path}.maxEjectionTime`, message })
    return invalid
  },
)

/** `false` switches it off, whatever wider policies say. */
export const outlierDetectionSpec: Decoder<OutlierDetectionSpec | false> = (
  value,
  path,
  issues: Issue[],
): OutlierDetectionSpec | false | typeof invalid => (value === false ? false : outlierObject(value, path, issues))

/** Share of usable endpoints below which health is ignored, percent; 0: never. */
export const panicThresholdSpec: Decoder<number> = percent

export const connectionSpec: Decoder<ConnectionSpec> = nonEmpty(
  object<ConnectionSpec>({ connectTimeout: optional(positiveDuration), idleTimeout: optional(duration) }),
)
