import type { MessageInitShape } from '@bufbuild/protobuf'
import { isHttp2 } from '../../base/app-protocol.ts'
import type { RouteConfigurationSchema } from '../../xds/gen/envoy/config/route/v3/route_pb.ts'
import {
  RouteAction_ClusterNotFoundResponseCode,
  type RouteActionSchema,
  type RouteMatchSchema,
  type RouteSchema,
  type WeightedCluster_ClusterWeightSchema,
} from '../../xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { servicePortName } from '../../xds/names.ts'
import type {
  Backend,
  ExternalLimit,
  Forward,
  HeaderEdits,
  Mirror,
  Origin,
  RateLimit,
  RouteMatch,
  RouteRule,
  Service,
  ServicePort,
} from '../model/model.ts'
import { limitOrigins } from './authorization-filters.ts'
import { clusterOf } from './backend-cluster.ts'
import { corsFilter, renderCors } from './cors.ts'
import { limiterOfRoute } from './external-limit.ts'
import { faultFilter, renderFaults } from './faults.ts'
import { renderHashPolicy } from './hash-policy.ts'
import { renderHeaderEdits } from './header-edits.ts'
import { duration, fraction, settingsJson, weft } from './parts.ts'
import { limitsOfRoute } from './rate-limits.ts'
import { splitByUrl, type Portion } from './split-by-url.ts'
import { renderRetry, retryMetadata, streamDuration, timeoutMs } from './retries.ts'
import { renderRedirect, renderRewrite } from './url-change.ts'
import { renderSession, sessionFilter, sessionMetadata } from './sessions.ts'
import { headerMatch, valueMatch } from './value-match.ts'

type Route = MessageInitShape<typeof RouteSchema>
type ClusterWeight = MessageInitShape<typeof WeightedCluster_ClusterWeightSchema>
type Action = NonNullable<Route['action']>
type PathSpecifier = NonNullable<MessageInitShape<typeof RouteMatchSchema>['pathSpecifier']>

/**
 * The routes of one HTTP port of a service. One virtual host for every name: whoever asks for this route configuration has already
 * found the service by its name and port, and a service has many names (`svc`, `svc.ns`, `svc.ns.svc`, …, each with and without a
 * port), so that matching them again could only lose requests.
 */
export function renderRoutes(service: Service, port: ServicePort): MessageInitShape<typeof RouteConfigurationSchema> {
  const name = servicePortName(service.namespace, service.name, port.port)
  return renderTable(
    name,
    [{ name, domains: ['*'], rules: port.rules, origin: port.origin }],
    calledAs(port),
    port.origin,
  )
}

/** How a service's port is called. */
export function calledAs({ port, protocol }: Pick<ServicePort, 'port' | 'protocol'>): Called {
  const http2 = isHttp2(protocol)
  return { port, http2, mayBeSilent: http2 }
}

/** The rules for some hosts; without rules they are answered with 404. */
export interface HostRules {
  readonly name: string
  readonly domains: readonly string[]
  readonly rules: readonly RouteRule[]
  readonly origin: Origin
}

/** What was called. */
export interface Called {
  readonly port: number
  /** Callers may speak HTTP/2, and so gRPC. */
  readonly http2: boolean
  /** Redirects of a call without a port shall name none, as our own proxies see to it. */
  readonly bare?: boolean
  /** Calls are streams that nobody cuts because no byte passes; absent: the listener decides. */
  readonly mayBeSilent?: boolean
  /** Whoever serves the routes counts their calls; absent: those who take the calls do. */
  readonly counted?: true
}

/** A route configuration; the narrowest domain that covers a request's host decides. */
export const renderTable = (
  name: string,
  hosts: readonly HostRules[],
  called: Called,
  origin: Origin,
): MessageInitShape<typeof RouteConfigurationSchema> => ({
  name,
  virtualHosts: hosts.map((host) => renderHost(host, called)),
  ignorePortInHostMatching: true,
  validateClusters: false,
  ...narrowestLast(hosts),
  metadata: weft(origin),
})

/** What holds for the hosts of one service or listener. */
export const renderHost = (
  host: HostRules,
  called: Called,
): { name: string; domains: string[]; routes: Route[]; metadata: ReturnType<typeof weft> } => ({
  name: host.name,
  domains: [...host.domains],
  routes: host.rules.flatMap(splitByUrl).map((one) => renderRule(one, called)),
  metadata: weft(host.origin),
})

/** Envoy would let the route have the last word; what is said of one backend is narrower. */
export const narrowestLast = (
  hosts: readonly Pick<HostRules, 'rules'>[],
): Pick<MessageInitShape<typeof RouteConfigurationSchema>, 'mostSpecificHeaderMutationsWins'> =>
  hosts.some(({ rules }) => rules.some(editsForOneBackend)) ? { mostSpecificHeaderMutationsWins: true } : {}

/** The limits that whoever serves the rule holds. */
export const limitsOfRule = ({ action }: RouteRule): readonly RateLimit[] =>
  action.kind === 'forward' ? (action.rateLimits ?? []) : []

/** Whom whoever serves the rule asks about its calls. */
export const limiterOfRule = ({ action }: RouteRule): ExternalLimit | undefined =>
  (action.kind === 'forward' && action.externalLimit) || undefined

function renderRule({ rule, upTo }: Portion, called: Called): Route {
  const limits = called.counted === true ? limitsOfRule(rule) : []
  const limiter = called.counted === true ? limiterOfRule(rule) : undefined
  return {
    name: rule.name,
    match: renderMatch(rule.match, upTo),
    action: renderAction(rule, called),
    ...renderHeaderEdits(rule),
    ...renderFilterConfigs(rule, limits, limiter),
    metadata: weft(
      rule.origin,
      rule.action.kind === 'forward'
        ? {
            ...retryMetadata(rule.action),
            ...sessionMetadata(rule.action.session),
            ...settingsJson(rule.action.settings),
            ...limitOrigins(limits),
          }
        : {},
    ),
  }
}

/** What single filters do for this rule. */
function renderFilterConfigs(
  { cors, action }: RouteRule,
  limits: readonly RateLimit[],
  limiter: ExternalLimit | undefined,
): Pick<Route, 'typedPerFilterConfig'> {
  const { faults, session } = action.kind === 'forward' ? action : {}
  const configs = {
    ...(cors && { [corsFilter]: renderCors(cors) }),
    ...(faults && { [faultFilter]: renderFaults(faults) }),
    ...(session && { [sessionFilter]: renderSession(session) }),
    ...limitsOfRoute(limits),
    ...limiterOfRoute(limiter),
  }
  return Object.keys(configs).length === 0 ? {} : { typedPerFilterConfig: configs }
}

const edits = (one: HeaderEdits): boolean => one.requestHeaders !== undefined || one.responseHeaders !== undefined
const editsForOneBackend = ({ action }: RouteRule): boolean => action.kind === 'forward' && action.backends.some(edits)

/** Also of what arrives by a rule. */
export function renderMatch(
  { path, method, headers, queryParameters }: RouteMatch,
  upTo?: number,
): MessageInitShape<typeof RouteMatchSchema> {
  return {
    ...(upTo === undefined ? {} : { runtimeFraction: { defaultValue: fraction(upTo) } }),
    pathSpecifier: renderPath(path),
    headers: [
      ...(method === undefined ? [] : [headerMatch({ name: ':method', kind: 'exact', value: method })]),
      ...headers.map(headerMatch),
    ],
    queryParameters: queryParameters.map((one) => ({
      name: one.name,
      queryParameterMatchSpecifier: { case: 'stringMatch', value: valueMatch(one) },
    })),
  }
}

function renderPath({ kind, value }: RouteMatch['path']): PathSpecifier {
  switch (kind) {
    case 'exact':
      return { case: 'path', value }
    case 'regex':
      return { case: 'safeRegex', value: { regex: value } }
    case 'segments': {
      // Envoy refuses an empty one and one that ends with a slash: "/" is any path, "/a/" is "/a".
      const trimmed = value.replace(/\/+$/, '')
      return trimmed === '' ? { case: 'prefix', value: '/' } : { case: 'pathSeparatedPrefix', value: trimmed }
    }
  }
}

function renderAction({ action, match }: RouteRule, called: Called): Action {
  if (action.kind === 'fail') return answer(action.status, action.reason)
  if (action.kind === 'redirect') return { case: 'redirect', value: renderRedirect(action, match, called) }
  const [first, ...rest] = action.backends
  // Only weights of 0: Gateway API answers 500.
  const { missingStatus = 500 } = action
  if (first === undefined) return answer(missingStatus, 'no backend of this route has a weight')
  if (rest.length === 0 && first.service === undefined)
    return answer(missingStatus, 'the backend of this route does not exist')
  return { case: 'route', value: renderForward([first, ...rest], action, match, called) }
}

const answer = (status: number, sentence: string): Action => ({
  case: 'directResponse',
  value: { status, body: { specifier: { case: 'inlineString', value: `${sentence}\n` } } },
})

function renderForward(
  backends: readonly [Backend, ...Backend[]],
  action: Forward,
  match: RouteMatch,
  { http2, mayBeSilent = false }: Called,
): MessageInitShape<typeof RouteActionSchema> {
  const [first] = backends
  const idleMs = action.timeouts?.idleMs ?? (mayBeSilent ? 0 : undefined)
  return {
    clusterSpecifier:
      backends.length === 1 && !edits(first) && first.rewrite === undefined
        ? { case: 'cluster', value: clusterOf(first) }
        : {
            case: 'weightedClusters',
            value: {
              clusters: backends.map((one) => ({
                name: clusterOf(one),
                weight: one.weight,
                ...renderHeaderEdits(one),
                ...hostRewrite(one),
              })),
              // Calls of one hash stay with one backend, and find their endpoint there.
              ...(action.hashOn && {
                randomValueSpecifier: { case: 'useHashPolicy' as const, value: { value: true } },
              }),
            },
          },
    ...(action.missingStatus === undefined && backends.some((one) => one.service === undefined)
      ? { clusterNotFoundResponseCode: RouteAction_ClusterNotFoundResponseCode.INTERNAL_SERVER_ERROR }
      : {}),
    hashPolicy: (action.hashOn ?? []).map(renderHashPolicy),
    requestMirrorPolicies: (action.mirrors ?? []).map(renderMirror),
    ...renderRewrite(action.rewrite, match),
    timeout: duration(timeoutMs(action)),
    ...(idleMs === undefined ? {} : { idleTimeout: duration(idleMs) }),
    ...streamDuration(action, http2),
    retryPolicy: renderRetry(action),
  }
}

/** A path of its own has a route of its own. */
const hostRewrite = ({ rewrite }: Backend): Pick<ClusterWeight, 'hostRewriteSpecifier'> =>
  rewrite?.host === undefined
    ? {}
    : { hostRewriteSpecifier: { case: 'hostRewriteLiteral' as const, value: rewrite.host } }

/** Without a fraction everything is mirrored. */
const renderMirror = (
  mirror: Mirror,
): NonNullable<MessageInitShape<typeof RouteActionSchema>['requestMirrorPolicies']>[number] => ({
  cluster: clusterOf(mirror),
  ...(mirror.share === 1
    ? {}
    : {
        runtimeFraction: { defaultValue: fraction(mirror.share) },
      }),
})
