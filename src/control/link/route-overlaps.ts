import type { Problem } from '../../base/problem.ts'
import type { NamedRule } from './named-rule.ts'
import { nameOf, problemAt } from './linked.ts'
import { neverMatching } from './never-matching.ts'

/**
 * Tells of rules that no request reaches at one place ("default/web/80"), or in one route wherever it is, once for each pair,
 * wherever they meet.
 */
export type OverlapFinder = (inOrder: readonly NamedRule[], place?: string) => readonly Problem[]

/**
 * Warnings, not errors: of equal matches the first one wins, also within a route, and routes that rely on it are valid. Source:
 * Gateway API, HTTPRouteRule.matches, "ties"; its suite has such a route.
 */
export function overlapFinder(): OverlapFinder {
  const told = new Set<string>()
  return (inOrder, place) =>
    neverMatching(inOrder).flatMap(({ one, by, same }) => {
      const key = `${one.route.kind} ${one.rule.name} ${by.route.kind} ${by.rule.name}`
      if (told.has(key)) return []
      told.add(key)
      const first = one.route === by.route ? by.field : `${nameOf(by.route)} ${by.field}`
      const does = same ? 'has the same match' : 'matches all of its requests'
      const message = `never matches${place === undefined ? '' : ` at ${place}`}: ${first} ${does} and goes first`
      return [problemAt(one.route, one.field, message)]
    })
}
