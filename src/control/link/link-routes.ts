import { isHttp } from '../../base/app-protocol.ts'
import type { Problem } from '../../base/problem.ts'
import type { HttpRouteMatch, HttpRouteRule } from '../decode/http-route.ts'
import type { ResourceOf } from '../decode/resource-types.ts'
import { resourcesOf, type InventorySnapshot } from '../inventory/snapshot.ts'
import type { Forward, RouteAction, RouteMatch, RouteRule, ValueMatch } from '../model/model.ts'
import { didYouMean, linkBackend, linkMirrors } from './link-backends.ts'
import { linkCors, linkHeaderEdits, linkRedirect, linkRewrite } from './link-filters.ts'
import type { TrafficPolicies } from './link-traffic.ts'
import { mergeRecovery } from './merge-settings.ts'
import { byAge, nameOf, originOf, problemAt, type Linked } from './linked.ts'
import { findService } from './select-workloads.ts'

type Route = ResourceOf<'HTTPRoute'>

/** The rules of one service port, each list in order of precedence. */
export interface PortRoutes {
  /** Of routes in the Service's own namespace, for all callers; empty: there are none. */
  readonly producer: readonly RouteRule[]
  /** By namespace: of routes there, which take the place of the others for callers from there. */
  readonly consumers: ReadonlyMap<string, readonly RouteRule[]>
}

/** The rules of every service port that has routes, by `<namespace>/<service>/<port>`. */
export function linkRoutes(
  snapshot: InventorySnapshot,
  policies: TrafficPolicies,
): Linked<ReadonlyMap<string, PortRoutes>> {
  const byPort = new Map<string, { producer: RouteRule[]; consumers: Map<string, RouteRule[]> }>()
  const problems: Problem[] = []
  for (const route of resourcesOf(snapshot, 'HTTPRoute').toSorted(byAge)) {
    if (route.spec.hostnames.length > 0) {
      problems.push(
        problemAt(
          route,
          'spec.hostnames',
          'hostnames mean nothing for a Service as parent (GAMMA): requests are told apart by the Service; remove them',
        ),
      )
    }
    const rules = linkRules(route, snapshot, problems)
    const { namespace } = route.metadata
    for (const port of parentPorts(route, snapshot, problems)) {
      let there = byPort.get(port)
      if (there === undefined) byPort.set(port, (there = { producer: [], consumers: new Map() }))
      const ofPort = policies.ofPort(port)
      const settled = rules.map(({ rule, name }) => mergeRecovery(rule, [...policies.ofRule(route, name), ...ofPort]))
      if (port.startsWith(`${namespace}/`)) there.producer.push(...settled)
      else there.consumers.set(namespace, [...(there.consumers.get(namespace) ?? []), ...settled])
    }
  }
  return { value: new Map(Array.from(byPort, ([port, routes]) => [port, inOrder(routes)])), problems }
}

const inOrder = ({ producer, consumers }: PortRoutes): PortRoutes => ({
  producer: producer.toSorted(byPrecedence),
  consumers: new Map(Array.from(consumers, ([namespace, rules]) => [namespace, rules.toSorted(byPrecedence)])),
})

/** The service ports that a route attaches to; what it cannot attach to is a problem. */
function parentPorts(route: Route, snapshot: InventorySnapshot, problems: Problem[]): ReadonlySet<string> {
  const ports = new Set<string>()
  route.spec.parentRefs.forEach((ref, index) => {
    const field = `spec.parentRefs[${index}]`
    const namespace = ref.namespace ?? route.metadata.namespace
    const service = findService(snapshot, namespace, ref.name)
    if (service === undefined) {
      problems.push(
        problemAt(
          route,
          `${field}.name`,
          `there is no Service ${namespace}/${ref.name}, so the route has no effect there${didYouMean(ref.name, snapshot, namespace)}`,
        ),
      )
      return
    }
    const http = service.spec.ports.filter((port) => isHttp(port.protocol))
    const named = http.filter((port) => ref.sectionName === undefined || port.name === ref.sectionName)
    const chosen = named.filter((port) => ref.port === undefined || port.port === ref.port)
    if (chosen.length === 0) {
      const wrongName = named.length === 0 && ref.sectionName !== undefined
      const wanted = wrongName ? ` named ${ref.sectionName}` : ref.port === undefined ? '' : ` ${ref.port}`
      const offered = (wrongName ? http : named).map((port) => (wrongName ? port.name : port.port)).join(', ')
      problems.push(
        problemAt(
          route,
          `${field}.${wrongName ? 'sectionName' : ref.port === undefined ? 'name' : 'port'}`,
          `Service ${namespace}/${ref.name} has no HTTP port${wanted}${offered === '' ? '' : `; it has ${offered}`}`,
        ),
      )
    }
    for (const port of chosen) ports.add(`${namespace}/${ref.name}/${port.port}`)
  })
  return ports
}

/** Each with the name that its author gave it. */
function linkRules(
  route: Route,
  snapshot: InventorySnapshot,
  problems: Problem[],
): readonly { readonly rule: RouteRule; readonly name: string | undefined }[] {
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
function byPrecedence(a: RouteRule, b: RouteRule): number {
  const rank = { exact: 0, regex: 1, segments: 2 } as const
  return (
    rank[a.match.path.kind] - rank[b.match.path.kind] ||
    b.match.path.value.length - a.match.path.value.length ||
    Number(b.match.method !== undefined) - Number(a.match.method !== undefined) ||
    b.match.headers.length - a.match.headers.length ||
    b.match.queryParameters.length - a.match.queryParameters.length
  )
}
