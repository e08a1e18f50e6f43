import {
  OutlierDetectionSchema,
  type OutlierDetection as XdsOutlierDetection,
} from '../../xds/gen/envoy/config/cluster/v3/outlier_detection_pb.ts'
import type { OutlierDetection, OutlierStatistics } from '../config.ts'
import { durationMs } from './decode-parts.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const path = 'outlier_detection'
const outlierFields = fieldNames(`consecutive_5xx interval base_ejection_time max_ejection_percent
  enforcing_consecutive_5xx enforcing_success_rate success_rate_minimum_hosts success_rate_request_volume
  success_rate_stdev_factor consecutive_gateway_failure enforcing_consecutive_gateway_failure
  split_external_local_origin_errors consecutive_local_origin_failure enforcing_consecutive_local_origin_failure
  enforcing_local_origin_success_rate failure_percentage_threshold enforcing_failure_percentage
  enforcing_failure_percentage_local_origin failure_percentage_minimum_hosts failure_percentage_request_volume
  max_ejection_time max_ejection_time_jitter successful_active_health_check_uneject_host always_eject_one_host`)
const percentFields = [
  'maxEjectionPercent',
  'enforcingConsecutive5xx',
  'enforcingSuccessRate',
  'enforcingConsecutiveGatewayFailure',
  'enforcingConsecutiveLocalOriginFailure',
  'enforcingLocalOriginSuccessRate',
  'failurePercentageThreshold',
  'enforcingFailurePercentage',
  'enforcingFailurePercentageLocalOrigin',
] as const

/** With the defaults of the .proto. */
export function decodeOutlierDetection(
  o: XdsOutlierDetection | undefined,
  refused: Refusals,
): OutlierDetection | undefined {
  if (o === undefined) return undefined
  knowOnly(OutlierDetectionSchema, o, outlierFields, path, refused)
  for (const name of percentFields)
    if ((o[name] ?? 0) > 100) refused.add(join(path, protoName(name)), `expected 0 to 100, got ${o[name]}`)
  const ms = (name: 'interval' | 'baseEjectionTime' | 'maxEjectionTime' | 'maxEjectionTimeJitter', absentMs: number) =>
    durationMs(o[name], absentMs, join(path, protoName(name)), refused)
  const intervalMs = ms('interval', 10_000)
  const baseEjectionMs = ms('baseEjectionTime', 30_000)
  if (intervalMs === 0) refused.add(join(path, 'interval'), 'expected more than 0')
  if (baseEjectionMs === 0) refused.add(join(path, 'base_ejection_time'), 'expected more than 0')
  const statistics = statisticsOf(o)
  return {
    consecutive5xx: rule(o.consecutive5xx, o.enforcingConsecutive5xx ?? 100),
    consecutiveGatewayFailure: rule(o.consecutiveGatewayFailure, o.enforcingConsecutiveGatewayFailure ?? 0),
    consecutiveLocalOriginFailure: rule(
      o.consecutiveLocalOriginFailure,
      o.enforcingConsecutiveLocalOriginFailure ?? 100,
    ),
    split: o.splitExternalLocalOriginErrors,
    intervalMs,
    baseEjectionMs,
    maxEjectionMs: Math.max(baseEjectionMs, ms('maxEjectionTime', 300_000)),
    jitterMs: ms('maxEjectionTimeJitter', 0),
    maxEjectionPercent: o.maxEjectionPercent ?? 10,
    passedCheckReturns: o.successfulActiveHealthCheckUnejectHost ?? true,
    alwaysEjectOne: o.alwaysEjectOneHost ?? false,
    ...(statistics && { statistics }),
  }
}

/** A count of 0 is never reached. */
const rule = (limit = 5, enforcingPercent: number) => ({ limit: limit === 0 ? Infinity : limit, enforcingPercent })

/** Nothing when no rule would ever eject: then nothing need be counted. */
function statisticsOf(o: XdsOutlierDetection): OutlierStatistics | undefined {
  const local = o.splitExternalLocalOriginErrors
  const statistics: OutlierStatistics = {
    successRate: {
      minimumHosts: o.successRateMinimumHosts ?? 5,
      requestVolume: o.successRateRequestVolume ?? 100,
      stdevFactor: (o.successRateStdevFactor ?? 1900) / 1000,
      enforcingPercent: o.enforcingSuccessRate ?? 100,
      enforcingLocalPercent: local ? (o.enforcingLocalOriginSuccessRate ?? 100) : 0,
    },
    failurePercentage: {
      minimumHosts: o.failurePercentageMinimumHosts ?? 5,
      requestVolume: o.failurePercentageRequestVolume ?? 50,
      threshold: o.failurePercentageThreshold ?? 85,
      enforcingPercent: o.enforcingFailurePercentage ?? 0,
      enforcingLocalPercent: local ? (o.enforcingFailurePercentageLocalOrigin ?? 0) : 0,
    },
  }
  const rules = [statistics.successRate, statistics.failurePercentage]
  return rules.some((one) => one.enforcingPercent + one.enforcingLocalPercent > 0) ? statistics : undefined
}

/** maxEjectionTime → max_ejection_time. */
const protoName = (name: string): string => name.replace(/[A-Z]|5xx/g, (found) => `_${found.toLowerCase()}`)
