import type { Backend, Forward, InboundRule, RouteMatch, RouteRule } from '../model/model.ts'
import { inOrder } from './link-rules.ts'
import type { NamedRule } from './named-rule.ts'

/** A rule of a service's routes, and the namespace of the callers that it is for; "": all. */
export interface WrittenRule extends NamedRule {
  readonly callers: string
}

/** The rules that lead to each service port, by `<namespace>/<service>/<port>`. */
export type LeadingRules = ReadonlyMap<string, readonly WrittenRule[]>

/** Empty where no rule at all has limits of its own, as usual. */
export function leadingRules(written: Iterable<readonly WrittenRule[]>): LeadingRules {
  const rules = [...written].flat()
  const leading = new Map<string, WrittenRule[]>()
  if (!rules.some(isLimited)) return leading
  for (const one of rules) {
    const { action } = one.rule
    for (const port of new Set(action.kind === 'forward' ? action.backends.map(portOf) : [])) {
      const there = leading.get(port)
      if (there === undefined) leading.set(port, [one])
      else there.push(one)
    }
  }
  return leading
}

const portOf = ({ service = '', port }: Backend): string => `${service}/${port}`
const limitsOf = ({ action }: RouteRule): Pick<Forward, 'rateLimits' | 'externalLimit'> =>
  action.kind === 'forward' ? action : {}
function isLimited({ rule }: WrittenRule): boolean {
  const { rateLimits, externalLimit } = limitsOf(rule)
  return rateLimits !== undefined || externalLimit !== undefined
}

/**
 * The rules that lead to a program, as its sidecar tells them apart: by what their calls look like when they arrive, so that nobody gets
 * round a limit by calling past the route. In the order in which callers match them; those of some callers first, who have no others.
 * `others`: what holds for rules that say nothing of it. Empty: no rule says anything.
 */
export function inboundRules(
  rules: readonly WrittenRule[],
  others: {
    readonly rateLimits: InboundRule['rateLimits']
    readonly externalLimit: InboundRule['externalLimit'] | undefined
  },
): readonly InboundRule[] {
  if (!rules.some(isLimited)) return []
  const once = [...new Map(rules.map((one) => [`${one.callers} ${one.rule.name}`, one])).values()]
  const [forAll, forSome] = [true, false].map((all) => inOrder(once.filter(({ callers }) => (callers === '') === all)))
  return [...(forSome ?? []), ...(forAll ?? [])].flatMap(({ callers, rule }): readonly InboundRule[] => {
    const { name, origin } = rule
    const { rateLimits = others.rateLimits, externalLimit = others.externalLimit } = limitsOf(rule)
    return arriving(rule).map((match, index) => ({
      name: index === 0 ? name : `${name}/part-${index}`,
      match,
      ...(callers !== '' && { callers }),
      rateLimits,
      ...(externalLimit && { externalLimit }),
      origin,
    }))
  })
}

/** A rule's match behind the changes of the path that it and its backends make; empty: what arrives does not tell. */
function arriving(rule: RouteRule): readonly RouteMatch[] {
  const { match, action } = rule
  if (action.kind !== 'forward' || hiddenHeader(rule) !== undefined) return []
  const paths = action.backends.map((one) => one.rewrite?.path ?? action.rewrite?.path)
  const once = new Map(paths.map((path) => [`${path?.kind} ${path?.value}`, path]))
  return Array.from(once.values(), (path) =>
    path === undefined
      ? match
      : { ...match, path: { kind: path.kind === 'full' ? 'exact' : 'segments', value: path.value || '/' } },
  )
}

/** A header that the rule matches by and changes, so that what arrives does not tell whether it matched. */
export function hiddenHeader({ match, requestHeaders, action }: RouteRule): string | undefined {
  const ofBackends = action.kind === 'forward' ? action.backends.map((one) => one.requestHeaders) : []
  const changed = [requestHeaders, ...ofBackends].flatMap((edit) =>
    edit === undefined ? [] : [...edit.remove, ...[...edit.set, ...edit.add].map(({ name }) => name)],
  )
  const names = new Set(changed.map((name) => name.toLowerCase()))
  return match.headers.find(({ name }) => names.has(name.toLowerCase()))?.name
}
