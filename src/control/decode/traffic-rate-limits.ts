import {
  integer,
  list,
  mismatch,
  object,
  oneOf,
  optional,
  refine,
  withDefault,
  type Decoder,
} from '../../base/decode.ts'
import { headerName } from './header-modifier.ts'

/** How many requests a service takes: each instance for itself, or all of them together. */
export interface RateLimitSpec {
  /** On average. */
  readonly requests: number
  readonly unit: keyof typeof unitMs
  /** At once, after a time of silence. */
  readonly burst: number
  /** Who or what has a bucket of its own; absent: all share one. A request without the header shares one with its like. */
  readonly per?: 'caller' | { readonly header: string }
  readonly scope: 'Local' | 'Global'
}

/** Units of time, in ms. */
export const unitMs = { Second: 1000, Minute: 60_000, Hour: 3_600_000, Day: 86_400_000 } as const

const most = 2 ** 32 - 1
const count = integer({ min: 1, max: most })
const byHeader = object<{ readonly header: string }>({ header: refine(headerName, (name) => name.toLowerCase()) })
const own: Decoder<NonNullable<RateLimitSpec['per']>> = (value, path, issues) =>
  value === 'Caller'
    ? 'caller'
    : typeof value === 'string'
      ? mismatch(issues, path, '"Caller" or { header: NAME }', value)
      : byHeader(value, path, issues)

interface Written {
  readonly requests: number
  readonly unit: keyof typeof unitMs
  readonly burst?: number
  readonly per?: NonNullable<RateLimitSpec['per']>
  readonly scope: RateLimitSpec['scope']
}

/** One unit: of two policies the narrower one's hold alone. Empty: none, whatever wider policies say. */
export const rateLimitsSpec: Decoder<readonly RateLimitSpec[]> = list(
  refine(
    object<Written>({
      requests: count,
      unit: withDefault(oneOf('Second', 'Minute', 'Hour', 'Day'), 'Second'),
      burst: optional(count),
      per: optional(own),
      scope: withDefault(oneOf('Local', 'Global'), 'Local'),
    }),
    ({ burst, ...read }) => ({ ...read, burst: burst ?? read.requests }),
  ),
  { max: 16 },
)
