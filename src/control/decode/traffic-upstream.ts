import { integer, invalid, object, optional, refine, withDefault, type Decoder } from '../../base/decode.ts'
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
  /** Of an HTTP connection; then it takes no more. */
  readonly maxRequestsPerConnection?: number
}

/** Connections to endpoints. Times in ms. */
export interface ConnectionSpec {
  /** TCP and TLS handshake together. */
  readonly connectTimeout?: number
  /** Of a pooled connection without a request; 0: never closed for that. */
  readonly idleTimeout?: number
  /** Of an HTTP connection; then it takes no more calls. */
  readonly maxAge?: number
  /** So much more by chance, percent of `maxAge`: that not all end at once. */
  readonly maxAgeJitterPercent?: number
  /** One unit. */
  readonly tcpKeepalive?: TcpKeepaliveSpec
}

/** Probes of the system on idle connections, whole seconds in ms. */
export interface TcpKeepaliveSpec {
  readonly idleTime: number
  readonly interval: number
  readonly probes: number
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
    maxRequestsPerConnection: optional(atLeastOne),
  }),
)

/** Share of usable endpoints below which health is ignored, percent; 0: never. */
export const panicThresholdSpec: Decoder<number> = percent

/** The system counts in seconds. */
const wholeSeconds: Decoder<number> = refine(positiveDuration, (ms, path, issues) => {
  if (ms % 1000 === 0) return ms
  issues.push({ path, message: 'must be whole seconds' })
  return invalid
})

export const connectionSpec: Decoder<ConnectionSpec> = refine(
  nonEmpty(
    object<ConnectionSpec>({
      connectTimeout: optional(positiveDuration),
      idleTimeout: optional(duration),
      maxAge: optional(positiveDuration),
      maxAgeJitterPercent: optional(percent),
      tcpKeepalive: optional(
        object<TcpKeepaliveSpec>({
          idleTime: withDefault(wholeSeconds, 7_200_000),
          interval: withDefault(wholeSeconds, 75_000),
          probes: withDefault(integer({ min: 1, max: 255 }), 9),
        }),
      ),
    }),
  ),
  (read, path, issues) => {
    if (read.maxAgeJitterPercent === undefined || read.maxAge !== undefined) return read
    issues.push({ path: `${path}.maxAgeJitterPercent`, message: 'means nothing without maxAge' })
    return invalid
  },
)
