import {
  integer,
  invalid,
  list,
  mismatch,
  object,
  oneOf,
  optional,
  refine,
  withDefault,
  type Decoder,
} from '../../base/decode.ts'
import { formatDurationMs } from '../../base/duration.ts'
import { duration, positiveDuration } from './duration.ts'
import { nonEmpty } from './traffic-upstream.ts'

/** Limits of calls in ms; 0: none. */
export interface TrafficTimeoutsSpec {
  /** The whole call, retries included. */
  readonly request?: number
  /** One attempt. */
  readonly perTry?: number
  /** No byte in either direction for so long; never 0. */
  readonly idle?: number
  /** From a call's head to its last byte either way, whatever goes through an upgrade too. */
  readonly stream?: number
}

const retryCauses = [
  'connect-failure',
  'refused-stream',
  'reset-before-request',
  'reset',
  '5xx',
  'gateway-error',
  'retriable-4xx',
  'envoy-ratelimited',
  // Statuses of gRPC.
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
] as const

/** Causes as Envoy's `retry_on` names them. */
export type RetryOn = (typeof retryCauses)[number]

/** What is tried again besides what can have reached no program, which is in any case. Times in ms. */
export interface TrafficRetriesSpec {
  /** Further attempts after the first; 0: none at all. */
  readonly attempts?: number
  readonly on?: readonly RetryOn[]
  /** Statuses besides: ascending, unique. */
  readonly codes?: readonly number[]
  /** Full jitter: a wait is anything up to base · 2ⁿ, and never longer than max. */
  readonly backoff?: { readonly base: number; readonly max?: number }
  /** What one proxy may add to the load of one service port. */
  readonly budget?: RetryBudgetSpec
}

export interface RetryBudgetSpec {
  /** Of the requests under way. */
  readonly percent: number
  /** As many are allowed in any case. */
  readonly minConcurrent: number
}

/** Below 50 half of all calls would be made twice. */
const percentile: Decoder<number> = (value, path, issues) =>
  typeof value === 'number' && value >= 50 && value <= 99.9
    ? value
    : mismatch(issues, path, 'a number from 50 to 99.9', value)

const longestIdleMs = 300_000
const idle: Decoder<number> = refine(positiveDuration, (ms, path, issues) => {
  if (ms <= longestIdleMs) return ms
  const message = `must not be longer than ${formatDurationMs(longestIdleMs)}: the callee's sidecar ends a silent call then`
  issues.push({ path, message })
  return invalid
})

export const trafficTimeoutsSpec: Decoder<TrafficTimeoutsSpec> = refine(
  nonEmpty(
    object<TrafficTimeoutsSpec>({
      request: optional(duration),
      perTry: optional(duration),
      idle: optional(idle),
      stream: optional(duration),
    }),
  ),
  (read, path, issues) => {
    const { request = 0, perTry = 0, stream = 0 } = read
    const within = (name: string, ms: number, [what, most]: readonly [string, number]): boolean => {
      if (most === 0 || ms <= most) return true
      issues.push({ path: `${path}.${name}`, message: `must not be longer than ${what} (${formatDurationMs(most)})` })
      return false
    }
    const whole = ['stream', stream] as const
    return within('perTry', perTry, request === 0 ? whole : ['request', request]) && within('request', request, whole)
      ? read
      : invalid
  },
)

const backoff: Decoder<NonNullable<TrafficRetriesSpec['backoff']>> = refine(
  object<NonNullable<TrafficRetriesSpec['backoff']>>({ base: positiveDuration, max: optional(positiveDuration) }),
  (read, path, issues) => {
    if (read.max === undefined || read.max >= read.base) return read
    issues.push({ path: `${path}.max`, message: `must not be shorter than base (${formatDurationMs(read.base)})` })
    return invalid
  },
)

export const trafficRetriesSpec: Decoder<TrafficRetriesSpec> = nonEmpty(
  object<TrafficRetriesSpec>({
    attempts: optional(integer({ min: 0, max: 100 })),
    on: optional(list(oneOf(...retryCauses), { max: 16 })),
    codes: optional(
      refine(list(integer({ min: 400, max: 599 }), { max: 200 }), (codes) =>
        [...new Set(codes)].toSorted((a, b) => a - b),
      ),
    ),
    backoff: optional(backoff),
    budget: optional(
      object<RetryBudgetSpec>({
        percent: withDefault(integer({ min: 0, max: 100 }), 20),
        minConcurrent: withDefault(integer({ min: 0, max: 2 ** 32 - 1 }), 10),
      }),
    ),
  }),
)

/** Of a call whose reply does not begin in time another attempt is made elsewhere, and the first good reply counts. */
export interface HedgingSpec {
  /** In percent: the time in which so many attempts of late had their reply is waited for. */
  readonly atPercentile?: number
  /** In its place a fixed wait, ms. */
  readonly after?: number
  /** The first one included. */
  readonly maxAttempts: number
  readonly methods: 'Idempotent' | 'Any'
}

/** One unit: of two policies the narrower one's holds as a whole. */
export const hedgingSpec: Decoder<HedgingSpec> = refine(
  object<HedgingSpec>({
    atPercentile: optional(percentile),
    after: optional(positiveDuration),
    maxAttempts: withDefault(integer({ min: 2, max: 5 }), 2),
    methods: withDefault(oneOf('Idempotent', 'Any'), 'Idempotent'),
  }),
  ({ atPercentile, after, ...rest }, path, issues) => {
    if (after === undefined) return { atPercentile: atPercentile ?? 95, ...rest }
    if (atPercentile === undefined) return { after, ...rest }
    issues.push({
      path: `${path}.after`,
      message: 'a fixed wait and atPercentile exclude each other; remove one of the two',
    })
    return invalid
  },
)
