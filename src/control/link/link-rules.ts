import type { Problem } from '../../base/problem.ts'
import type { HttpRouteMatch, HttpRouteRule } from '../decode/http-route.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { Forward, RouteAction, RouteMatch, RouteRule, ValueMatch } from '../model/model.ts'
import { linkBackend, linkMirrors } from './link-backends.ts'
import { linkCors, linkHeaderEdits, linkRedirect, linkRewrite } from './link-filters.ts'
import type { TrafficPolicies } from './link-traffic.ts'
import { byAge, nameOf, originOf, problemAt, type Linked } from './linked.ts'

type Route = ResourceOf<'HTTPRoute'>

/** A rule, and the name that its author gave it. */
export interface NamedRule {
  readonly rule: RouteRule
  readonly name: string | undefined
}
/** Oldest route first. */
export type Rules = ReadonlyMap<Route, readonly NamedRule[]>

/** What routes are attached with. */
export interface Attaching {
  readonly snapshot: InventorySnapshot
  readonly rules: Rules
  readonly policies: TrafficPolicies
}

/** The rules of every route: the same wherever the route attaches, but for the policies there. */
export function linkRules(snapshot: InventorySnapshot): Linked<Rules> {
  const problems: Problem[] = []
  const routes = resourcesOf(snapshot, 'HTTPRoute').toSorted(byAge)
  return { value: new Map(routes.map((route) => [route, rulesOf(route, snapshot, problems)])), problems }
}

function rulesOf(route: Route, snapshot: InventorySnapshot, problems: Problem[]): readonly NamedRule[] {
  const key = `${route.metadata.namespace}/${route.metadata.name}`
  return route.spec.rules.flatMap((rule, ruleIndex) => {
    const field = `spec.rules[${ruleIndex}]`
    const cors = linkCors(rule)
    const action = linkAction(route, rule, field, snapshot, problems)
    return rule.matches.map((match, matchIndex) => ({
      name: rule.name,
      rule: {
        name: `${key}/rule-${ruleIndex}/match-${matchIndex}`,
        match: linkMatch(match),
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
  rule: HttpRouteRule,
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
      backends: weighted,
      ...(rewrite && { rewrite }),
      ...(mirrors.length > 0 && { mirrors }),
      ...linkTimeouts(rule),
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
      `${backends.length === 0 ? 'there are no backendRefs' : 'all backendRefs have weight 0'}, so its requests are answered with 500`,
    ),
  )
  return { kind: 'fail', status: 500, reason }
}

/** What is not said stays away. */
const linkTimeouts = ({ timeouts, retry }: HttpRouteRule): Pick<Forward, 'timeouts' | 'retry'> => ({
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
const linkValue = ({ name, type, value }: HttpRouteMatch['headers'][number]): ValueMatch => ({
  name,
  kind: type === 'Exact' ? 'exact' : 'regex',
  value,
})
/** "/abc/" and "/abc" are the same prefix. Source: Gateway API, PathMatchPathPrefix. */
const trimSlash = (path: string): string => (path.length > 1 ? path.replace(/\/+$/, '') || '/' : path)

/**
 * Exact path, then regular expressions (whose place the standard leaves open; behind prefixes none would be reached beside a
 * catch-all), then the longest prefix; then a method, more headers, more query parameters. Equal ones keep
 * their order: oldest route first, then by rule. Source: Gateway API, HTTPRouteRule.matches.
 */
export function byPrecedence(a: RouteRule, b: RouteRule): number {
  const rank = { exact: 0, regex: 1, segments: 2 } as const
  return (
    rank[a.match.path.kind] - rank[b.match.path.kind] ||
    b.match.path.value.length - a.match.path.value.length ||
    Number(b.match.method !== undefined) - Number(a.match.method !== undefined) ||
    b.match.headers.length - a.match.headers.length ||
    b.match.queryParameters.length - a.match.queryParameters.length
  )
}
