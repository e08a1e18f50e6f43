import { isDeepStrictEqual } from 'node:util'
import type { BalancerMetadata, SubsetFallback, Subsets } from '../config.ts'
import type { EndpointState } from './endpoint-state.ts'

/**
 * Those that a route's metadata asks for: of the subset with exactly these keys and values; where there is none, what the fallback
 * of its selector, else of the cluster, says. Pure. Source: Envoy, "Load balancer subsets".
 */
export function subsetOf(
  all: readonly EndpointState[],
  subsets: Subsets,
  match: BalancerMetadata | undefined,
): readonly EndpointState[] {
  const wanted = Object.entries(match ?? {})
  if (wanted.length === 0) return fallBack(all, subsets, subsets.fallback)
  const selector = subsets.selectors.find(({ keys }) => sameKeys(keys, wanted))
  if (selector === undefined) return fallBack(all, subsets, subsets.fallback)
  const found = matching(all, wanted, subsets)
  if (found.length > 0) return found
  const { fallback = subsets.fallback, fallbackKeys } = selector
  if (fallbackKeys === undefined) return fallBack(all, subsets, fallback)
  // Fewer keys each time: this ends.
  return subsetOf(all, subsets, Object.fromEntries(wanted.filter(([key]) => fallbackKeys.includes(key))))
}

const sameKeys = (keys: readonly string[], wanted: readonly (readonly [string, unknown])[]): boolean =>
  keys.length === wanted.length && wanted.every(([key]) => keys.includes(key))

function fallBack(all: readonly EndpointState[], subsets: Subsets, fallback: SubsetFallback): readonly EndpointState[] {
  switch (fallback) {
    case 'none':
      return []
    case 'any':
      return all
    case 'default':
      return matching(all, Object.entries(subsets.defaultSubset), subsets)
  }
}

const matching = (
  all: readonly EndpointState[],
  wanted: readonly (readonly [string, unknown])[],
  { listAsAny }: Subsets,
): readonly EndpointState[] =>
  all.filter(({ endpoint: { metadata = {} } }) =>
    wanted.every(([key, value]) => Object.hasOwn(metadata, key) && hasValue(metadata[key], value, listAsAny)),
  )

const hasValue = (own: unknown, wanted: unknown, listAsAny: boolean): boolean =>
  listAsAny && Array.isArray(own) ? own.some((one) => isDeepStrictEqual(one, wanted)) : isDeepStrictEqual(own, wanted)
