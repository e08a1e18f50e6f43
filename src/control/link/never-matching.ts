import type { RouteMatch } from '../model/model.ts'

/** Something with a match; of several the first that matches is taken. */
export interface Matching {
  readonly rule: { readonly match: RouteMatch }
}

/** One that no request ever reaches, and the earlier one that takes all of its requests. */
export interface NeverMatching<T> {
  readonly one: T
  readonly by: T
  /** Both match the same. */
  readonly same: boolean
}

/**
 * Those that no request ever reaches, each with the earlier one. Regular expressions cover only what
 * is written the same, unless they match every path. Near linear: what could cover a match is looked up, not searched for.
 */
export function neverMatching<T extends Matching>(inOrder: readonly T[]): readonly NeverMatching<T>[] {
  const earlier = new Map<string, T>()
  const found: NeverMatching<T>[] = []
  for (const one of inOrder) {
    const { match } = one.rule
    const constraints = constraintsOf(match)
    const by = firstOf(coveringPaths(match.path), subsets(constraints), earlier)
    const own = keyOf(pathKey(match.path), constraints)
    if (by === undefined) earlier.set(own, one)
    else found.push({ one, by, same: earlier.get(own) === by })
  }
  return found
}

function firstOf<T>(
  paths: readonly string[],
  constraints: readonly (readonly string[])[],
  earlier: ReadonlyMap<string, T>,
): T | undefined {
  for (const path of paths) {
    for (const some of constraints) {
      const one = earlier.get(keyOf(path, some))
      if (one !== undefined) return one
    }
  }
  return undefined
}

const keyOf = (path: string, constraints: readonly string[]): string => [path, ...constraints].join('\n')
const pathKey = ({ kind, value }: RouteMatch['path']): string =>
  kind === 'regex' && everyPath.has(value) ? everything : `${kind} ${value}`

const everyPath: ReadonlySet<string> = new Set(['.*', '/.*', '^.*$', '^/.*$', '.+', '/?.*'])
const everything = 'segments /'

/** Keys of all paths that match whatever this one does. */
function coveringPaths(path: RouteMatch['path']): readonly string[] {
  const own = pathKey(path)
  if (path.kind === 'regex') return own === everything ? [own] : [own, everything]
  const parts = path.value.split('/').filter((part) => part !== '')
  const above = parts.map((_, index) => `segments /${parts.slice(0, index + 1).join('/')}`)
  return [...new Set([own, ...(path.value.includes('//') ? [] : above.toReversed()), everything])]
}

const constraintsOf = ({ method, headers, queryParameters }: RouteMatch): readonly string[] =>
  [
    ...(method === undefined ? [] : [`method ${method}`]),
    ...headers.map(({ name, kind, value }) => `header ${name.toLowerCase()} ${kind} ${value}`),
    ...queryParameters.map(({ name, kind, value }) => `query ${name} ${kind} ${value}`),
  ].toSorted()

/** With more conditions than this only all of them, none and each alone are looked for: 2ⁿ would be too many. */
const maxConditions = 6

/** All subsets, each in the order given: whoever asks for less matches more. */
function subsets(items: readonly string[]): readonly (readonly string[])[] {
  if (items.length > maxConditions) return [items, [], ...items.map((one) => [one])]
  let all: readonly (readonly string[])[] = [[]]
  for (const item of items) all = all.flatMap((some) => [some, [...some, item]])
  return all
}
