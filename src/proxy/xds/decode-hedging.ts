import type { JsonObject } from '@bufbuild/protobuf'
import { HedgePolicySchema, type HedgePolicy } from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { numberIn } from '../../xds/structs.ts'
import type { Hedging, RetryPolicy } from '../config.ts'
import { fieldNames, knowOnly, type Refusals } from './refusals.ts'

const known = fieldNames('hedge_on_per_try_timeout')

/**
 * Of Envoy's policy: what is late is not given up, another attempt is made beside it; each attempt's limit is the wait, and there are as
 * many as retries. Of our own control plane (`weft.dev` metadata `hedging`): all that a policy says.
 * Source: envoy.config.route.v3.HedgePolicy.
 */
export function decodeHedging(
  policy: HedgePolicy | undefined,
  retry: RetryPolicy | undefined,
  weft: JsonObject | undefined,
  path: string,
  refused: Refusals,
): { readonly retry: RetryPolicy | undefined; readonly hedging?: Hedging } {
  const own = hedgingIn(weft)
  if (own !== undefined) return { retry, hedging: own }
  if (policy === undefined) return { retry }
  knowOnly(HedgePolicySchema, policy, known, path, refused)
  if (!policy.hedgeOnPerTryTimeout || retry === undefined || retry.perTryTimeoutMs === 0 || retry.retries === 0)
    return { retry }
  return {
    retry: { ...retry, perTryTimeoutMs: 0 },
    hedging: {
      after: { ms: retry.perTryTimeoutMs },
      maxAttempts: 1 + retry.retries,
      anyMethod: false,
      tellsTimeouts: true,
    },
  }
}

function hedgingIn(weft: JsonObject | undefined): Hedging | undefined {
  const json = weft?.['hedging']
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined
  const [ms, quantile] = [numberIn(json, 'after_ms'), numberIn(json, 'quantile')]
  const after = ms !== undefined ? { ms } : quantile !== undefined ? { quantile } : undefined
  const maxAttempts = numberIn(json, 'max_attempts') ?? 2
  return after && { after, maxAttempts, anyMethod: json['any_method'] === true }
}
