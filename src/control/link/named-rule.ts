import type { RouteResource as Route } from '../decode/resource-types.ts'
import type { RouteRule } from '../model/model.ts'

/** A rule for one of its matches, and the name that its author gave it. */
export interface NamedRule {
  readonly rule: RouteRule
  readonly name: string | undefined
  readonly route: Route
  /** Of the match: "spec.rules[0].matches[1]". */
  readonly field: string
  /** Compared from left to right, the higher goes first. */
  readonly precedence: readonly number[]
}
