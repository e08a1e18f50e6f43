import {
  describe,
  invalid,
  list,
  object,
  oneOf,
  optional,
  refine,
  string,
  unsupported,
  withDefault,
  type Decoder,
} from '../../base/decode.ts'
import {
  backendRefWith,
  checkedRegex,
  headerMatches,
  namedRules,
  type HttpRouteRule,
  type HttpRouteSpec,
  type NamedMatch,
} from './http-route.ts'
import { hostname } from './hostname.ts'
import { subdomain } from './names.ts'
import { sessionPersistence } from './session-persistence.ts'
import { parentRef } from './parent-ref.ts'
import { grpcBackendFilters, routeFilters, type RouteFilter } from './route-filters.ts'

/** Gateway API GRPCRoute, attached to Services (GAMMA). What is not supported yet is refused, never ignored. */
export interface GrpcRouteSpec extends Omit<HttpRouteSpec, 'rules'> {
  /** Never empty: without `rules` one that matches everything and has no backends. */
  readonly rules: readonly GrpcRouteRule[]
}

export interface GrpcRouteRule extends Pick<HttpRouteRule, 'name' | 'filters' | 'backendRefs' | 'sessionPersistence'> {
  /** Never empty: without `matches` one that matches everything. */
  readonly matches: readonly GrpcRouteMatch[]
}

export interface GrpcRouteMatch {
  /** Absent: any. */
  readonly method?: GrpcMethodMatch
  readonly headers: readonly NamedMatch[]
}

/** At least one of the two is there. */
export interface GrpcMethodMatch {
  readonly type: 'Exact' | 'RegularExpression'
  /** With its package: "shop.Orders". */
  readonly service?: string
  readonly method?: string
}

const notYet = (what: string): ReturnType<typeof unsupported> => unsupported(`${what} is not supported yet; remove it`)

const exactForm = { service: /^\.?[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/, method: /^[A-Za-z_]\w*$/ } as const
const part = string({ form: /^[\s\S]{1,1024}$/, expected: 'from 1 to 1024 characters' })

const methodMatch: Decoder<GrpcMethodMatch> = refine(
  object<GrpcMethodMatch>({
    type: withDefault(oneOf('Exact', 'RegularExpression'), 'Exact'),
    service: optional(part),
    method: optional(part),
  }),
  (match, path, issues) => {
    const before = issues.length
    const { type } = match
    if (match.service === undefined && match.method === undefined)
      issues.push({ path, message: 'needs service, method, or both' })
    for (const field of ['service', 'method'] as const) {
      const value = match[field]
      if (value === undefined) continue
      if (type === 'RegularExpression') checkedRegex(value, `${path}.${field}`, issues)
      else if (!exactForm[field].test(value))
        issues.push({
          path: `${path}.${field}`,
          message: `expected the name of a ${field} such as ${field === 'service' ? '"shop.Orders"' : '"List"'}, got ${describe(value)}`,
        })
    }
    return issues.length > before ? invalid : match
  },
)

const match: Decoder<GrpcRouteMatch> = object<GrpcRouteMatch>({
  method: optional(methodMatch),
  headers: withDefault(headerMatches, []),
})

const fitting: ReadonlySet<RouteFilter['type']> = new Set([
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'RequestMirror',
])
/** Source: Gateway API, GRPCRouteFilterType. */
const filters: Decoder<readonly RouteFilter[]> = refine(routeFilters, (all, path, issues) => {
  const odd = all.findIndex(({ type }) => !fitting.has(type))
  if (odd < 0) return all
  issues.push({ path: `${path}[${odd}].type`, message: `${all[odd]?.type} is no filter of a GRPCRoute; remove it` })
  return invalid
})

const matchEverything: readonly GrpcRouteMatch[] = [{ headers: [] }]
const rule: Decoder<GrpcRouteRule> = object<GrpcRouteRule>(
  {
    name: optional(subdomain),
    matches: withDefault(
      refine(list(match, { max: 64 }), (matches) => (matches.length === 0 ? matchEverything : matches)),
      matchEverything,
    ),
    filters: optional(filters),
    backendRefs: withDefault(list(backendRefWith(grpcBackendFilters), { max: 16 }), []),
    sessionPersistence: optional(sessionPersistence),
  },
  {
    timeouts: unsupported('a GRPCRoute has none: callers say grpc-timeout, and a TrafficPolicy bounds it'),
    retry: unsupported('a GRPCRoute has none; write a TrafficPolicy with retries'),
  },
)

export const grpcRouteSpec: Decoder<GrpcRouteSpec> = object<GrpcRouteSpec>(
  {
    parentRefs: list(parentRef, { min: 1, max: 32 }),
    hostnames: withDefault(list(hostname, { max: 16 }), []),
    rules: withDefault(namedRules(rule), [{ matches: matchEverything, backendRefs: [] }]),
  },
  { useDefaultGateways: notYet('useDefaultGateways') },
)
