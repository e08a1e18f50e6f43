import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  RateLimitRequestSchema,
  RateLimitResponseSchema,
  RateLimitResponse_Code as Code,
  RateLimitResponse_RateLimit_Unit as Unit,
  type RateLimitResponse_DescriptorStatus,
} from '../../xds/gen/envoy/service/ratelimit/v3/rls_pb.ts'
import type { HeaderValue } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import { deframer, frame } from '../../xds/grpc-frames.ts'

/** Path of `RateLimitService/ShouldRateLimit`. */
export const limiterPath = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit'

/** A question, framed for gRPC. */
export const encodeLimiterRequest = (
  domain: string,
  descriptors: readonly (readonly (readonly [key: string, value: string])[])[],
): Buffer =>
  frame(
    toBinary(
      RateLimitRequestSchema,
      create(RateLimitRequestSchema, {
        domain,
        descriptors: descriptors.map((entries) => ({ entries: entries.map(([key, value]) => ({ key, value })) })),
      }),
    ),
  )

/** What the limiter answered; headers as it wrote them. */
export interface LimiterResponse {
  readonly over: boolean
  readonly requestHeaders: readonly (readonly [name: string, value: string])[]
  readonly responseHeaders: readonly (readonly [name: string, value: string])[]
  readonly statuses: readonly {
    readonly current?: { readonly requestsPerUnit: number; readonly unitSeconds: number; readonly name: string }
    readonly remaining: number
    readonly resetSeconds: number
  }[]
}

/** Undefined: the bytes are no answer. */
export function decodeLimiterResponse(bytes: Buffer): LimiterResponse | undefined {
  const cut = deframer().push(bytes)
  const [message] = 'messages' in cut ? cut.messages : []
  if (message === undefined) return undefined
  try {
    const response = fromBinary(RateLimitResponseSchema, message)
    if (response.overallCode === Code.UNKNOWN) return undefined
    return {
      over: response.overallCode === Code.OVER_LIMIT,
      requestHeaders: response.requestHeadersToAdd.map(fieldOf),
      responseHeaders: response.responseHeadersToAdd.map(fieldOf),
      statuses: response.statuses.map(statusOf),
    }
  } catch {
    return undefined
  }
}

const fieldOf = ({ key, value, rawValue }: HeaderValue): readonly [string, string] => [
  key.toLowerCase(),
  value === '' ? Buffer.from(rawValue).toString('latin1') : value,
]

const unitSeconds: Readonly<Record<number, number>> = {
  [Unit.SECOND]: 1,
  [Unit.MINUTE]: 60,
  [Unit.HOUR]: 3600,
  [Unit.DAY]: 86_400,
  [Unit.WEEK]: 604_800,
  [Unit.MONTH]: 2_592_000,
  [Unit.YEAR]: 31_536_000,
}

function statusOf({
  currentLimit,
  limitRemaining,
  durationUntilReset,
}: RateLimitResponse_DescriptorStatus): LimiterResponse['statuses'][number] {
  return {
    ...(currentLimit && {
      current: {
        requestsPerUnit: currentLimit.requestsPerUnit,
        unitSeconds: unitSeconds[currentLimit.unit] ?? 0,
        name: currentLimit.name,
      },
    }),
    remaining: limitRemaining,
    resetSeconds: Number(durationUntilReset?.seconds ?? 0n),
  }
}
