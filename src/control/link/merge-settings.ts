import { isHttp, type AppProtocol } from '../../base/app-protocol.ts'
import type { HashOnSpec, LoadBalancingSpec, SlowStartSpec } from '../decode/traffic-balancing.ts'
import type { LocalityPreferenceSpec } from '../decode/locality.ts'
import type { HedgingSpec } from '../decode/traffic-recovery.ts'
import { mergedByField, startsSlowly, type TrafficPolicySpec } from '../decode/traffic-policy.ts'
import type {
  Failover,
  Forward,
  HashOn,
  Hedging,
  LocalityPreference,
  Origin,
  Retry,
  RouteRule,
  SlowStart,
  Timeouts,
  Traffic,
} from '../model/model.ts'
import { linkFaults } from './link-faults.ts'
import { checksFor, linkHealthChecks } from './health-checks.ts'
import { originOf } from './linked.ts'
import type { TrafficPolicy } from './link-traffic.ts'

type Group = (typeof mergedByField)[number]
type Fields<G extends Group> = Exclude<NonNullable<TrafficPolicySpec[G]>, false>
type Origins = Record<string, Origin>

/** Each field from the first policy that gives it; `false` ends the inheritance, and is the answer if nothing was said before. */
function mergeGroup<G extends Group>(
  policies: readonly TrafficPolicy[],
  group: G,
  origins: Origins,
  ignored: readonly string[] = [],
): Partial<Fields<G>> | false {
  const merged: Record<string, unknown> = {}
  for (const policy of policies) {
    const said = policy.spec[group]
    if (said === false) {
      if (Object.keys(merged).length > 0) break
      origins[group] = originOf(policy, `spec.${group}`)
      return false
    }
    for (const [field, value] of Object.entries(said ?? {})) {
      if (Object.hasOwn(merged, field) || ignored.includes(field)) continue
      merged[field] = value
      origins[`${group}.${field}`] = originOf(policy, `spec.${group}.${field}`)
    }
  }
  // Only fields of this group were put in, each as its own decoder gave it.
  return merged as Partial<Fields<G>>
}

/** The whole setting of the first policy that gives it. */
function first<T>(
  policies: readonly TrafficPolicy[],
  fields: Readonly<Record<string, (spec: TrafficPolicySpec, policy: TrafficPolicy) => T | undefined>>,
  origins: Origins,
): T | undefined {
  for (const policy of policies) {
    for (const [field, read] of Object.entries(fields)) {
      const value = read(policy.spec, policy)
      if (value === undefined) continue
      origins[field] = originOf(policy, `spec.${field}`)
      return value
    }
  }
  return undefined
}

const algorithms = {
  PeakEWMA: 'peak-ewma',
  LeastRequest: 'least-request',
  RoundRobin: 'round-robin',
  Random: 'random',
  RingHash: 'ring-hash',
  Maglev: 'maglev',
} as const

/** What these policies, the narrowest first, come to for a service port; without any the port is left alone. Raw TCP has no hashes. */
export function mergeTraffic(
  policies: readonly TrafficPolicy[],
  { protocol }: { readonly protocol: AppProtocol },
  failoverOf: (policy: TrafficPolicy) => Failover | false | undefined,
): { readonly traffic: Traffic; readonly loadBalancing?: (typeof algorithms)[keyof typeof algorithms] } | undefined {
  const settings: Origins = {}
  const fits = ({ loadBalancing }: TrafficPolicySpec): LoadBalancingSpec | undefined =>
    isHttp(protocol) || loadBalancing?.hashOn === undefined ? loadBalancing : undefined
  const balancing = first(policies, { loadBalancing: fits }, settings)
  const weighted = balancing === undefined || startsSlowly(balancing.algorithm)
  const slowStart = weighted ? first(policies, { slowStart: (spec) => spec.slowStart }, settings) : undefined
  const parameters = given({
    choices: balancing?.choices,
    minRingSize: balancing?.minimumRingSize,
    maxRingSize: balancing?.maximumRingSize,
    tableSize: balancing?.tableSize,
  })
  const limits = mergeGroup(policies, 'connectionLimits', settings, ['maxRetries'])
  const retryBudget = first(
    policies,
    {
      'connectionLimits.maxRetries': ({ connectionLimits }) =>
        connectionLimits?.maxRetries === undefined
          ? undefined
          : { percent: 0, minConcurrent: connectionLimits.maxRetries },
      'retries.budget': ({ retries }) => retries?.budget,
    },
    settings,
  )
  const outliers = mergeGroup(policies, 'outlierDetection', settings)
  const healthChecks = first(policies, { healthChecks: checksFor(protocol) }, settings)
  const locality = first(policies, { locality: (spec) => spec.locality }, settings)
  const failover = first(policies, { failover: (_spec, policy) => failoverOf(policy) }, settings)
  const panicThresholdPercent = first(policies, { panicThreshold: (spec) => spec.panicThreshold }, settings)
  const connection = mergeGroup(policies, 'connection', settings) || {}
  if (Object.keys(settings).length === 0) return undefined
  return {
    ...(balancing && { loadBalancing: algorithms[balancing.algorithm] }),
    traffic: {
      ...(says(parameters) && { balancing: parameters }),
      ...(slowStart && { slowStart: linkSlowStart(slowStart) }),
      ...(says(limits) && { limits }),
      ...(retryBudget && { retryBudget }),
      ...(outliers === false
        ? { outlierDetection: false }
        : says(outliers) && { outlierDetection: outlierOf(outliers) }),
      ...(healthChecks === undefined ? {} : { healthChecks: healthChecks && linkHealthChecks(healthChecks) }),
      ...(locality === undefined ? {} : { locality: locality && linkLocality(locality) }),
      ...(failover === undefined ? {} : { failover }),
      ...(panicThresholdPercent === undefined ? {} : { panicThresholdPercent }),
      ...linkConnection(connection),
      settings,
    },
  }
}

const says = <T extends object>(fields: T | false): fields is T => fields !== false && Object.keys(fields).length > 0

function linkConnection({
  connectTimeout,
  idleTimeout,
  maxAge,
  maxAgeJitterPercent = 10,
  tcpKeepalive,
}: Partial<Fields<'connection'>>): Pick<Traffic, 'connectTimeoutMs' | 'idleTimeoutMs' | 'maxAge' | 'tcpKeepalive'> {
  return given({
    connectTimeoutMs: connectTimeout,
    idleTimeoutMs: idleTimeout,
    maxAge: maxAge === undefined ? undefined : { ms: maxAge, jitterPercent: maxAgeJitterPercent },
    tcpKeepalive: tcpKeepalive && {
      idleMs: tcpKeepalive.idleTime,
      intervalMs: tcpKeepalive.interval,
      probes: tcpKeepalive.probes,
    },
  })
}

const places = { Region: 'region', Zone: 'zone', SubZone: 'sub-zone' } as const
const linkLocality = ({ prefer, ...rest }: LocalityPreferenceSpec): LocalityPreference => ({
  prefer: places[prefer],
  ...rest,
})

const linkSlowStart = ({ window, ...shape }: SlowStartSpec): SlowStart => ({ windowMs: window, ...shape })

const outlierOf = (
  said: Partial<Fields<'outlierDetection'>>,
): Exclude<Traffic['outlierDetection'], false | undefined> =>
  given({
    consecutive5xx: said.consecutive5xxErrors,
    consecutiveGatewayFailure: said.consecutiveGatewayErrors,
    consecutiveLocalOriginFailure:
      said.splitExternalLocalOriginErrors === true ? (said.consecutiveLocalOriginFailures ?? 5) : undefined,
    successRate: said.successRate || undefined,
    failurePercentage: said.failurePercentage || undefined,
    intervalMs: said.interval,
    baseEjectionMs: said.baseEjectionTime,
    maxEjectionMs: said.maxEjectionTime,
    maxEjectionJitterMs: said.maxEjectionTimeJitter,
    maxEjectionPercent: said.maxEjectionPercent,
  })

/** Without what is undefined. */
function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  // Only the keys that have a value are left.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}

/**
 * A rule with what these policies, the narrowest first, add to it; what the rule says itself is narrower than any of them. What calls
 * are told apart by follows from the policies where it stands, else from those of the first of its backends that says so.
 */
export function mergeRecovery(
  rule: RouteRule,
  policies: readonly TrafficPolicy[],
  ofPort: (port: string) => readonly TrafficPolicy[],
): RouteRule {
  const { action } = rule
  if (action.kind !== 'forward') return rule
  const settings: Origins = {}
  const timeouts = mergeTimeouts(action, policies, settings)
  const retry = mergeRetry(action, policies, settings)
  const hashOn = hashOnOf(
    [policies, ...action.backends.map(({ service, port }) => ofPort(`${service}/${port}`))],
    settings,
  )
  const faults = first(policies, { faults: (spec) => spec.faults }, settings)
  const hedging = first(policies, { hedging: (spec) => spec.hedging }, settings)
  if (Object.keys(settings).length === 0) return rule
  return {
    ...rule,
    action: {
      ...action,
      ...(timeouts && { timeouts }),
      ...(retry && { retry }),
      ...(hashOn && { hashOn: hashOn.map(linkHashOn) }),
      ...(faults && { faults: linkFaults(faults) }),
      ...(hedging && { hedging: linkHedging(hedging) }),
      settings,
    },
  }
}

/** Of the first chain of policies whose balancing goes by hashes. */
function hashOnOf(chains: readonly (readonly TrafficPolicy[])[], settings: Origins): readonly HashOnSpec[] | undefined {
  for (const chain of chains) {
    const decisive = chain.find(({ spec }) => spec.loadBalancing !== undefined)
    const hashOn = decisive?.spec.loadBalancing?.hashOn
    if (decisive === undefined || hashOn === undefined) continue
    settings['loadBalancing.hashOn'] = originOf(decisive, 'spec.loadBalancing.hashOn')
    return hashOn
  }
  return undefined
}

const linkHedging = ({ after, atPercentile = 95, maxAttempts, methods }: HedgingSpec): Hedging => ({
  after: after === undefined ? { quantile: atPercentile / 100 } : { ms: after },
  maxAttempts,
  anyMethod: methods === 'Any',
})

function linkHashOn({ cookie, header, queryParameter }: HashOnSpec): HashOn {
  if (cookie !== undefined) return { kind: 'cookie', name: cookie.name, ttlMs: cookie.ttl, path: cookie.path ?? '' }
  if (header !== undefined) return { kind: 'header', name: header }
  return queryParameter === undefined ? { kind: 'source-ip' } : { kind: 'query-parameter', name: queryParameter }
}

function mergeTimeouts(
  { timeouts: own = {} }: Forward,
  policies: readonly TrafficPolicy[],
  settings: Origins,
): Timeouts | undefined {
  const decided = [
    ...(own.requestMs === undefined ? [] : ['request']),
    ...(own.backendRequestMs === undefined ? [] : ['perTry']),
  ]
  const { request, perTry, idle, stream } = mergeGroup(policies, 'timeouts', settings, decided) || {}
  const merged = given({ requestMs: request, perTryMs: perTry, idleMs: idle, streamMs: stream, ...own })
  return says(merged) ? merged : undefined
}

function mergeRetry({ retry: own }: Forward, policies: readonly TrafficPolicy[], settings: Origins): Retry | undefined {
  const decided = [
    ...(own?.attempts === undefined ? [] : ['attempts']),
    ...(own === undefined || own.codes.length === 0 ? [] : ['codes']),
    ...(own?.backoffMs === undefined ? [] : ['backoff']),
  ]
  const said = mergeGroup(policies, 'retries', settings, ['budget', ...decided])
  if (!says(said)) return own
  const { attempts, on, codes, backoff } = said
  return {
    codes: codes ?? own?.codes ?? [],
    ...given({
      attempts: attempts ?? own?.attempts,
      on,
      backoffMs: own?.backoffMs,
      backoff: backoff && { baseMs: backoff.base, maxMs: backoff.max ?? backoff.base * 10 },
    }),
  }
}
