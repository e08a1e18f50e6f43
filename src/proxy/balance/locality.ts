import type { EndpointState } from './endpoint-state.ts'
import { ownWeights, type Choices, type Weights } from './picker.ts'

/** The endpoints of one locality that may be asked, and what it counts beside the others, > 0. */
export interface WeightedLocality {
  readonly choices: Choices
  readonly weight: number
}

/**
 * By locality, those with a weight: one that has lost many of its `all` endpoints counts less, once what was held in reserve is used
 * up. Empty when no locality has a weight. Source: Envoy, "Locality weighted load balancing".
 */
export function weightedLocalities(
  choices: Choices,
  all: readonly EndpointState[],
  overprovisioningPercent: number,
): readonly WeightedLocality[] {
  const sizes = new Map<string, number>()
  for (const { endpoint } of all) sizes.set(endpoint.locality, (sizes.get(endpoint.locality) ?? 0) + 1)
  return localitiesOf(choices).flatMap(([locality, own]) => {
    const left = (own.length / (sizes.get(locality) ?? own.length)) * (overprovisioningPercent / 100)
    const weight = (own[0].endpoint.localityWeight ?? 0) * Math.min(1, left)
    return weight > 0 ? [{ choices: own, weight }] : []
  })
}

/** Each endpoint with its part of its locality's weight; those of localities without weight are left out, unless none has any. */
export function localityShares(choices: Choices): { readonly choices: Choices; readonly weights: Weights } {
  const localities = localitiesOf(choices).filter(([, own]) => (own[0].endpoint.localityWeight ?? 0) > 0)
  const [first, ...others] = localities.flatMap(([, own]) => own)
  if (first === undefined) return { choices, weights: ownWeights(choices) }
  const sums = new Map(
    localities.map(([locality, own]) => [locality, own.reduce((sum, { endpoint }) => sum + endpoint.weight, 0)]),
  )
  const of: Weights['of'] = ({ endpoint: { weight, locality, localityWeight = 0 } }) =>
    (weight * localityWeight) / (sums.get(locality) ?? weight)
  return { choices: [first, ...others], weights: { of, equal: false } }
}

function localitiesOf(choices: Choices): readonly (readonly [string, Choices])[] {
  return [...Map.groupBy(choices, ({ endpoint }) => endpoint.locality)].flatMap(([locality, [first, ...others]]) =>
    first === undefined ? [] : [[locality, [first, ...others]] as const],
  )
}
