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

/** An endpoint of the table for a further attempt, if possible none that was tried: else one of the next priority. Undefined: there is none. */
export function pickFrom(table: EndpointTable, parts: PickParts): EndpointState | undefined {
  const { tried, furtherPicks, hash } = parts
  const pick = afterTried(table, parts)
  let chosen = pick?.(hash, 0)
  if (chosen === undefined) return undefined
  for (let attempt = 1; attempt <= furtherPicks && tried.includes(chosen.address); attempt++)
    chosen = pick?.(hash, attempt) ?? chosen
  if (furtherPicks === 0 || !tried.includes(chosen.address)) return chosen
  const further = table.reserve()?.(hash, 0)
  return further === undefined || tried.includes(further.address) ? chosen : further
}

function afterTried(table: EndpointTable, { tried, avoidEvery: every, priorityOf }: PickParts): Picker | undefined {
  if (every === undefined) return table.pick
  const others = (levels: ReadonlySet<number>): boolean => table.without(levels) !== undefined
  return table.without(levelsToAvoid({ tried, every, priorityOf, others }))
}
