import type { Backend, Forward, RouteRule } from '../model/model.ts'

/** A part of a rule as a route of its own. */
export interface Portion {
  readonly rule: RouteRule
  /** In (0, 1): it takes calls up to this share of all of the rule, less what the routes before it have; absent: all that are left. */
  readonly upTo?: number
}

/**
 * A weighted cluster has headers of its own, and a host, but neither a path nor a redirect. A backend that has becomes a route of its own
 * in front of the others, which takes its share of the calls by chance: one draw for all routes of a call, as Envoy has it.
 */
export function splitByUrl(rule: RouteRule): readonly Portion[] {
  const { action } = rule
  if (action.kind !== 'forward' || !action.backends.some(hasUrl)) return [{ rule }]
  const total = action.backends.reduce((sum, { weight }) => sum + weight, 0)
  const common = action.backends.filter((one) => !hasUrl(one))
  const own = action.backends.filter(hasUrl)
  let before = 0
  const portions = own.map((backend, index): Portion => {
    before += backend.weight
    const route = { ...rule, action: alone(backend, action), origin: backend.origin }
    if (before === total) return { rule: route }
    return { rule: { ...route, name: `${rule.name}/part-${index}` }, upTo: before / total }
  })
  return common.length === 0 ? portions : [...portions, { rule: { ...rule, action: { ...action, backends: common } } }]
}

const hasUrl = ({ rewrite, redirect }: Backend): boolean => rewrite?.path !== undefined || redirect !== undefined

/** What is said of the backend goes before what the rule says. A backend that does not exist redirects nobody. */
function alone(backend: Backend, action: Forward): RouteRule['action'] {
  const { redirect, rewrite: own, ...rest } = backend
  if (redirect !== undefined && backend.service !== undefined) return redirect
  const { host = action.rewrite?.host, path = action.rewrite?.path } = own ?? {}
  return { ...action, backends: [rest], ...(own && { rewrite: { host, path } }) }
}
