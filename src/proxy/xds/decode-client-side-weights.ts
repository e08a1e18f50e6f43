import {
  ClientSideWeightedRoundRobinSchema,
  type ClientSideWeightedRoundRobin,
} from '../../xds/gen/envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3/client_side_weighted_round_robin_pb.ts'
import type { ClientSideWeights } from '../config.ts'
import { durationMs } from './decode-parts.ts'
import { slowStartOf } from './decode-slow-start.ts'
import { fieldNames, join, knowOnly, type Refusals } from './refusals.ts'

const known = fieldNames(`enable_oob_load_report blackout_period weight_expiration_period weight_update_period
  error_utilization_penalty metric_names_for_computing_utilization slow_start_config`)

/** Weights are reckoned anew at most so often. Source: envoy ClientSideWeightedRoundRobin. */
const leastUpdateMs = 100

/** Defaults as in the .proto. Reports outside of replies (`enable_oob_load_report: true`) are refused. */
export function clientSideWeights(
  policy: ClientSideWeightedRoundRobin,
  path: string,
  refused: Refusals,
): ClientSideWeights {
  knowOnly(ClientSideWeightedRoundRobinSchema, policy, known, path, refused)
  if (policy.enableOobLoadReport === true) refused.add(join(path, 'enable_oob_load_report'), 'is not supported')
  const errorPenalty = policy.errorUtilizationPenalty ?? 1
  if (!(errorPenalty >= 0))
    refused.add(join(path, 'error_utilization_penalty'), `expected at least 0, got ${errorPenalty}`)
  return {
    kind: 'client-side-weights',
    blackoutMs: durationMs(policy.blackoutPeriod, 10_000, join(path, 'blackout_period'), refused),
    expirationMs: durationMs(policy.weightExpirationPeriod, 180_000, join(path, 'weight_expiration_period'), refused),
    updateMs: Math.max(
      leastUpdateMs,
      durationMs(policy.weightUpdatePeriod, 1000, join(path, 'weight_update_period'), refused),
    ),
    errorPenalty,
    metrics: policy.metricNamesForComputingUtilization,
    ...slowStartOf(policy, path, refused),
  }
}
