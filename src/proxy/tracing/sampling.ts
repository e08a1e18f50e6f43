import type { Random } from '../../base/random.ts'
import type { RequestIds, SampleShare, Sampling } from '../config.ts'

/** Why a call is traced: a client asks for it, a service of ours does, or chance; undefined: it is not. */
export type TraceReason = 'client' | 'forced' | 'sampled' | undefined

/** What a call says that decides. */
export interface SamplingWords {
  readonly requestId: string | undefined
  /** `x-client-trace-id` is there. */
  readonly clientAsks: boolean
  /** `x-envoy-force-trace` is there, and the caller may say so. */
  readonly forced: boolean
}

/** The digit of a UUID that says nothing but its version, and what it says here. Source: Envoy, UUID request id extension. */
const digitAt = 14
const digits = { client: 'b', forced: 'a', sampled: '9', none: '4' } as const
const idLength = 36

/**
 * Whether a call is traced. The id of the request is the chance, so that all proxies on its way come to the same. Source: Envoy,
 * `ConnectionManagerUtility::mutateTracingRequestHeader`.
 */
export function traceReason(
  { requestId, clientAsks, forced }: SamplingWords,
  { client, random, overall }: Sampling,
  { decide }: RequestIds,
  chance: Random,
): TraceReason {
  if (!decide) return 'sampled'
  const draw = drawOf(requestId)
  if (requestId === undefined || draw === undefined) return undefined
  let reason = saidBy(requestId)
  if (reason === undefined) {
    if (clientAsks && takes(client, chance.index(client.denominator))) reason = 'client'
    else if (forced) reason = 'forced'
    else if (takes(random, draw)) reason = 'sampled'
  }
  return reason !== undefined && takes(overall, draw) ? reason : undefined
}

/** The id with the reason in it; itself where it is no UUID. */
export function packReason(requestId: string, reason: TraceReason): string {
  if (requestId.length !== idLength) return requestId
  return `${requestId.slice(0, digitAt)}${digits[reason ?? 'none']}${requestId.slice(digitAt + 1)}`
}

const takes = ({ numerator, denominator }: SampleShare, draw: number): boolean => draw % denominator < numerator

/** In [0, 10,000). Undefined: it is no id that begins with a number. */
function drawOf(requestId: string | undefined): number | undefined {
  const first = requestId?.slice(0, 8)
  return first !== undefined && /^[0-9a-f]{8}$/i.test(first) ? Number.parseInt(first, 16) % 10_000 : undefined
}

function saidBy(requestId: string): TraceReason {
  if (requestId.length !== idLength) return undefined
  switch (requestId[digitAt]) {
    case digits.client:
      return 'client'
    case digits.forced:
      return 'forced'
    case digits.sampled:
      return 'sampled'
    default:
      return undefined
  }
}
