import type { Problem } from '../../base/problem.ts'
import type { GrpcRouteRule } from '../decode/grpc-route.ts'
import type { HttpRouteMatch, HttpRouteRule } from '../decode/http-route.ts'
import type { RouteResource as Route } from '../decode/resource-types.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { Forward, RouteAction, RouteMatch } from '../model/model.ts'
import { linkBackend, linkMirrors, saidInstead } from './link-backends.ts'
import { linkCors, linkHeaderEdits, linkRedirect, linkRewrite } from './link-filters.ts'
import { grpcPrecedence, linkGrpcMatch } from './link-grpc-matches.ts'
import type { NamedRule } from './named-rule.ts'
import type { OverlapFinder } from './route-overlaps.ts'
import type { StreamSplits } from './link-streams.ts'
import type { Limiters } from './external-limits.ts'
import type { TrafficPolicies } from './link-traffic.ts'
import { linkValue } from './link-values.ts'
import { byAge, nameOf, originOf, problemAt, type Linked } from './linked.ts'

/** Those of gRPC first, of one kind the oldest. */
export type Rules = ReadonlyMap<Route, readonly NamedRule[]>

/** What routes are attached with. */
export interface Attaching {
  readonly snapshot: InventorySnapshot
  readonly rules: Rules
  readonly streams: StreamSplits
  readonly policies: TrafficPolicies
  readonly limiters: Limiters
  readonly overlaps: OverlapFinder
}

/** The rules of every route: the same wherever the route attaches, but for the policies there. */
export function linkRules(snapshot: InventorySnapshot, overlaps: OverlapFinder): Linked<Rules> {
  const problems: Problem[] = []
  const routes = [
    ...resourcesOf(snapshot, 'GRPCRoute').toSorted(byAge),
    ...resourcesOf(snapshot, 'HTTPRoute').toSorted(byAge),
  ]
  const value = new Map(routes.map((route) => [route, rulesOf(route, snapshot, problems)]))
  for (const rules of value.values()) problems.push(...overlaps(inOrder(rules)))
  return { value, problems }
}

function rulesOf(route: Route, snapshot: InventorySnapshot, problems: Problem[]): readonly NamedRule[] {
  const key = `${route.metadata.namespace}/${route.metadata.name}`
  return route.spec.rules.flatMap((rule: HttpRouteRule | GrpcRouteRule, ruleIndex) => {
    const field = `spec.rules[${ruleIndex}]`
    const cors = linkCors(rule)
    const action = linkAction(route, rule, field, snapshot, problems)
    return rule.matches.map((match, matchIndex) => ({
      name: rule.name,
      route,
      field: `${field}.matches[${matchIndex}]`,
      precedence: 'path' in match ? httpPrecedence(match) : grpcPrecedence(match),
      rule: {
        name: `${key}/rule-${ruleIndex}/match-${matchIndex}`,
        match: 'path' in match ? linkMatch(match) : linkGrpcMatch(match),
        ...linkHeaderEdits(rule.filters),
        ...(cors && { cors }),
        action,
        origin: originOf(route, field),
      },
    }))
  })
}

function linkAction(
  route: Route,
  rule: Omit<HttpRouteRule, 'matches'>,
  field: string,
  snapshot: InventorySnapshot,
  problems: Problem[],
): RouteAction {
  const redirect = linkRedirect(rule)
  if (redirect !== undefined) return redirect
  const backends = rule.backendRefs.map((ref, index) =>
    linkBackend(route, ref, `${field}.backendRefs[${index}]`, snapshot, problems),
  )
  const weighted = backends.filter((backend) => backend.weight > 0)
  if (weighted.length > 0) {
    const rewrite = linkRewrite(rule)
    const mirrors = linkMirrors(route, rule, field, snapshot, problems)
    return {
      kind: 'forward',
      ...(route.kind === 'GRPCRoute' && { missingStatus: 503 }),
      backends: weighted,
      ...(rewrite && { rewrite }),
      ...(mirrors.length > 0 && { mirrors }),
      ...linkTimeouts(rule),
      ...linkSession(route, rule, field),
    }
  }
  const reason =
    backends.length === 0
      ? `${nameOf(route)} ${field} has no backendRefs`
      : `all backendRefs of ${nameOf(route)} ${field} have weight 0`
  problems.push(
    problemAt(
      route,
      field,
      `${backends.length === 0 ? 'there are no backendRefs' : 'all backendRefs have weight 0'}, so its requests are answered with ${saidInstead(route)}`,
    ),
  )
  return { kind: 'fail', status: route.kind === 'GRPCRoute' ? 503 : 500, reason }
}

/** Without a name it gets one that no other rule has. */
function linkSession(
  { metadata: { namespace, name } }: Route,
  { sessionPersistence: said }: Pick<HttpRouteRule, 'sessionPersistence'>,
  field: string,
): Pick<Forward, 'session'> {
  if (said === undefined) return {}
  const {
    type,
    sessionName = `weft-session.${namespace}.${name}.${/\d+/.exec(field)?.[0]}`,
    absoluteTimeout = 0,
    idleTimeout,
  } = said
  return {
    session:
      type === 'Header'
        ? { kind: 'header', name: sessionName.toLowerCase() }
        : {
            kind: 'cookie',
            name: sessionName,
            ttlMs: absoluteTimeout,
            ...(idleTimeout !== undefined && { idleMs: idleTimeout }),
          },
  }
}

/** What is not said stays away. */
const linkTimeouts = ({
  timeouts,
  retry,
}: Pick<HttpRouteRule, 'timeouts' | 'retry'>): Pick<Forward, 'timeouts' | 'retry'> => ({
  ...(timeouts && { timeouts }),
  ...(retry && { retry }),
})

const pathKinds = { Exact: 'exact', PathPrefix: 'segments', RegularExpression: 'regex' } as const
const linkMatch = ({ path, method, headers, queryParams }: HttpRouteMatch): RouteMatch => ({
  path: { kind: pathKinds[path.type], value: path.type === 'PathPrefix' ? trimSlash(path.value) : path.value },
  method,
  headers: headers.map(linkValue),
  queryParameters: queryParams.map(linkValue),
})
/** "/abc/" and "/abc" are the same prefix. Source: Gateway API, PathMatchPathPrefix. */
const trimSlash = (path: string): string => (path.length > 1 ? path.replace(/\/+$/, '') || '/' : path)

/**
 * Exact path, then regular expressions (whose place the standard leaves open; behind prefixes none would be reached beside a
 * catch-all), then the longest prefix; then a method, more headers, more query parameters. Source: Gateway API, HTTPRouteRule.matches.
 */
function httpPrecedence(match: HttpRouteMatch): readonly number[] {
  const { path, method, headers, queryParams } = match
  const rank = { Exact: 2, RegularExpression: 1, PathPrefix: 0 } as const
  const { length } = linkMatch(match).path.value
  return [rank[path.type], length, Number(method !== undefined), headers.length, queryParams.length]
}

/** Those that go first in front; equal ones keep their order: oldest route first, then by rule. */
export const inOrder = <R extends NamedRule>(rules: readonly R[]): readonly R[] => rules.toSorted(byPrecedence)

function byPrecedence({ precedence: a }: NamedRule, { precedence: b }: NamedRule): number {
  const at = a.findIndex((value, index) => value !== b[index])
  return at < 0 ? 0 : (b[at] ?? 0) - (a[at] ?? 0)
}
