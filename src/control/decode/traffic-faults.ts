import {
  integer,
  invalid,
  mismatch,
  object,
  oneOf,
  optional,
  refine,
  withDefault,
  type Decoder,
} from '../../base/decode.ts'
import { grpcStatusNames } from '../../base/grpc.ts'
import { byteRate } from './byte-rate.ts'
import { positiveDuration } from './duration.ts'
import { headerMatches, type NamedMatch } from './http-route.ts'
import { nonEmpty } from './traffic-upstream.ts'

/** Failures that are made on purpose, to see how callers bear them. One unit: of two policies the narrower one's holds as a whole. */
export interface FaultsSpec {
  /** Before anything else; `duration` in ms. */
  readonly delay?: { readonly duration: number; readonly percent: number }
  /** In the place of a call to the program. */
  readonly abort?: AbortSpec
  /** How fast the reply's body comes; `rate` in KiB a second. */
  readonly bandwidth?: { readonly rate: number; readonly percent: number }
  /** Only requests with all of these; empty: any. */
  readonly headers: readonly NamedMatch[]
}

/** `grpcStatus`: a code of gRPC, not 0. */
export type AbortSpec = { readonly percent: number } & (
  | { readonly httpStatus: number; readonly grpcStatus?: never }
  | { readonly grpcStatus: number; readonly httpStatus?: never }
)

/** From 0 to 100, in steps of a ten-thousandth: all that xDS can say. */
const percent: Decoder<number> = (value, path, issues) =>
  typeof value === 'number' && value >= 0 && value <= 100 && Number.isInteger(Math.round(value * 1e10) / 1e6)
    ? value
    : mismatch(issues, path, 'a number from 0 to 100 with at most 4 decimals', value)

const statusName = oneOf(...grpcStatusNames.slice(1))
const grpcCode: Decoder<number> = (value, path, issues) => {
  if (typeof value === 'number') return integer({ min: 1, max: 16 })(value, path, issues)
  const name = statusName(value, path, issues)
  return name === invalid ? invalid : grpcStatusNames.indexOf(name)
}

interface WrittenAbort {
  readonly httpStatus?: number
  readonly grpcStatus?: number
  readonly percent: number
}
const abort: Decoder<AbortSpec> = refine(
  object<WrittenAbort>({
    httpStatus: optional(integer({ min: 400, max: 599 })),
    grpcStatus: optional(grpcCode),
    percent: withDefault(percent, 100),
  }),
  ({ httpStatus, grpcStatus, percent: share }, path, issues) => {
    if (httpStatus !== undefined && grpcStatus === undefined) return { httpStatus, percent: share }
    if (httpStatus === undefined && grpcStatus !== undefined) return { grpcStatus, percent: share }
    issues.push({ path, message: 'expected one of httpStatus and grpcStatus' })
    return invalid
  },
)

interface Written {
  readonly delay?: NonNullable<FaultsSpec['delay']>
  readonly abort?: AbortSpec
  readonly bandwidth?: NonNullable<FaultsSpec['bandwidth']>
  readonly headers?: readonly NamedMatch[]
}

/** `headers` alone would ask for nothing. */
export const faultsSpec: Decoder<FaultsSpec> = refine(
  nonEmpty(
    object<Written>({
      delay: optional(
        object<NonNullable<FaultsSpec['delay']>>({ duration: positiveDuration, percent: withDefault(percent, 100) }),
      ),
      abort: optional(abort),
      bandwidth: optional(
        object<NonNullable<FaultsSpec['bandwidth']>>({ rate: byteRate, percent: withDefault(percent, 100) }),
      ),
      headers: optional(headerMatches),
    }),
  ),
  ({ headers = [], ...faults }, path, issues) => {
    if (faults.delay !== undefined || faults.abort !== undefined || faults.bandwidth !== undefined)
      return { ...faults, headers }
    issues.push({ path, message: 'expected delay, abort or bandwidth, or several of them' })
    return invalid
  },
)
