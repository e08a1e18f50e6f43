import { invalid, object, optional, refine, type Decoder } from '../../base/decode.ts'
import { orFalse, outlierDetectionSpec, type OutlierDetectionSpec } from './traffic-outlier.ts'
import { faultsSpec, type FaultsSpec } from './traffic-faults.ts'
import { adaptiveConcurrencySpec, type AdaptiveConcurrencySpec } from './traffic-concurrency.ts'
import { externalRateLimitSpec, type ExternalRateLimitSpec } from './traffic-external-limit.ts'
import { rateLimitsSpec, type RateLimitSpec } from './traffic-rate-limits.ts'
import {
  hedgingSpec,
  trafficRetriesSpec,
  trafficTimeoutsSpec,
  type HedgingSpec,
  type TrafficRetriesSpec,
  type TrafficTimeoutsSpec,
} from './traffic-recovery.ts'
import { loadBalancingSpec, slowStartSpec, type LoadBalancingSpec, type SlowStartSpec } from './traffic-balancing.ts'
import { healthChecksSpec, type HealthChecksSpec } from './traffic-health.ts'
import { localityPreferenceSpec, type LocalityPreferenceSpec } from './locality.ts'
import { failoverSpec, type FailoverSpec } from './traffic-failover.ts'
import { trafficTargets, type TrafficTarget } from './traffic-target.ts'
import {
  connectionLimitsSpec,
  connectionSpec,
  panicThresholdSpec,
  type ConnectionLimitsSpec,
  type ConnectionSpec,
} from './traffic-upstream.ts'

/**
 * weft.dev TrafficPolicy: how calls to services are spread, bounded, watched and repeated, beyond what routes say. Absent fields are
 * those of the next wider policy. Names are those of Envoy Gateway's BackendTrafficPolicy and Istio's DestinationRule where they agree.
 */
export interface TrafficPolicySpec extends ServiceSettings, RouteSettings {
  readonly targets: readonly TrafficTarget[]
}

/** What holds for one port of a service, whichever route leads there. */
export interface ServiceSettings {
  readonly loadBalancing?: LoadBalancingSpec
  readonly slowStart?: SlowStartSpec
  readonly connectionLimits?: ConnectionLimitsSpec
  readonly outlierDetection?: OutlierDetectionSpec | false
  readonly healthChecks?: HealthChecksSpec | false
  readonly locality?: LocalityPreferenceSpec | false
  readonly failover?: FailoverSpec | false
  readonly panicThreshold?: number
  readonly connection?: ConnectionSpec
  readonly rateLimits?: readonly RateLimitSpec[]
  readonly externalRateLimit?: ExternalRateLimitSpec | false
  readonly adaptiveConcurrency?: AdaptiveConcurrencySpec | false
}

/** What holds for the rules of a route, or for all rules of a service or at a Gateway. */
export interface RouteSettings {
  readonly timeouts?: TrafficTimeoutsSpec
  readonly retries?: TrafficRetriesSpec
  readonly hedging?: HedgingSpec | false
  readonly faults?: FaultsSpec
}

/** What the sidecars of the called programs do. */
export const ofCallees = ['rateLimits', 'externalRateLimit', 'adaptiveConcurrency'] as const

/** Fields that a route or a Gateway cannot decide: several routes share a service, and it has one pool of connections. */
export const ofServicesOnly: readonly (keyof ServiceSettings)[] = [
  'loadBalancing',
  'slowStart',
  'connectionLimits',
  'outlierDetection',
  'healthChecks',
  'locality',
  'failover',
  'panicThreshold',
  'connection',
  'adaptiveConcurrency',
]

/** Groups whose fields are inherited one by one; any other setting is taken as a whole. */
export const mergedByField = ['connectionLimits', 'outlierDetection', 'connection', 'timeouts', 'retries'] as const

/** Algorithms that go by weights, which slow start changes. */
export const startsSlowly = (algorithm: LoadBalancingSpec['algorithm']): boolean =>
  algorithm === 'PeakEWMA' || algorithm === 'LeastRequest' || algorithm === 'RoundRobin'

type Written = Omit<TrafficPolicySpec, 'targets'> & { readonly targetRefs: readonly TrafficTarget[] }

const written = object<Written>({
  targetRefs: trafficTargets,
  loadBalancing: optional(loadBalancingSpec),
  slowStart: optional(slowStartSpec),
  connectionLimits: optional(connectionLimitsSpec),
  outlierDetection: optional(outlierDetectionSpec),
  healthChecks: optional(healthChecksSpec),
  locality: optional(localityPreferenceSpec),
  failover: optional(failoverSpec),
  panicThreshold: optional(panicThresholdSpec),
  connection: optional(connectionSpec),
  timeouts: optional(trafficTimeoutsSpec),
  retries: optional(trafficRetriesSpec),
  hedging: optional(orFalse(hedgingSpec)),
  faults: optional(faultsSpec),
  rateLimits: optional(rateLimitsSpec),
  externalRateLimit: optional(externalRateLimitSpec),
  adaptiveConcurrency: optional(adaptiveConcurrencySpec),
})

/** What its parts must not say together. */
export const trafficPolicySpec: Decoder<TrafficPolicySpec> = refine(written, (read, path, issues) => {
  const { targetRefs: targets, ...settings } = read
  const before = issues.length
  const { algorithm } = settings.loadBalancing ?? {}
  if (settings.slowStart !== undefined && algorithm !== undefined && !startsSlowly(algorithm))
    issues.push({ path: `${path}.slowStart`, message: `means nothing for ${algorithm}; remove it` })
  if (Object.keys(settings).length === 0)
    issues.push({ path, message: 'only targetRefs is given: the policy says nothing' })
  if (settings.retries?.budget !== undefined && settings.connectionLimits?.maxRetries !== undefined)
    issues.push({
      path: `${path}.connectionLimits.maxRetries`,
      message: 'a fixed number and retries.budget exclude each other; remove one of the two',
    })
  const route = targets.find(({ kind }) => kind === 'HTTPRoute' || kind === 'GRPCRoute' || kind === 'Gateway')
  if (route !== undefined) {
    const what = route.kind === 'Gateway' ? 'Gateway' : 'route'
    const foreign = [
      ...ofServicesOnly.filter((field) => settings[field] !== undefined),
      ...(settings.retries?.budget === undefined ? [] : ['retries.budget']),
    ]
    for (const field of foreign)
      issues.push({
        path: `${path}.${field}`,
        message: `means nothing for a ${what} (${JSON.stringify(route.name)}): it belongs to the Service that calls go to; target that`,
      })
  }
  const external = targets.find(({ kind }) => kind === 'ExternalService')
  for (const field of ofCallees)
    if (external !== undefined && settings[field] !== undefined)
      issues.push({
        path: `${path}.${field}`,
        message: `means nothing for an ExternalService (${JSON.stringify(external.name)}): it is for the sidecar of the called program, and there is none`,
      })
  return issues.length > before ? invalid : { targets, ...settings }
})
