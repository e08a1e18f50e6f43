import {
  integer,
  invalid,
  list,
  mismatch,
  object,
  oneOf,
  optional,
  refine,
  string,
  unsupported,
  withDefault,
  type Decoder,
  type Issue,
} from '../../base/decode.ts'
import { regexProblem } from '../../base/regex.ts'
import { headerName } from './header-modifier.ts'
import { hostname } from './hostname.ts'
import { subdomain } from './names.ts'
import { parentRef, type ParentRef } from './parent-ref.ts'
import { backendFilters, replacesPrefix, routeFilters, type RouteFilter } from './route-filters.ts'
import { backendObjectFields, withPort, type BackendObjectRef } from './service-ref.ts'
import { sessionPersistence, type SessionPersistence } from './session-persistence.ts'
import { routeRetry, routeTimeouts, type RouteRetry, type RouteTimeouts } from './route-timeouts.ts'

/** Gateway API HTTPRoute, attached to Gateways or to Services (GAMMA). What is not supported yet is refused, never ignored. */
export interface HttpRouteSpec {
  readonly parentRefs: readonly ParentRef[]
  /** Empty: those of the listener. They mean nothing for a Service as parent. */
  readonly hostnames: readonly string[]
  /** Never empty: without `rules` one that matches everything and has no backends. */
  readonly rules: readonly HttpRouteRule[]
}

export interface HttpRouteRule {
  readonly name?: string
  /** Never empty: without `matches` one that matches everything. */
  readonly matches: readonly HttpRouteMatch[]
  /** In the order written; absent: none. */
  readonly filters?: readonly RouteFilter[]
  readonly backendRefs: readonly BackendRef[]
  readonly timeouts?: RouteTimeouts
  readonly retry?: RouteRetry
  readonly sessionPersistence?: SessionPersistence
}

export interface HttpRouteMatch {
  readonly path: { readonly type: 'Exact' | 'PathPrefix' | 'RegularExpression'; readonly value: string }
  readonly headers: readonly NamedMatch[]
  readonly queryParams: readonly NamedMatch[]
  readonly method?: string
}
export interface NamedMatch {
  readonly name: string
  readonly type: 'Exact' | 'RegularExpression'
  readonly value: string
}
export interface BackendRef extends BackendObjectRef {
  readonly weight: number
  /** For requests that go to this backend; absent: none. */
  readonly filters?: readonly RouteFilter[]
}

const notYet = (what: string): ReturnType<typeof unsupported> => unsupported(`${what} is not supported yet; remove it`)

/** One of `backendRefs`, with the filters that it may have. */
export const backendRefWith = (filters: Decoder<readonly RouteFilter[]>): Decoder<BackendRef> =>
  refine(
    object<BackendRef>({
      ...backendObjectFields,
      weight: withDefault(integer({ min: 0, max: 1_000_000 }), 1),
      filters: optional(filters),
    }),
    withPort,
  )
const backendRef = backendRefWith(backendFilters)

/** Compiled here already, so that no expression that cannot be used ever reaches a sidecar. */
export function checkedRegex(value: string, path: string, issues: Issue[]): string | typeof invalid {
  const problem = regexProblem(value)
  return problem === undefined ? value : mismatch(issues, path, 'a regular expression in RE2 syntax', value, problem)
}
function checked<T extends { readonly type: string; readonly value: string }>(
  match: T,
  path: string,
  issues: Issue[],
): T | typeof invalid {
  if (match.type !== 'RegularExpression') return match
  return checkedRegex(match.value, `${path}.value`, issues) === invalid ? invalid : match
}

const pathMatch = refine(
  object<{ readonly type: 'Exact' | 'PathPrefix' | 'RegularExpression'; readonly value: string }>({
    type: withDefault(oneOf('Exact', 'PathPrefix', 'RegularExpression'), 'PathPrefix'),
    value: withDefault(string({ form: /^[\s\S]{1,1024}$/, expected: 'a path of at most 1024 characters' }), '/'),
  }),
  (match, path, issues) => {
    const odd = /\/\/|\/\.\.?(\/|$)|%2[fF]|#|\?/.test(match.value)
    if (match.type === 'RegularExpression') return checked(match, path, issues)
    if (match.value.startsWith('/') && !odd) return match
    return mismatch(
      issues,
      `${path}.value`,
      'a path that begins with "/" and has no "//", "/./", "/../", "%2F", "?" or "#"',
      match.value,
    )
  },
)

const value = string({ form: /^[\s\S]{1,4096}$/, expected: 'from 1 to 4096 characters' })
const namedMatch = (name: Decoder<string>): Decoder<NamedMatch> =>
  refine(object<NamedMatch>({ type: withDefault(oneOf('Exact', 'RegularExpression'), 'Exact'), name, value }), checked)

/** A name may stand there once: of two the standard would follow the first and ignore the other, which nobody means. */
const namedMatches = (name: Decoder<string>): Decoder<readonly NamedMatch[]> =>
  refine(list(namedMatch(name), { max: 16 }), (matches, path, issues) => {
    const twice = matches.findIndex((one, index) => matches.findIndex((other) => other.name === one.name) !== index)
    if (twice < 0) return matches
    issues.push({ path: `${path}[${twice}].name`, message: `${JSON.stringify(matches[twice]?.name)} is there twice` })
    return invalid
  })

/** Headers that a request must have, of any kind of route; their names in lower case. */
export const headerMatches: Decoder<readonly NamedMatch[]> = namedMatches(
  refine(headerName, (name) => name.toLowerCase()),
)

const everything = { type: 'PathPrefix', value: '/' } as const
const match: Decoder<HttpRouteMatch> = object<HttpRouteMatch>({
  path: withDefault(pathMatch, everything),
  headers: withDefault(headerMatches, []),
  queryParams: withDefault(namedMatches(string({ form: /^[\s\S]{1,256}$/, expected: 'a parameter name' })), []),
  method: optional(oneOf('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH')),
})

const matchEverything: readonly HttpRouteMatch[] = [{ path: everything, headers: [], queryParams: [] }]
const writtenRule: Decoder<HttpRouteRule> = object<HttpRouteRule>({
  name: optional(subdomain),
  matches: withDefault(
    refine(list(match, { max: 64 }), (matches) => (matches.length === 0 ? matchEverything : matches)),
    matchEverything,
  ),
  filters: optional(routeFilters),
  backendRefs: withDefault(list(backendRef, { max: 16 }), []),
  timeouts: optional(routeTimeouts),
  retry: optional(routeRetry),
  sessionPersistence: optional(sessionPersistence),
})

/** What the parts of a rule must not say together. */
const rule: Decoder<HttpRouteRule> = refine(writtenRule, (read, path, issues) => {
  const { filters = [], matches, backendRefs } = read
  const prefix = replacesPrefix(filters) ?? replacesPrefixOf(backendRefs)
  const ofPrefix = matches.length === 1 && matches[0]?.path.type === 'PathPrefix'
  if (prefix !== undefined && !ofPrefix)
    issues.push({ path: `${path}.${prefix}`, message: 'ReplacePrefixMatch needs exactly one match, by PathPrefix' })
  const redirects = filters.some((one) => one.type === 'RequestRedirect')
  if (redirects && backendRefs.length > 0)
    issues.push({
      path: `${path}.backendRefs`,
      message: 'a rule that redirects has no backends; remove one of the two',
    })
  return (prefix !== undefined && !ofPrefix) || (redirects && backendRefs.length > 0) ? invalid : read
})

/** The same of one backend's filters. */
function replacesPrefixOf(backendRefs: readonly BackendRef[]): string | undefined {
  for (const [index, { filters = [] }] of backendRefs.entries()) {
    const found = replacesPrefix(filters)
    if (found !== undefined) return `backendRefs[${index}].${found}`
  }
  return undefined
}

/** The rules of a route, of any kind. A name may stand there once: it is how people and policies point at a rule. */
export const namedRules = <T extends { readonly name?: string }>(
  one: Decoder<T>,
  { max }: { readonly max: number } = { max: 16 },
): Decoder<readonly T[]> =>
  refine(list(one, { min: 1, max }), (all, path, issues) => {
    const twice = all.findIndex(
      ({ name }, index) => name !== undefined && all.findIndex((other) => other.name === name) !== index,
    )
    if (twice < 0) return all
    issues.push({ path: `${path}[${twice}].name`, message: `${JSON.stringify(all[twice]?.name)} is there twice` })
    return invalid
  })

export const httpRouteSpec: Decoder<HttpRouteSpec> = object<HttpRouteSpec>(
  {
    parentRefs: list(parentRef, { min: 1, max: 32 }),
    hostnames: withDefault(list(hostname, { max: 16 }), []),
    rules: withDefault(namedRules(rule), [{ matches: matchEverything, backendRefs: [] }]),
  },
  { useDefaultGateways: notYet('useDefaultGateways') },
)
