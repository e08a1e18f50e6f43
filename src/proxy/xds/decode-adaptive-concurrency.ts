import type { Percent } from '../../xds/gen/envoy/type/v3/percent_pb.ts'
import {
  AdaptiveConcurrencySchema,
  GradientControllerConfigSchema,
  GradientControllerConfig_ConcurrencyLimitCalculationParamsSchema as LimitSchema,
  GradientControllerConfig_MinimumRTTCalculationParamsSchema as BaselineSchema,
  type AdaptiveConcurrency as XdsAdaptiveConcurrency,
} from '../../xds/gen/envoy/extensions/filters/http/adaptive_concurrency/v3/adaptive_concurrency_pb.ts'
import type { AdaptiveConcurrency, Origin } from '../config.ts'
import { durationMs } from './decode-parts.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const known = fieldNames('gradient_controller_config enabled concurrency_limit_exceeded_status')
const baselineFields = fieldNames('interval request_count jitter min_concurrency buffer')

/** Undefined: it is switched off. What is not said is as Envoy has it. Source: envoy AdaptiveConcurrency. */
export function decodeAdaptiveConcurrency(
  filter: XdsAdaptiveConcurrency,
  origin: Origin | undefined,
  path: string,
  refused: Refusals,
): AdaptiveConcurrency | undefined {
  knowOnly(AdaptiveConcurrencySchema, filter, known, path, refused)
  const at = join(path, 'gradient_controller_config')
  const { concurrencyControllerConfig: by } = filter
  if (by.case === undefined) {
    refused.add(at, 'is missing')
    return undefined
  }
  const { sampleAggregatePercentile, concurrencyLimitParams: limit, minRttCalcParams: baseline } = by.value
  knowOnly(GradientControllerConfigSchema, by.value, controllerFields, at, refused)
  const limitAt = join(at, 'concurrency_limit_params')
  const baselineAt = join(at, 'min_rtt_calc_params')
  if (limit !== undefined) knowOnly(LimitSchema, limit, limitFields, limitAt, refused)
  if (baseline !== undefined) knowOnly(BaselineSchema, baseline, baselineFields, baselineAt, refused)
  const minConcurrency = Math.max(1, baseline?.minConcurrency ?? 3, limit?.minConcurrencyLimit ?? 1)
  const maxConcurrency = limit?.maxConcurrencyLimit ?? 1000
  if (maxConcurrency < minConcurrency)
    refused.add(join(limitAt, 'max_concurrency_limit'), `must be at least ${minConcurrency}, got ${maxConcurrency}`)
  const updateMs = durationMs(
    limit?.concurrencyUpdateInterval,
    0,
    join(limitAt, 'concurrency_update_interval'),
    refused,
  )
  if (updateMs < 1) refused.add(join(limitAt, 'concurrency_update_interval'), 'expected at least 1 ms')
  const intervalMs = durationMs(baseline?.interval, 0, join(baselineAt, 'interval'), refused)
  if (intervalMs < 1) refused.add(join(baselineAt, 'interval'), 'expected at least 1 ms')
  const requests = baseline?.requestCount ?? 50
  if (requests < 1) refused.add(join(baselineAt, 'request_count'), 'must be at least 1')
  if (filter.enabled?.defaultValue === false) return undefined
  const status = filter.concurrencyLimitExceededStatus?.code ?? 0
  return {
    percentile: share(sampleAggregatePercentile, 50, join(at, 'sample_aggregate_percentile'), refused),
    maxConcurrency,
    minConcurrency,
    updateMs,
    baseline: {
      intervalMs,
      requests,
      jitter: share(baseline?.jitter, 15, join(baselineAt, 'jitter'), refused),
      buffer: share(baseline?.buffer, 25, join(baselineAt, 'buffer'), refused),
    },
    status: status < 400 ? 503 : status,
    origin,
  }
}
const controllerFields = fieldNames('sample_aggregate_percentile concurrency_limit_params min_rtt_calc_params')
const limitFields = fieldNames('max_concurrency_limit concurrency_update_interval min_concurrency_limit')

function share(percent: Percent | undefined, absent: number, path: string, refused: Refusals): number {
  const value = percent?.value ?? absent
  if (!(value >= 0 && value <= 100)) refused.add(path, `expected 0 to 100, got ${value}`)
  return value / 100
}
