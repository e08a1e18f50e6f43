import type { Hash64 } from '../../base/xx-hash.ts'
import type { Trace } from '../http/service.ts'
import type { EndpointState } from './endpoint-state.ts'
import type { EndpointTable } from './endpoint-table.ts'
import type { Picker } from './picker.ts'
import { levelsToAvoid } from './previous-priorities.ts'

/** What a pick goes by. */
export interface PickParts {
  readonly tried: Trace['tried']
  /** More tries for an endpoint that was not tried. */
  readonly furtherPicks: number
  readonly hash: Hash64 | undefined
  /** See `levelsToAvoid`; undefined: none are. */
  readonly avoidEvery: number | undefined
  readonly priorityOf: (address: string) => number | undefined
}

/**
 * An endpoint of the table for a further attempt, none that was tried while there is another: else one of the next priority. Of those that
 * were not tried, one that has cut off somebody else's last call is taken only when there is no other, here or in the next priority: an
 * attempt is too dear to learn that many died together. Undefined: there is none.
 */
export function pickFrom(table: EndpointTable, parts: PickParts): EndpointState | undefined {
  const { tried, furtherPicks, hash, avoidEvery } = parts
  const isUntried = (one: EndpointState): boolean => !tried.includes(one.address)
  const pick = afterTried(table, parts)
  let chosen = pick?.(hash, 0)
  if (chosen === undefined) return undefined
  for (let attempt = 1; attempt <= furtherPicks && (chosen.isCut || !isUntried(chosen)); attempt++)
    chosen = pick?.(hash, attempt) ?? chosen
  if (furtherPicks === 0 || (isUntried(chosen) && !chosen.isCut)) return chosen
  // Who avoids whole priorities has said where to go.
  if (avoidEvery !== undefined && isUntried(chosen)) return chosen
  const untried = avoidEvery === undefined ? bestUntried(table.candidates, tried) : undefined
  if (untried?.isCut === false) return untried
  const further = table.reserve()?.(hash, 0)
  const isBest = further !== undefined && isUntried(further) && (untried === undefined || !further.isCut)
  return isBest ? further : (untried ?? chosen)
}

/**
 * Of those that were not tried the one with the fewest calls, one that is cut off last. Policies prefer whoever seems idle, and the dead
 * always do: beside a busy endpoint that is alive two dead ones are picked over and over. O(n), for a call that has failed at all that
 * picking gave.
 */
function bestUntried(candidates: readonly EndpointState[], tried: Trace['tried']): EndpointState | undefined {
  let best: EndpointState | undefined
  for (const one of candidates)
    if ((best === undefined || isBetter(one, best)) && !tried.includes(one.address)) best = one
  return best
}

const isBetter = (one: EndpointState, than: EndpointState): boolean =>
  one.isCut === than.isCut ? one.activeCalls < than.activeCalls : than.isCut

function afterTried(table: EndpointTable, { tried, avoidEvery: every, priorityOf }: PickParts): Picker | undefined {
  if (every === undefined) return table.pick
  const others = (levels: ReadonlySet<number>): boolean => table.without(levels) !== undefined
  return table.without(levelsToAvoid({ tried, every, priorityOf, others }))
}
