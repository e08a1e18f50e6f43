import { asWireText } from '../../base/string-match.ts'
import type { Random } from '../../base/random.ts'
import type { Hash64 } from '../../base/xx-hash.ts'
import type { EndpointState } from './endpoint-state.ts'
import type { Choices, Weights } from './picker.ts'

/** What an endpoint's place follows from: `hash_key` of its metadata, its host name where the cluster wants it, else its address. */
export const hashKey = ({ endpoint, address }: EndpointState): string => asWireText(endpoint.hashKey ?? address)

/** For a call that no policy has given a hash. */
export const randomHash = (random: Random): Hash64 => ({ hi: random.index(2 ** 32), lo: random.index(2 ** 32) })

/** The weights as shares of 1. */
export function shares(choices: Choices, { of: weightOf }: Weights): Float64Array {
  const total = choices.reduce((sum, state) => sum + weightOf(state), 0)
  return Float64Array.from(choices, (state) => weightOf(state) / total)
}
